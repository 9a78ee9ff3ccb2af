//! The store behind a layer.

use std::convert::Infallible;

use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode};
use pop_authserver::{Algorithm, DpopKey, TestAuthServer, proof};
use tower::{Layer, ServiceExt, service_fn};
use tower_pop::{Error, IssuerConfig, PopConfig, PopConfigBuilder, PopLayer};

use crate::store;
use cluster::servers::Redis;

const URL: &str = "https://api.example/notes";

pub(crate) struct Replicas {
    server: TestAuthServer,
    key: DpopKey,
    configurations: Vec<PopConfig>,
}

impl Replicas {
    fn of(redis: &Redis, number: usize) -> Self {
        Self::with(number, |builder| builder.replay_store(store(&redis.url())))
    }

    pub(crate) fn with(number: usize, configure: impl Fn(PopConfigBuilder) -> PopConfigBuilder) -> Self {
        let server = TestAuthServer::offline("https://as.example");
        let configuration = |_| {
            let issuer = IssuerConfig::new(server.issuer()).static_jwks(server.jwks_json());
            configure(PopConfig::builder(issuer, "https://api.example")).build().unwrap()
        };
        let configurations = (0..number).map(configuration).collect();
        Self { server, key: DpopKey::generate(Algorithm::ES256).unwrap(), configurations }
    }

    pub(crate) fn request(&self) -> Request<()> {
        let token = self.server.token().audience("https://api.example").bound_to(&self.key).mint();
        let proof = proof(&self.key).url(URL).for_token(&token).mint();
        let request = Request::builder().uri(URL).header("authorization", format!("DPoP {token}"));
        request.header("dpop", proof).body(()).unwrap()
    }

    pub(crate) async fn send(&self, replica: usize, request: &Request<()>) -> Response<String> {
        let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(String::new())) });
        let layer = PopLayer::new(self.configurations[replica].clone());
        layer.layer(inner).oneshot(request.clone()).await.unwrap()
    }
}

/// REPLAY-10, ERR-13, X-37, X-69: one accepted request of all replicas, and 503 while the server is gone.
#[tokio::test]
async fn a_replay_is_rejected_at_every_replica_and_an_outage_is_no_way_in() {
    let Some(mut redis) = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]).await else { return };
    let replicas = Replicas::of(&redis, 3);
    let request = replicas.request();
    let code = |response: &Response<String>| response.extensions().get::<Error>().map(Error::code);
    assert_eq!(replicas.send(0, &request).await.status(), StatusCode::OK);
    for replica in 0..3 {
        let response = replicas.send(replica, &request).await;
        assert_eq!(
            (response.status(), code(&response)),
            (StatusCode::UNAUTHORIZED, Some("replay.replayed")),
            "{replica}"
        );
    }
    assert!(replicas.configurations[1].warm_up().await.is_ready());
    redis.kill();
    let missing = replicas.configurations[1].warm_up().await.to_string();
    assert!(missing.starts_with("missing: replay store: the server cannot be used: "), "{missing}");
    let response = replicas.send(1, &replicas.request()).await;
    assert_eq!((response.status(), code(&response)), (StatusCode::SERVICE_UNAVAILABLE, Some("replay.unavailable")));
    assert!(response.headers().contains_key(RETRY_AFTER) && !response.headers().contains_key("www-authenticate"));
    redis.restart().await;
    let start = std::time::Instant::now();
    while replicas.send(1, &replicas.request()).await.status() != StatusCode::OK {
        assert!(start.elapsed() < crate::SOON);
    }
    assert_eq!(replicas.send(2, &request).await.status(), StatusCode::UNAUTHORIZED);
}
