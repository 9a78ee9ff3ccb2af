//! Spans: what exporters for OpenTelemetry get, and that it has no secrets.
//!
//! A separate program, because it sets the subscriber of the whole process.
#![allow(clippy::unwrap_used)]

#[path = "../benches/support/mod.rs"]
mod bench;
#[path = "suite/support.rs"]
#[allow(dead_code)]
mod support;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::trace::{SpanId, SpanKind, Status, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use pop_authserver::{Algorithm, TestAuthServer};
use pop_core::content::content_digest;
use tower::{Layer as _, ServiceExt, service_fn};
use tower_pop::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch};
use tower_pop::replay::{RedisReplayStore, ReplayAnswer, ReplayEntry, ReplayError, ReplayStore};
use tower_pop::{Introspection, IssuerConfig, Mode, PopLayer};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use bench::signed::{Kind, Signed};
use support::{Api, ISSUER, NOW, api_for, api_with, request};

/// A span, as an exporter would send it.
#[derive(Clone, Debug, Default)]
struct Seen {
    name: &'static str,
    target: String,
    parent: Option<&'static str>,
    follows: Vec<&'static str>,
    fields: BTreeMap<String, String>,
    ended: bool,
}

/// Keeps all spans of this library.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<(u64, Seen)>>>);

struct Fields<'f>(&'f mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl Spans {
    fn change(&self, id: &Id, change: impl FnOnce(&mut Seen)) {
        let mut spans = self.0.lock().unwrap();
        let found = spans.iter_mut().rev().find(|(known, _)| *known == id.into_u64());
        if let Some((_, seen)) = found {
            change(seen);
        }
    }

    /// All spans since the last call. Each has ended.
    #[track_caller]
    fn take(&self) -> Vec<Seen> {
        let spans = std::mem::take(&mut *self.0.lock().unwrap());
        assert!(spans.iter().all(|(_, seen)| seen.ended), "{spans:?}");
        spans.into_iter().map(|(_, seen)| seen).collect()
    }

    /// The only span since the last call, as its name and its fields.
    #[track_caller]
    fn only(&self) -> Seen {
        let mut spans = self.take();
        assert_eq!(spans.len(), 1, "{spans:?}");
        spans.remove(0)
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        if !metadata.target().starts_with("tower_pop") {
            return;
        }
        assert_eq!(*metadata.level(), Level::DEBUG);
        let span = context.span(id).unwrap();
        let parent = span.parent().map(|parent| parent.name());
        let mut seen = Seen { name: metadata.name(), target: metadata.target().to_owned(), parent, ..Seen::default() };
        attributes.record(&mut Fields(&mut seen.fields));
        self.0.lock().unwrap().push((id.into_u64(), seen));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        self.change(id, |seen| values.record(&mut Fields(&mut seen.fields)));
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, context: Context<'_, S>) {
        let name = context.span(follows).unwrap().name();
        self.change(id, |seen| seen.follows.push(name));
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.change(&id, |seen| seen.ended = true);
    }
}

impl Seen {
    /// Checks the name, the parent, and all fields.
    #[track_caller]
    fn is(&self, name: &str, parent: Option<&str>, fields: &[(&str, &str)]) {
        assert_eq!((self.name, self.parent, &*self.target), (name, parent, "tower_pop::span"), "{self:?}");
        let fields: BTreeMap<String, String> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(self.fields, fields, "{name}");
    }
}

const INTERNAL: (&str, &str) = ("otel.kind", "internal");
const CLIENT: (&str, &str) = ("otel.kind", "client");
const ADMITTED: [(&str, &str); 3] = [INTERNAL, ("pop.outcome", "admitted"), ("pop.proof", "dpop")];

fn rejected(code: &str) -> [(&str, &str); 3] {
    [INTERNAL, ("pop.outcome", "rejected"), ("error.type", code)]
}

