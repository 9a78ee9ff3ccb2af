//! The four modes, and nested layers.

use http::Request;
use tower::{Layer, ServiceExt, service_fn};
use tower_pop::{Mode, PopLayer, ProofKind, VerifiedToken};

use crate::support::{Api, Expected, NOW, api_with, request};

const MODES: [Mode; 4] = [Mode::Required, Mode::Optional, Mode::AllowBearer, Mode::ReportOnly];

fn in_mode(mode: Mode) -> Api {
    api_with(|builder| builder.mode(mode))
}

fn bearer(token: &str) -> Request<()> {
    Request::get("/notes").header("authorization", format!("Bearer {token}")).body(()).unwrap()
}

#[tokio::test]
async fn passes_requests_without_credentials_in_mode_optional_only() {
    for mode in MODES {
        let answer = in_mode(mode).send(Request::get("/notes").body(()).unwrap()).await;
        if mode == Mode::Optional {
            assert_eq!((answer.status.as_u16(), answer.calls), (200, 1), "anonymous");
            assert!(answer.token.is_none());
        } else {
            answer.is(Expected::NoCredentials, &format!("{mode:?}"));
        }
    }
}

/// DPOP-39, CNF-12: it is never labelled as proven. Where Bearer is not enabled, the challenge is for DPoP.
#[tokio::test]
async fn accepts_an_unbound_bearer_token_only_in_modes_that_allow_it() {
    for mode in MODES {
        let api = in_mode(mode);
        let token = api.token().without("cnf").mint();
        let answer = api.send(bearer(&token)).await;
        if mode.accepts_bearer() {
            let token = answer.is(Expected::Ok, &format!("{mode:?}")).token.unwrap();
            assert_eq!(token.proof().kind(), ProofKind::None, "never labelled as proven");
        } else {
            answer.is(Expected::Token, &format!("{mode:?} DPOP-39 CNF-12"));
        }
    }
}

/// DPOP-30, X-29: with and without a proof beside it. Mode `ReportOnly` is the one exception.
#[tokio::test]
async fn rejects_a_bound_token_under_bearer() {
    for mode in MODES {
        let api = in_mode(mode);
        let token = api.token().mint();
        let mut with_proof = bearer(&token);
        with_proof.headers_mut().insert("dpop", api.proof(&token).mint().parse().unwrap());
        for request in [bearer(&token), with_proof] {
            let answer = api.send(request).await;
            if mode == Mode::ReportOnly {
                let token = answer.is(Expected::Ok, "the documented exception").token.unwrap();
                assert_eq!(token.proof().kind(), ProofKind::Unproven);
            } else {
                answer.is(Expected::Token, &format!("{mode:?} DPOP-30 X-29"));
            }
        }
    }
}

/// CNF-18, X-72: mode `ReportOnly` passes it as unproven and does not use up its `jti`.
#[tokio::test]
async fn rejects_a_bound_token_when_its_proof_or_binding_fails() {
    for mode in MODES {
        let api = in_mode(mode);
        let token = api.token().mint();
        let good = api.proof(&token).jti("kept").mint();
        let thief = pop_authserver::DpopKey::generate(pop_authserver::Algorithm::ES256).unwrap();
        let stolen = pop_authserver::proof(&thief).url(crate::support::URL).for_token(&token).issued_at(NOW).mint();
        for (proof, expected) in [
            (api.proof(&token).jti("kept").method("PUT").mint(), Expected::Proof),
            (api.proof(&token).jti("kept").tampered_signature().mint(), Expected::Proof),
            ("garbage".to_owned(), Expected::Proof),
            (stolen, Expected::Token),
        ] {
            let answer = api.with(&token, &proof).await;
            if mode == Mode::ReportOnly {
                let token = answer.is(Expected::Ok, "reported").token.unwrap();
                assert_eq!((token.proof().kind(), token.proof().jti()), (ProofKind::Unproven, None));
            } else {
                answer.is(expected, &format!("{mode:?} CNF-18 X-72"));
            }
        }
        let token = api.with(&token, &good).await.is(Expected::Ok, "the jti is untouched").token.unwrap();
        assert_eq!((token.proof().kind(), token.proof().jti()), (ProofKind::Dpop, Some("kept")));
        let answer = api.with(&token_text(&api), &good).await;
        assert_eq!(answer.status == 200, mode == Mode::ReportOnly, "a replay is a proof that fails");
    }
}

fn token_text(api: &Api) -> String {
    api.token().mint()
}

