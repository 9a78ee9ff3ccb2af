//! A request, its repetition with a nonce, and the response.

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::show::Show;
use crate::failure::{Failure, with_causes};
use crate::http_client::HttpClient;
use crate::signed::{Draft, PROVING, Prover};

/// The maximum length of a response, in bytes.
const MAX_CONTENT: usize = 64 << 20;

/// A request that is sent once, or twice if the server wants a nonce (RFC 9449 §9).
pub(super) struct Exchange {
    draft: Draft,
    prover: Prover,
    attempts: u32,
}

/// A response.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) content: Vec<u8>,
}

impl Exchange {
    pub(super) const fn new(draft: Draft, prover: Prover) -> Self {
        Self { draft, prover, attempts: 0 }
    }

    /// Returns how often the request was sent.
    pub(super) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns the header lines that prove possession.
    pub(super) fn proving_lines(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut headers = self.draft.headers.clone();
        self.prover.request(&self.draft)?.sign(&mut headers)?;
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
        let Self { draft, prover, attempts } = self;
        let mut request = prover.request(draft)?;
        loop {
            let mut headers = draft.headers.clone();
            request.sign(&mut headers)?;
            show.request(draft, &headers);
            *attempts += 1;
            let answer = once(draft, http, headers).await?;
            show.response(&answer);
            if !request.repeats(answer.status, &answer.headers) {
                return Ok(answer);
            }
            show.note("the server wants a nonce: the request is sent again with it");
        }
    }
}

async fn once(draft: &Draft, http: &HttpClient, headers: HeaderMap) -> Result<Answer, Failure> {
    let mut request = http.client.request(draft.method.clone(), draft.url.clone()).headers(headers);
    if let Some(content) = &draft.content {
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