/// X-68: one span for each verification, with the outcome, whether or not it had to wait.
#[tokio::test]
async fn every_verification_is_a_span_without_secrets() {
    let spans = Spans::default();
    let exported = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exported.clone()).build();
    let export = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(spans.clone()).with(export)).unwrap();
    let mut all = Vec::new();
    let mut secrets = verdicts(&spans, &mut all).await;
    secrets.extend(stores(&spans, &mut all).await);
    secrets.extend(keys(&spans, &mut all).await);
    secrets.extend(introspection(&spans, &mut all).await);
    content(&spans, &mut all);
    tokio::task::spawn_blocking({
        let spans = spans.clone();
        move || stopped(&spans)
    })
    .await
    .unwrap();
    understood(&exported.get_finished_spans().unwrap());
    let text = format!("{all:?}{:?}", exported.get_finished_spans());
    assert!(all.len() > 20 && !text.contains("s3cret"), "{text}");
    for secret in &secrets {
        assert!(secret.split('.').all(|part| !text.contains(part)), "{text}");
    }
}

async fn verdicts(spans: &Spans, all: &mut Vec<Seen>) -> Vec<String> {
    let api = api_with(|builder| builder);
    let token = api.token().subject("s3cret-subject").mint();
    let proof = api.proof(&token).mint();
    api.with(&token, &proof).await;
    let seen = spans.only();
    seen.is("pop.verify", None, &ADMITTED);
    all.push(seen);
    for (row, bad, code) in [
        ("a replay", proof.clone(), "replay.replayed"),
        ("another method", api.proof(&token).method("s3cret").mint(), "proof.htm_mismatch"),
        ("no proof", "s3cret".to_owned(), "proof.not_compact"),
    ] {
        api.with(&token, &bad).await;
        let seen = spans.only();
        assert_eq!(seen.fields["error.type"], code, "{row}");
        seen.is("pop.verify", None, &rejected(code));
        all.push(seen);
    }
    api.send(http::Request::get("/notes?s3cret").body(()).unwrap()).await;
    spans.only().is("pop.verify", None, &rejected("credential.missing"));
    let report = api_with(|builder| builder.mode(Mode::ReportOnly));
    report.with_proof(|proof| proof.method("s3cret")).await;
    let unproven = [INTERNAL, ("pop.outcome", "unproven"), ("error.type", "proof.htm_mismatch")];
    spans.only().is("pop.verify", None, &unproven);
    // A second layer of the same configuration, and the span of an application around both.
    let inner = PopLayer::new(api.cfg.clone()).layer(service_fn(async |_: http::Request<()>| {
        Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    }));
    let nested = PopLayer::new(api.cfg.clone()).layer(inner);
    let around = tracing::info_span!("around");
    let proof = api.proof(&token).mint();
    let sent = around.in_scope(|| nested.oneshot(request(&token, &proof)));
    assert_eq!(tracing::Instrument::instrument(sent, around).await.unwrap().status(), 200);
    let seen = spans.take();
    assert_eq!(seen.len(), 2, "{seen:?}");
    seen[0].is("pop.verify", Some("around"), &ADMITTED);
    seen[1].is("pop.verify", Some("around"), &[INTERNAL, ("pop.outcome", "reused")]);
    vec![token, proof]
}

/// A store that is out of reach.
struct Gone;

impl ReplayStore for Gone {
    fn insert(&self, _: ReplayEntry) -> ReplayAnswer {
        ReplayAnswer::Later(Box::pin(async {
            tokio::task::yield_now().await;
            Err(ReplayError::Unavailable)
        }))
    }
}

async fn stores(spans: &Spans, all: &mut Vec<Seen>) -> Vec<String> {
    let slow = api_with(|builder| builder.replay_store(support::Slow::default()));
    slow.with_token(&slow.token().mint()).await;
    spans.only().is("pop.verify", None, &ADMITTED);
    let failed = [&rejected("replay.unavailable")[..], &[("otel.status_code", "ERROR")]].concat();
    let gone = api_with(|builder| builder.replay_store(Gone));
    gone.with_token(&gone.token().mint()).await;
    spans.only().is("pop.verify", None, &failed);
    let redis = RedisReplayStore::builder("redis://s3cret:s3cret@127.0.0.1:1").timeout(Duration::from_millis(50));
    let redis = api_with(|builder| builder.replay_store(redis.build().unwrap()));
    let token = redis.token().mint();
    redis.with_token(&token).await;
    let seen = spans.take();
    assert_eq!(seen.len(), 2, "{seen:?}");
    seen[0].is("pop.verify", None, &failed);
    let operation = [("db.system.name", "redis"), ("db.operation.name", "SET"), ("error.type", "replay.unavailable")];
    seen[1].is("pop.replay_store", Some("pop.verify"), &[&[CLIENT][..], &operation].concat());
    all.extend(seen);
    vec![token]
}