#[tokio::test]
async fn rejects_a_bad_token_in_every_mode() {
    for mode in MODES {
        let api = in_mode(mode);
        for token in [
            api.token().expires_in(-3600).mint(),
            api.token().tampered_signature().mint(),
            api.token().claim("cnf", serde_json::json!({})).mint(),
            api.token().claim("cnf", serde_json::json!({ "kid": "x" })).mint(),
        ] {
            api.with_token(&token).await.is(Expected::Token, &format!("{mode:?}"));
            api.send(bearer(&token)).await.is(Expected::Token, &format!("{mode:?}"));
        }
    }
}

/// DPOP-32, DPOP-29, D-08: under `Bearer` the proof proves nothing; under `DPoP` the unbound token is rejected.
#[tokio::test]
async fn ignores_a_proof_beside_an_unbound_bearer_token() {
    let api = in_mode(Mode::AllowBearer);
    let token = api.token().without("cnf").mint();
    let mut request = bearer(&token);
    request.headers_mut().insert("dpop", api.proof(&token).mint().parse().unwrap());
    let token = api.send(request).await.is(Expected::Ok, "DPOP-32 D-08").token.unwrap();
    assert_eq!((token.proof().kind(), token.proof().is_proven()), (ProofKind::None, false));
    api.with_token(&api.token().without("cnf").mint()).await.is(Expected::Token, "DPOP-29 X-31 under the DPoP scheme");
}

/// CNF-18, D-18: bad credentials never become an anonymous request.
#[tokio::test]
async fn verifies_presented_credentials_on_optional_routes() {
    let api = in_mode(Mode::Optional);
    let token = api.token().mint();
    api.with(&token, "garbage").await.is(Expected::Proof, "CNF-18");
    api.with("garbage", &api.proof("garbage").mint()).await.is(Expected::Token, "CNF-18");
    api.with(&token, &api.proof(&token).mint()).await.is(Expected::Ok, "CNF-18, the twin");
}

/// The status that comes out of `outer` around `inner` for a request.
async fn nested(api: &Api, outer: Mode, inner: Mode, request: Request<()>) -> (u16, Option<ProofKind>) {
    let service = service_fn(|request: Request<()>| async move {
        let mut response = http::Response::new(String::new());
        if let Some(token) = request.extensions().get::<VerifiedToken>() {
            response.extensions_mut().insert(token.clone());
        }
        Ok::<_, std::convert::Infallible>(response)
    });
    let (outer, inner) = (api.cfg.with_mode(outer).unwrap(), api.cfg.with_mode(inner).unwrap());
    let service = PopLayer::new(outer).layer(PopLayer::new(inner).layer(service));
    let response = service.oneshot(request).await.unwrap();
    let kind = response.extensions().get::<VerifiedToken>().map(|token| token.proof().kind());
    (response.status().as_u16(), kind)
}

#[tokio::test]
async fn nested_layers_use_a_proof_once_and_apply_their_own_modes() {
    let api = in_mode(Mode::Required);
    let proven = || {
        let token = api.token().mint();
        request(&token, &api.proof(&token).mint())
    };
    let unbound = bearer(&api.token().without("cnf").mint());
    let unproven = || bearer(&api.token().mint());
    let nothing = || Request::get("/notes").body(()).unwrap();
    use Mode::{AllowBearer, Optional, ReportOnly, Required};
    for (outer, inner) in [(Required, Required), (Optional, Required), (Required, Optional), (ReportOnly, Required)] {
        assert_eq!(nested(&api, outer, inner, proven()).await, (200, Some(ProofKind::Dpop)), "{outer:?} {inner:?}");
    }
    assert_eq!(nested(&api, Optional, Required, nothing()).await, (401, None));
    assert_eq!(nested(&api, Optional, Optional, nothing()).await, (200, None));
    let clone = |request: &Request<()>| {
        let mut copy = nothing();
        *copy.headers_mut() = request.headers().clone();
        copy
    };
    assert_eq!(nested(&api, AllowBearer, Required, clone(&unbound)).await, (401, None));
    assert_eq!(nested(&api, AllowBearer, AllowBearer, clone(&unbound)).await, (200, Some(ProofKind::None)));
    assert_eq!(nested(&api, ReportOnly, Required, unproven()).await, (401, None));
    assert_eq!(nested(&api, ReportOnly, AllowBearer, unproven()).await, (401, None), "a bound token, unproven");
    assert_eq!(nested(&api, ReportOnly, ReportOnly, unproven()).await, (200, Some(ProofKind::Unproven)));
    // A verdict of another resource does not count.
    let other = in_mode(Required);
    let inner = PopLayer::new(other.cfg.clone());
    let service =
        service_fn(|_: Request<()>| async { Ok::<_, std::convert::Infallible>(http::Response::new(String::new())) });
    let response = PopLayer::new(api.cfg.clone()).layer(inner.layer(service)).oneshot(proven()).await.unwrap();
    assert_eq!(response.status(), 401, "keys of another issuer");
}

