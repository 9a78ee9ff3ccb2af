//! The tower contract: readiness, errors, cancellation, any response body; axum and tonic alike.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http::{Request, Response};
use pop_authserver::TestAuthServer;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_pop::{PopConfig, PopLayer, VerifiedToken};

use crate::support::{Api, Expected, Slow, api, api_with, request};

/// Panics when it is called without having been polled ready. A clone was never polled.
#[derive(Debug)]
struct Strict {
    ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: false }
    }
}

impl Service<Request<()>> for Strict {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(self.ready, "called without being ready");
        self.ready = false;
        std::future::ready(Ok(Response::new("inner".to_owned())))
    }
}

fn proven(api: &Api) -> Request<()> {
    let token = api.token().mint();
    request(&token, &api.proof(&token).mint())
}

/// ERR-16: a clone was never polled ready.
#[tokio::test]
async fn calls_the_service_that_was_ready() {
    for api in [api(), api_with(|builder| builder.replay_store(Slow::default()))] {
        let mut service = PopLayer::new(api.cfg.clone()).layer(Strict { ready: false });
        for _ in 0..3 {
            let response = service.ready().await.unwrap().call(proven(&api)).await.unwrap();
            assert_eq!(response.body(), "inner");
        }
    }
}

/// ERR-16: a rejected request gives its place back.
#[tokio::test]
async fn works_behind_and_in_front_of_a_concurrency_limit() {
    for api in [api(), api_with(|builder| builder.replay_store(Slow::default()))] {
        let inner = service_fn(|_: Request<()>| async {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Response::new(String::new()))
        });
        let service = PopLayer::new(api.cfg.clone()).layer(ConcurrencyLimitLayer::new(2).layer(inner));
        let calls = (0..20).map(|_| tokio::spawn(service.clone().oneshot(proven(&api))));
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap().unwrap().status(), 200);
        }
        // A rejected request gives its place back.
        let service = PopLayer::new(api.cfg.clone()).layer(ConcurrencyLimitLayer::new(1).layer(inner));
        for _ in 0..5 {
            let rejected = service.clone().oneshot(request("garbage", "garbage")).await.unwrap();
            assert_eq!(rejected.status(), 401);
        }
        assert_eq!(service.oneshot(proven(&api)).await.unwrap().status(), 200);
    }
}

/// ERR-16: a rejection is a response and never an error.
#[tokio::test]
async fn errors_and_readiness_of_the_inner_service_pass_through() {
    #[derive(Debug, PartialEq)]
    struct Broken;
    let api = api();
    let failing = service_fn(|_: Request<()>| async { Err::<Response<String>, _>(Broken) });
    let service = PopLayer::new(api.cfg.clone()).layer(failing);
    assert_eq!(service.clone().oneshot(proven(&api)).await.unwrap_err(), Broken);
    assert_eq!(
        service.oneshot(request("garbage", "garbage")).await.unwrap().status(),
        401,
        "a rejection is a response"
    );
}

/// ERR-16: any type of body passes.
#[tokio::test]
async fn passes_request_bodies_on_untouched() {
    struct Untouchable(Arc<AtomicUsize>);
    impl Drop for Untouchable {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let api = api();
    let drops = Arc::new(AtomicUsize::new(0));
    let inner = service_fn(|request: Request<Untouchable>| async move {
        let seen = request.extensions().get::<VerifiedToken>().is_some();
        assert_eq!(request.body().0.load(Ordering::SeqCst), 0, "passed on unchanged");
        Ok::<_, Infallible>(Response::new(seen))
    });
    let service = PopLayer::new(api.cfg.clone()).layer(inner);
    let request = proven(&api).map(|()| Untouchable(Arc::clone(&drops)));
    assert!(service.oneshot(request).await.unwrap().into_body());
}

#[tokio::test]
async fn a_proof_stays_used_when_its_request_is_dropped() {
    let api = api_with(|builder| builder.replay_store(Slow::default()));
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(String::new())) });
    let service = PopLayer::new(api.cfg.clone()).layer(inner);
    let mut pending = Box::pin(service.clone().oneshot(request(&token, &proof)));
    assert!(std::future::poll_fn(|cx| Poll::Ready(pending.as_mut().poll(cx).is_pending())).await);
    drop(pending);
    let answer = service.oneshot(request(&token, &proof)).await.unwrap();
    assert_eq!(answer.status(), 401, "recorded before it was dropped");
}