/// An authorization server with one document for all URLs, or an error, or no response.
#[derive(Clone)]
struct Server(Arc<Mutex<Option<Result<String, FetchError>>>>);

impl Server {
    fn says(document: impl Into<String>) -> Self {
        Self(Arc::new(Mutex::new(Some(Ok(document.into())))))
    }

    fn now(&self, document: Result<String, FetchError>) {
        *self.0.lock().unwrap() = Some(document);
    }

    fn hangs(&self) {
        *self.0.lock().unwrap() = None;
    }
}

impl HttpFetch for Server {
    fn fetch(&self, _: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        let document = self.0.lock().unwrap().clone();
        Box::pin(async move {
            let Some(document) = document else { return std::future::pending().await };
            let response = document.map(|text| FetchResponse::new(text).content_type("application/json"));
            tokio::task::yield_now().await;
            response
        })
    }
}

const HTTP: [(&str, &str); 4] =
    [CLIENT, ("http.request.method", "GET"), ("server.address", "as.example"), ("server.port", "443")];

async fn keys(spans: &Spans, all: &mut Vec<Seen>) -> Vec<String> {
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    let fetcher = Server::says(server.jwks_json());
    let issuer = IssuerConfig::new(ISSUER).jwks_uri("https://as.example/jwks?s3cret");
    let api = api_for(server, issuer, |builder| builder.http_fetch(fetcher.clone()));
    let token = api.token().expires_in(7200).mint();
    let fetch = [INTERNAL, ("pop.issuer", ISSUER)];
    let url = ("url.full", "https://as.example/jwks");
    api.with_token(&token).await;
    let seen = spans.take();
    assert_eq!(seen.len(), 3, "{seen:?}");
    seen[0].is("pop.verify", None, &ADMITTED);
    seen[1].is("pop.fetch_keys", Some("pop.verify"), &fetch);
    let answered = [&HTTP[..], &[url, ("http.response.status_code", "200")]].concat();
    seen[2].is("pop.http", Some("pop.fetch_keys"), &answered);
    all.extend(seen);
    // A refresh that no request waits for does not prolong the span of the request that causes it.
    api.clock.advance(400);
    fetcher.now(Err(FetchError::Status(500)));
    api.with_token(&token).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let seen = spans.take();
    assert_eq!(seen.len(), 3, "{seen:?}");
    seen[0].is("pop.verify", None, &ADMITTED);
    seen[1].is("pop.fetch_keys", None, &[&fetch[..], &[("error.type", "status")]].concat());
    assert_eq!(seen[1].follows, ["pop.verify"]);
    let failed = [&HTTP[..], &[url, ("http.response.status_code", "500"), ("error.type", "500")]].concat();
    seen[2].is("pop.http", Some("pop.fetch_keys"), &failed);
    all.extend(seen);
    vec![token]
}

fn introspecting(fetcher: &Server) -> Api {
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    let introspection = Introspection::at("https://as.example:8443/introspect")
        .client_secret_basic("api", "s3cret-secret")
        .http_fetch(fetcher.clone());
    let issuer = support::issuer(&server).introspection(introspection);
    api_for(server, issuer, |builder| builder)
}

