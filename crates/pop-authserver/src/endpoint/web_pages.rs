//! What pages of other sites must not do in a browser on this machine. The server approves every request, so a page that
//! reaches it gets tokens.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, StatusCode};
use pop_core::target::Origin;

use crate::server::AuthServer;

const OTHER_HOST: &str = "this development server answers for loopback and for the host of its issuer only\n";

/// Rejects requests whose host is neither loopback nor that of the issuer: a site whose name resolves to loopback (DNS
/// rebinding) is the server's own origin for the browser. A request that names no host comes from no browser.
pub(super) async fn reject_other_hosts(State(server): State<AuthServer>, request: Request, next: Next) -> Response {
    let answers = |host: &HeaderValue| host.to_str().is_ok_and(|host| server.answers_for(host));
    let of_uri = request.uri().authority().is_none_or(|authority| server.answers_for(authority.as_str()));
    if of_uri && request.headers().get_all(HOST).iter().all(answers) {
        return next.run(request).await;
    }
    (StatusCode::MISDIRECTED_REQUEST, OTHER_HOST).into_response()
}

impl AuthServer {
    fn answers_for(&self, host: &str) -> bool {
        let own = self.inner.origin.authority();
        Origin::parse(&format!("http://{host}")).is_ok_and(|origin| origin.is_loopback() || origin.authority() == own)
            || Origin::parse(&format!("https://{host}")).is_ok_and(|origin| origin.authority() == own)
    }

    /// Returns whether a request comes from a page that may use the server: from none, or from an allowed origin. Browsers
    /// name the origin in every POST request to another one.
    pub(super) fn allows_page(&self, headers: &HeaderMap) -> bool {
        let allowed = &self.inner.cors_origins;
        headers.get_all(ORIGIN).iter().all(|origin| origin == self.inner.origin.as_str() || allowed.contains(origin))
    }
}