#[tokio::test]
async fn works_with_any_response_body_that_has_a_default() {
    #[derive(Debug, Default, PartialEq)]
    struct OwnBody(u8);
    let api = api();
    let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(OwnBody(7))) });
    let service = PopLayer::new(api.cfg.clone()).layer(inner);
    assert_eq!(service.clone().oneshot(proven(&api)).await.unwrap().into_body(), OwnBody(7));
    let rejected = service.oneshot(request("garbage", "garbage")).await.unwrap();
    assert_eq!((rejected.status().as_u16(), rejected.into_body()), (401, OwnBody(0)));
}

/// A tonic service behind the layer, called as gRPC calls it: HTTP/2, POST, `/package.Service/Method`.
#[tokio::test]
async fn a_tonic_service_is_protected_like_any_other() {
    use tonic::body::Body as TonicBody;
    #[derive(Clone)]
    struct Greeter;
    impl tonic::server::NamedService for Greeter {
        const NAME: &'static str = "hello.Greeter";
    }
    impl Service<Request<TonicBody>> for Greeter {
        type Response = Response<TonicBody>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Response<TonicBody>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<TonicBody>) -> Self::Future {
            let known =
                request.extensions().get::<VerifiedToken>().and_then(|token| token.subject().map(ToOwned::to_owned));
            let status = tonic::Status::ok(known.unwrap_or_default());
            std::future::ready(Ok(status.into_http()))
        }
    }
    let api = api();
    let routes = tonic::service::Routes::new(Greeter).prepare();
    let service = PopLayer::new(api.cfg.clone()).layer(routes);
    let call = |method: &str| {
        let token = api.token().mint();
        let url = "https://api.example/hello.Greeter/SayHello";
        let proof = api.proof(&token).method(method).url(url).mint();
        let mut request = request(&token, &proof).map(|()| TonicBody::empty());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = "/hello.Greeter/SayHello".parse().unwrap();
        request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        service.clone().oneshot(request)
    };
    let answer = call("POST").await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["grpc-message"]), (200, &"alice".parse().unwrap()));
    let rejected = call("GET").await.unwrap();
    assert_eq!(rejected.status(), 401);
    assert!(rejected.headers()["www-authenticate"].to_str().unwrap().contains("invalid_dpop_proof"));
}

#[tokio::test]
async fn a_config_can_be_shared_as_it_is_or_in_an_arc() {
    let api = api();
    let shared: Arc<PopConfig> = Arc::new(api.cfg.clone());
    let _ = (PopLayer::new(Arc::clone(&shared)), PopLayer::new(api.cfg.clone()));
    api.with_token(&api.token().mint()).await.is(Expected::Ok, "the original still works");
    assert_eq!(TestAuthServer::offline("https://as.example").issuer(), "https://as.example");
}

/// DPOP-37: only header fields carry credentials.
#[tokio::test]
async fn ignores_a_proof_in_trailers() {
    use http_body_util::StreamBody;
    let api = api();
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    let trailers: http::HeaderMap = [("dpop".parse().unwrap(), proof.parse().unwrap())].into_iter().collect();
    let body = || {
        let frame = http_body::Frame::<bytes::Bytes>::trailers(trailers.clone());
        StreamBody::new(futures_util::stream::iter([Ok::<_, Infallible>(frame)]))
    };
    let mut without = request(&token, &proof);
    without.headers_mut().remove("dpop");
    let inner = service_fn(|_: Request<_>| async { Ok::<_, Infallible>(Response::new(String::new())) });
    let service = PopLayer::new(api.cfg.clone()).layer(inner);
    let response = service.clone().oneshot(without.map(|()| body())).await.unwrap();
    assert!(response.headers()["www-authenticate"].to_str().unwrap().contains("invalid_dpop_proof"), "DPOP-37");
    let response = service.oneshot(request(&token, &proof).map(|()| body())).await.unwrap();
    assert_eq!(response.status(), 200, "DPOP-37, the twin: the same proof as a header field");
}
