//! Sends the requests, and judges the responses.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode};
use pop_client::Challenge;

use super::requests::{Attempt, Connection, Requests};
use super::vectors::{Must, Vector, When};
use crate::failure::{Failure, with_causes};
use crate::http_client::HttpClient;

/// What came of one vector.
pub(super) struct Finding {
    pub(super) vector: &'static Vector,
    pub(super) outcome: Outcome,
    pub(super) took: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The server did what it must. It may end a connection that has another certificate, or none.
    Passed(Option<StatusCode>),
    /// The server accepted what it must reject, or the other way round.
    Failed(StatusCode),
    /// The response says neither: a server error, too many requests, or nothing at all.
    Unclear(String),
    /// The request makes no sense here.
    Skipped(&'static str),
}

impl Outcome {
    pub(super) const fn is_good(&self) -> bool {
        matches!(self, Self::Passed(_) | Self::Skipped(_))
    }
}

/// A client for each kind of connection.
pub(super) struct Clients {
    pub(super) own: HttpClient,
    pub(super) anonymous: HttpClient,
    pub(super) thief: HttpClient,
}

/// Whether the server ends a kind of connection before it reads a request.
#[derive(Default)]
struct Ends {
    anonymous: Option<bool>,
    thief: Option<bool>,
}

impl Ends {
    fn of(&mut self, connection: Connection) -> Option<&mut Option<bool>> {
        match connection {
            Connection::Own => None,
            Connection::Anonymous => Some(&mut self.anonymous),
            Connection::Thief => Some(&mut self.thief),
        }
    }
}

/// Why there is no response.
struct NoResponse {
    text: String,
    is_timeout: bool,
}

/// Sends all requests, one after the other.
pub(super) struct Runner {
    clients: Clients,
    requests: Requests,
    corpus: &'static [Vector],
    pause: Duration,
    /// The status of the good request.
    accepted: StatusCode,
    /// Whether the server ends connections without a certificate, and with that of a thief, once it is known.
    ends: Ends,
    /// Whether the server has asked for a nonce. One that offers nonces need not want them (RFC 9449 §8.2).
    wants_nonces: bool,
}

impl Runner {
    /// Sends the good request first: without it, the rejections of the others show nothing.
    pub(super) async fn start(
        clients: Clients,
        requests: Requests,
        corpus: &'static [Vector],
        pause: Duration,
    ) -> Result<Self, Failure> {
        let mut run = Self {
            clients,
            requests,
            corpus,
            pause,
            accepted: StatusCode::OK,
            ends: Ends::default(),
            wants_nonces: false,
        };
        let (status, headers) = run.good().await?;
        run.requests.learn_nonce(&headers);
        run.wants_nonces = asks_for_nonce(status, &headers);
        let (status, headers) = if asks_for_nonce(status, &headers) { run.good().await? } else { (status, headers) };
        if is_rejection(status) || status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            let challenges = Challenge::from_headers(&headers);
            let said = challenges.iter().find_map(|challenge| challenge.error());
            let said = said.map(|error| format!(", {error}")).unwrap_or_default();
            return Err(Failure::failed(format!(
                "the server rejects a good request with status {}{said}: an attack would show nothing; `poplayer call` says more",
                status.as_u16()
            )));
        }
        run.accepted = status;
        Ok(run)
    }

    async fn good(&self) -> Result<(StatusCode, HeaderMap), Failure> {
        let good = self.corpus.first().map(|good| (good.attempts)(&self.requests)).transpose()?.flatten();
        let attempt = good.into_iter().flatten().next();
        let attempt = attempt.ok_or_else(|| Failure::failed("there is no good request"))?;
        self.send(&attempt).await.map_err(|error| Failure::Failed(error.text))
    }

    pub(super) async fn all(&mut self) -> Result<Vec<Finding>, Failure> {
        let mut findings = Vec::with_capacity(self.corpus.len());
        let shows_progress = std::io::stderr().is_terminal();
        for (number, vector) in self.corpus.iter().enumerate() {
            if shows_progress {
                let _ = write!(std::io::stderr(), "\r{}/{} ", number + 1, self.corpus.len());
            }
            let started = Instant::now();
            let outcome = self.one(vector).await?;
            findings.push(Finding { vector, outcome, took: started.elapsed() });
        }
        if shows_progress {
            let _ = write!(std::io::stderr(), "\r          \r");
        }
        Ok(findings)
    }

