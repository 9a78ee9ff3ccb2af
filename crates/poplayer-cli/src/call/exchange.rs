//! A request, its repetition with a nonce, and the response.

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::show::Show;
use crate::failure::{Failure, with_causes};
use crate::http_client::HttpClient;
use crate::nonce::{asks_for_nonce, nonce_of};
use crate::signed::{Draft, PROVING};
use crate::token::BoundToken;

/// The maximum length of a response, in bytes.
const MAX_CONTENT: usize = 64 << 20;

/// A request that is sent once, or twice if the server wants a nonce (RFC 9449 §9).
pub(super) struct Exchange {
    draft: Draft,
    token: BoundToken,
    nonce: Option<String>,
    attempts: u32,
}

/// A response.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) content: Vec<u8>,
}

impl Exchange {
    pub(super) const fn new(draft: Draft, token: BoundToken, nonce: Option<String>) -> Self {
        Self { draft, token, nonce, attempts: 0 }
    }

    /// Returns how often the request was sent.
    pub(super) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns the header lines that prove possession.
    pub(super) fn proving_lines(&self) -> Result<Vec<(String, String)>, Failure> {
        let headers = self.draft.signed(&self.token, self.nonce.as_deref())?;
        let mut lines = Vec::new();
        for name in PROVING {
            for value in headers.get_all(name) {
                let value = value.to_str().map_err(|error| Failure::failed(error.to_string()))?;
                lines.push((name.to_owned(), value.to_owned()));
            }
        }
        Ok(lines)
    }

    /// Sends the request.
    pub(super) async fn send(&mut self, http: &HttpClient, show: Show) -> Result<Answer, Failure> {
        loop {
            let headers = self.draft.signed(&self.token, self.nonce.as_deref())?;
            show.request(&self.draft, &headers);
            let answer = self.once(http, headers).await?;
            show.response(&answer);
            let asks = asks_for_nonce(self.token.binding, answer.status, &answer.headers);
            let nonce = nonce_of(self.token.binding, &self.draft.url, &answer.headers);
            if self.attempts > 1 || !asks || nonce.is_none() {
                return Ok(answer);
            }
            self.nonce = nonce;
            show.note("the server wants a nonce: the request is sent again with it");
        }
    }

    async fn once(&mut self, http: &HttpClient, headers: HeaderMap) -> Result<Answer, Failure> {
        self.attempts += 1;
        let mut request = http.client.request(self.draft.method.clone(), self.draft.url.clone()).headers(headers);
        if let Some(content) = &self.draft.content {
            request = request.body(content.clone());
        }
        let failed = |error: pop_client::reqwest::Error| Failure::failed(with_causes(&error.without_url()));
        let mut response = request.send().await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut content = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            content.extend_from_slice(&chunk);
            if content.len() > MAX_CONTENT {
                return Err(Failure::failed("the response is longer than 64 MiB"));
            }
        }
        Ok(Answer { status, headers, content })
    }
}

impl Answer {
    /// Returns the status and the header, as curl prints them.
    pub(super) fn head_lines(&self) -> Vec<String> {
        let fields = self.headers.iter();
        let fields = fields.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
        std::iter::once(format!("HTTP {}", self.status)).chain(fields).collect()
    }

    pub(super) fn to_json(&self, attempts: u32) -> Value {
        let mut headers: Map<String, Value> = Map::new();
        for (name, value) in &self.headers {
            let lines = headers.entry(name.as_str()).or_insert_with(|| json!([]));
            if let Some(lines) = lines.as_array_mut() {
                lines.push(String::from_utf8_lossy(value.as_bytes()).into());
            }
        }
        let content = String::from_utf8_lossy(&self.content);
        json!({ "status": self.status.as_u16(), "headers": headers, "content": content, "attempts": attempts })
    }
}