/// DPOP-12, DPOP-41, X-47: a copy for another method, path or token is verified anew.
#[tokio::test]
async fn a_verdict_holds_for_one_request_and_copied_extensions_prove_nothing() {
    let api = in_mode(Mode::Required);
    let token = api.token().mint();
    let sent = request(&token, &api.proof(&token).mint());
    let verified = api.send(sent.clone()).await.is(Expected::Ok, "the twin").token.unwrap();
    let other_token = api.token().claim("jti", "another").mint();
    type Change<'c> = &'c dyn Fn(&mut Request<()>);
    let rows: [(&str, Change<'_>, u16); 7] = [
        ("the same request, at an inner layer", &|_| {}, 200),
        ("another query", &|r| *r.uri_mut() = "/notes?page=2".parse().unwrap(), 200),
        ("another method", &|r| *r.method_mut() = http::Method::DELETE, 401),
        ("another path", &|r| *r.uri_mut() = "/accounts".parse().unwrap(), 401),
        ("another token", &|r| *r.headers_mut() = request(&other_token, "x").headers().clone(), 401),
        ("no credentials", &|r| r.headers_mut().clear(), 401),
        ("as Bearer", &|r| *r.headers_mut() = bearer(&token).headers().clone(), 401),
    ];
    for (row, change, status) in rows {
        let mut copy = sent.clone();
        copy.extensions_mut().insert(verified.clone());
        change(&mut copy);
        assert_eq!(api.send(copy).await.status.as_u16(), status, "X-47 {row}");
    }
}

#[tokio::test]
async fn an_anonymous_verdict_removes_the_token_of_an_outer_layer() {
    let (outer, inner) = (in_mode(Mode::Required), in_mode(Mode::Optional));
    let seen = service_fn(|request: Request<()>| async move {
        let token = request.extensions().get::<VerifiedToken>().is_some();
        Ok::<_, std::convert::Infallible>(http::Response::new(token.to_string()))
    });
    let inside = PopLayer::new(inner.cfg.clone()).layer(seen);
    let gateway = service_fn(move |mut request: Request<()>| {
        request.headers_mut().remove("authorization");
        inside.clone().oneshot(request)
    });
    let token = outer.token().mint();
    let proven = request(&token, &outer.proof(&token).mint());
    let response = PopLayer::new(outer.cfg.clone()).layer(gateway).oneshot(proven).await.unwrap();
    assert_eq!(response.body(), "false", "the inner resource sees no token");
}

/// DPOP-36, X-73: OPTIONS with `Origin` and `Access-Control-Request-Method`, without credentials.
#[tokio::test]
async fn passes_true_preflights_only_and_only_when_configured() {
    let preflight = |headers: &[&str]| {
        let mut request = Request::options("/notes").body(()).unwrap();
        for name in headers {
            request.headers_mut().insert(http::HeaderName::try_from(*name).unwrap(), "x".parse().unwrap());
        }
        request
    };
    let full = ["origin", "access-control-request-method"];
    let api = api_with(tower_pop::PopConfigBuilder::pass_cors_preflight);
    assert_eq!(api.send(preflight(&full)).await.status, 200, "DPOP-36");
    for part in [&full[..1], &full[1..], &[]] {
        api.send(preflight(part)).await.is(Expected::NoCredentials, "X-73 not a preflight");
    }
    let mut get = preflight(&full);
    *get.method_mut() = http::Method::GET;
    api.send(get).await.is(Expected::NoCredentials, "X-73 not OPTIONS");
    let mut with_credentials = preflight(&full);
    with_credentials.headers_mut().insert("authorization", "DPoP garbage".parse().unwrap());
    api.send(with_credentials).await.is(Expected::Proof, "CNF-18 presented credentials are verified");
    in_mode(Mode::Required).send(preflight(&full)).await.is(Expected::NoCredentials, "off by default");
}