    async fn one(&mut self, vector: &'static Vector) -> Result<Outcome, Failure> {
        if vector.when == When::Nonces && !self.wants_nonces {
            return Ok(Outcome::Skipped("the server wants no nonce"));
        }
        // A nonce that became too old would be rejected, whatever else is wrong: the request is repeated with a new one.
        for _ in 0..2 {
            let Some(attempts) = (vector.attempts)(&self.requests)? else {
                return Ok(Outcome::Skipped("the token is opaque"));
            };
            let last = attempts.len() - 1;
            let mut renewed = false;
            for (number, attempt) in attempts.iter().enumerate() {
                tokio::time::sleep(self.pause).await;
                let (status, headers) = match self.send(attempt).await {
                    Ok(answer) => answer,
                    Err(error) => return self.without_response(attempt.connection, error).await,
                };
                self.ends.of(attempt.connection).map(|ends| ends.get_or_insert(false));
                self.requests.learn_nonce(&headers);
                if asks_for_nonce(status, &headers) && vector.when != When::Nonces {
                    renewed = true;
                    break;
                }
                if number == last {
                    return Ok(self.judge(vector.must, status));
                }
                if !self.is_accepted(status) {
                    return Ok(Outcome::Unclear(format!("the request before it got status {}", status.as_u16())));
                }
            }
            if !renewed {
                break;
            }
        }
        // It asks for a nonce again. That is a rejection, and no acceptance.
        Ok(match vector.must {
            Must::Reject => Outcome::Passed(Some(StatusCode::UNAUTHORIZED)),
            Must::Accept => Outcome::Failed(StatusCode::UNAUTHORIZED),
        })
    }

    /// Judges that there was no response. The first request of a kind of connection is about the connection: a server may end
    /// it. It must go on with others. The later requests of that kind are then not read at all.
    async fn without_response(&mut self, connection: Connection, error: NoResponse) -> Result<Outcome, Failure> {
        let (known, is_timeout) = (self.ends.of(connection).map(|ends| *ends), error.is_timeout);
        match known {
            Some(None) if !is_timeout && self.good().await.is_ok_and(|(status, _)| self.is_accepted(status)) => {
                self.ends.of(connection).map(|ends| ends.replace(true));
                Ok(Outcome::Passed(None))
            }
            Some(Some(true)) if !is_timeout => Ok(Outcome::Skipped("the connection ended before the request was read")),
            _ => Ok(Outcome::Unclear(error.text)),
        }
    }

    fn is_accepted(&self, status: StatusCode) -> bool {
        status == self.accepted || status.is_success()
    }

    fn judge(&self, must: Must, status: StatusCode) -> Outcome {
        match must {
            _ if status.is_server_error() => Outcome::Unclear(format!("a server error, status {}", status.as_u16())),
            Must::Accept if self.is_accepted(status) => Outcome::Passed(Some(status)),
            Must::Reject if is_rejection(status) => Outcome::Passed(Some(status)),
            Must::Accept if is_rejection(status) => Outcome::Failed(status),
            Must::Reject if self.is_accepted(status) => Outcome::Failed(status),
            _ => Outcome::Unclear(format!("status {} is neither acceptance nor rejection", status.as_u16())),
        }
    }

    async fn send(&self, attempt: &Attempt) -> Result<(StatusCode, HeaderMap), NoResponse> {
        let http = match attempt.connection {
            Connection::Own => &self.clients.own,
            Connection::Anonymous => &self.clients.anonymous,
            Connection::Thief => &self.clients.thief,
        };
        let request = http.client.request(self.requests.method.clone(), attempt.url.clone());
        match request.headers(attempt.headers.clone()).send().await {
            Ok(response) => Ok((response.status(), response.headers().clone())),
            Err(error) => Err(NoResponse { is_timeout: error.is_timeout(), text: with_causes(&error.without_url()) }),
        }
    }
}

const fn is_rejection(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

fn asks_for_nonce(status: StatusCode, headers: &HeaderMap) -> bool {
    let asks = |challenge: &Challenge| challenge.is("DPoP") && challenge.error() == Some("use_dpop_nonce");
    status == StatusCode::UNAUTHORIZED && Challenge::from_headers(headers).iter().any(asks)
}
