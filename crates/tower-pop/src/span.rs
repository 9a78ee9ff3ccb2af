//! Spans, with the fields that OpenTelemetry exporters understand. They are of level `DEBUG`, with the target `tower_pop::span`.
//!
//! | name | what | fields |
//! |---|---|---|
//! | `pop.verify` | the verification of one request | `otel.kind`, `otel.status_code`, `error.type`, `pop.outcome`, `pop.proof` |
//! | `pop.fetch_keys` | discovery, and the keys of an issuer | `otel.kind`, `pop.issuer`, `error.type` |
//! | `pop.introspect` | one introspection, with the time that it waits for its turn | `otel.kind`, `pop.issuer`, `error.type` |
//! | `pop.http` | one HTTP request to an issuer | `otel.kind`, `http.request.method`, `server.address`, `server.port`, `url.full`, `http.response.status_code`, `error.type` |
//! | `pop.replay_store` | one question to a shared replay store | `otel.kind`, `db.system.name`, `db.operation.name`, `error.type` |
//!
//! They never contain a token, a proof, a key or the value of a claim. Without a subscriber that wants them they cost nothing.

use tracing::{Span, field};

/// The verification of one request.
pub(crate) fn verify() -> Span {
    tracing::debug_span!(
        "pop.verify",
        otel.kind = "internal",
        otel.status_code = field::Empty,
        error.type = field::Empty,
        pop.outcome = field::Empty,
        pop.proof = field::Empty,
    )
}

/// A fetch of keys that a request waits for.
pub(crate) fn fetch_keys(issuer: &str) -> Span {
    tracing::debug_span!("pop.fetch_keys", otel.kind = "internal", pop.issuer = issuer, error.type = field::Empty)
}

/// A fetch of keys that no request waits for: a trace of its own, which names the request that caused it.
pub(crate) fn fetch_keys_in_background(issuer: &str) -> Span {
    let span = tracing::debug_span!(
        parent: None,
        "pop.fetch_keys",
        otel.kind = "internal",
        pop.issuer = issuer,
        error.type = field::Empty,
    );
    span.follows_from(Span::current());
    span
}

/// The introspection of one token.
pub(crate) fn introspect(issuer: &str) -> Span {
    tracing::debug_span!("pop.introspect", otel.kind = "internal", pop.issuer = issuer, error.type = field::Empty)
}

/// An HTTP request. `url` has no query.
pub(crate) fn http(method: &'static str, url: &str) -> Span {
    let span = tracing::debug_span!(
        "pop.http",
        otel.kind = "client",
        http.request.method = method,
        server.address = field::Empty,
        server.port = field::Empty,
        url.full = field::Empty,
        http.response.status_code = field::Empty,
        error.type = field::Empty,
    );
    if !span.is_disabled()
        && let Ok(uri) = url.parse::<http::Uri>()
        && let Some(authority) = uri.authority()
    {
        let default_port = if uri.scheme_str() == Some("http") { 80 } else { 443 };
        span.record("server.address", authority.host());
        span.record("server.port", authority.port_u16().unwrap_or(default_port));
        // It could have a password.
        if !authority.as_str().contains('@') {
            span.record("url.full", url);
        }
    }
    span
}

/// A question to a replay store in Redis or Valkey.
#[cfg(feature = "redis")]
pub(crate) fn replay_store() -> Span {
    tracing::debug_span!(
        "pop.replay_store",
        otel.kind = "client",
        db.system.name = "redis",
        db.operation.name = "SET",
        error.type = field::Empty,
    )
}

/// Records that the operation of a span failed.
pub(crate) fn failed(span: &Span, error: &str) {
    span.record("error.type", error);
}