async fn introspection(spans: &Spans, all: &mut Vec<Seen>) -> Vec<String> {
    let fetcher = Server::says(r#"{"active":false,"sub":"s3cret-subject"}"#);
    let api = introspecting(&fetcher);
    let asked = [INTERNAL, ("pop.issuer", ISSUER)];
    let http = [
        CLIENT,
        ("http.request.method", "POST"),
        ("server.address", "as.example"),
        ("server.port", "8443"),
        ("url.full", "https://as.example:8443/introspect"),
    ];
    let down = "unavailable.introspection";
    let ok = ("http.response.status_code", "200");
    for (reply, code, end) in [
        (None, "token.inactive", &[ok][..]),
        (Some(FetchError::Timeout), down, &[("error.type", "timeout")]),
        (Some(FetchError::ClientRejected(401)), down, &[("http.response.status_code", "401"), ("error.type", "401")]),
    ] {
        if let Some(error) = reply {
            fetcher.now(Err(error));
        }
        api.with_token(&format!("s3cret-{code}-{}", end.len())).await;
        let seen = spans.take();
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert_eq!(seen[0].fields["error.type"], code);
        assert_eq!(seen[0].fields.contains_key("otel.status_code"), code == down, "only failures of the server");
        seen[1].is("pop.introspect", Some("pop.verify"), &[&asked[..], &[("error.type", code)]].concat());
        seen[2].is("pop.http", Some("pop.introspect"), &[&http[..], end].concat());
        all.extend(seen);
    }
    Vec::new()
}

/// OpenTelemetry has kinds, parents and errors of its own. It gets them from the fields.
fn understood(spans: &[SpanData]) {
    let text = |span: &SpanData, key: &str| {
        let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == key);
        found.map(|attribute| attribute.value.to_string()).unwrap_or_default()
    };
    let named = |name: &'static str| spans.iter().filter(move |span| span.name == name);
    for (name, kind, parent) in [
        ("pop.verify", SpanKind::Internal, None),
        ("pop.fetch_keys", SpanKind::Internal, Some("pop.verify")),
        ("pop.introspect", SpanKind::Internal, Some("pop.verify")),
        ("pop.http", SpanKind::Client, Some("pop.introspect")),
        ("pop.replay_store", SpanKind::Client, Some("pop.verify")),
    ] {
        assert!(named(name).all(|span| span.span_kind == kind) && named(name).next().is_some(), "{name}");
        let is_child = |span: &SpanData| match parent {
            Some(parent) => named(parent).any(|parent| parent.span_context.span_id() == span.parent_span_id),
            None => span.parent_span_id == SpanId::INVALID,
        };
        assert!(named(name).any(is_child), "{name}");
    }
    let is_error = |span: &SpanData| matches!(span.status, Status::Error { .. });
    let mut failures = named("pop.verify").filter(|span| is_error(span));
    assert!(
        failures.all(|span| ["replay.unavailable", "unavailable.introspection"].contains(&&*text(span, "error.type")))
    );
    assert!(named("pop.verify").any(is_error) && named("pop.verify").any(|span| !is_error(span)));
    let statuses: Vec<String> = named("pop.http").map(|span| text(span, "http.response.status_code")).collect();
    assert!(["200", "401", "500"].iter().all(|status| statuses.iter().any(|found| found == status)), "{statuses:?}");
}

/// The program stops before the response.
fn stopped(spans: &Spans) {
    let fetcher = Server::says("");
    let api = introspecting(&fetcher);
    fetcher.hangs();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pending = tokio::time::timeout(Duration::from_millis(50), api.with_token("opaque")).await;
        assert!(pending.is_err(), "there is no response");
    });
    drop(runtime);
    let seen = spans.take();
    let http = seen.iter().find(|seen| seen.name == "pop.http").unwrap();
    assert_eq!(http.fields["error.type"], "cancelled");
}

/// The span of a request whose content decides ends with the verdict.
fn content(spans: &Spans, all: &mut Vec<Seen>) {
    let signed = Signed::new(Kind::HttpSig(Algorithm::Ed25519));
    let token = signed.token();
    for (content, outcome, end) in [
        ("hello", "admitted", ("pop.proof", "httpsig")),
        ("s3cret", "rejected", ("error.type", "content.digest_mismatch")),
    ] {
        let digest = content_digest(b"hello");
        let body = http_body_util::Full::new(bytes::Bytes::from(content));
        signed.send(signed.request_with(&token, &digest, body));
        let seen = spans.only();
        seen.is("pop.verify", None, &[INTERNAL, ("pop.outcome", outcome), end]);
        all.push(seen);
    }
}
