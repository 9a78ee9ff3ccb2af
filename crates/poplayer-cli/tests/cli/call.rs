//! `call`: discovery, tokens, proofs and nonces against servers on loopback.

use pop_authserver::{Algorithm, AuthServerBuilder, Client, DpopKey};
use pop_core::jose::encode_standard;
use tower_pop::NoncePolicy;

use crate::api::Api;
use crate::support::{Folder, poplayer, poplayer_with};

fn api() -> Api {
    Api::start(|builder| builder, |builder| builder)
}

#[test]
fn finds_the_authorization_server_and_proves_possession() {
    let api = api();
    let ran = api.call(&[]);
    assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (0, "GET /echo?a=1 - -  by Dpop", ""), "{ran:?}");
    for (binding, kind) in [("httpsig", "HttpSig"), ("pop", "SignedRequest"), ("pop-thumbprint", "SignedRequest")] {
        let ran = api.call(&["--binding", binding, "-d", "x=1", "-d", "y", "-H", "X-Own: z"]);
        let expected = format!("POST /echo?a=1 application/x-www-form-urlencoded z x=1&y by {kind}");
        assert_eq!((ran.status, &ran.out), (0, &expected), "{ran:?}");
    }
}

/// RFC 9449 §8, §9: at both servers, once.
#[test]
fn repeats_a_request_with_the_nonce_of_the_server() {
    let api = Api::start(AuthServerBuilder::require_nonce, |builder| builder.nonce(NoncePolicy::Required));
    for binding in ["dpop", "pop"] {
        let report = api.call(&["--json", "-X", "PUT", "--data-binary", "a\nb", "--binding", binding]).json();
        assert_eq!((&report["status"], &report["attempts"]), (&200.into(), &2.into()), "{binding} {report}");
    }
    let twin = self::api().call(&["--json"]).json();
    assert_eq!((&twin["status"], &twin["attempts"]), (&200.into(), &1.into()), "{twin}");
    let stale = api.call(&["--json", "--nonce", "made-up"]).json();
    assert_eq!((&stale["status"], &stale["attempts"]), (&200.into(), &2.into()), "{stale}");
}

/// CLI-05: a nonce in a DPoP challenge is no nonce of a message signature, which is not sent again for it.
#[test]
fn repeats_only_what_a_nonce_is_for() {
    let api = api();
    let url = api.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fields = [("www-authenticate", "DPoP error=\"use_dpop_nonce\""), ("dpop-nonce", "n")];
        let app = axum::Router::new().fallback(async move || (axum::http::StatusCode::UNAUTHORIZED, fields));
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    });
    let folder = Folder::new("call-nonce");
    let key = folder.path("key.pem");
    assert_eq!(poplayer(&["keygen", "-o", &key]).status, 0);
    for (binding, attempts) in [("dpop", 2), ("httpsig", 1)] {
        let ran = poplayer(&["call", &url, "--token", "a", "--key", &key, "--binding", binding, "--json"]).json();
        assert_eq!((&ran["status"], &ran["attempts"]), (&401.into(), &attempts.into()), "{binding} {ran}");
    }
}

/// Proofs name the API as its configuration does.
#[test]
fn says_how_the_api_calls_itself() {
    let api = api();
    let local = api.url.replace("127.0.0.1", "localhost");
    let ran = poplayer(&["call", &format!("{local}/echo"), "--client-id", "worker"]);
    let expected = format!("error: a challenge of {local} names {}: use that in the URL, or --issuer", api.url);
    assert_eq!((ran.status, ran.err.trim()), (1, &*expected));
}

/// The challenge names the scopes (RFC 6750 §3.1).
#[test]
fn says_which_scopes_to_ask_for() {
    let api = api();
    let scoped = api.url.clone() + "/scoped";
    let call = |more: &[&str]| {
        let arguments = [&["call", &scoped, "--client-id", "worker", "--json"], more].concat();
        poplayer_with(&arguments, "", &[("POPLAYER_CLIENT_SECRET", "hunter2")])
    };
    let ran = call(&[]);
    assert_eq!((&ran.json()["status"], ran.err.trim()), (&403.into(), "hint: ask for the scopes: --scope \"a b\""));
    let ran = call(&["--scope", "a b"]);
    assert_eq!((&ran.json()["status"], ran.err.trim()), (&200.into(), ""));
}

/// CLI-21: what is sent is what the proof names.
#[test]
fn urls_are_read_as_browsers_read_them() {
    let api = api();
    for (path, sent) in [("echo?a=100%|b", "/echo?a=100%|b"), ("a/../echo", "/echo"), ("%65cho/100%|b", "")] {
        let url = format!("{}/{path}", api.url);
        let ran = poplayer_with(
            &["call", &url, "--client-id", "worker", "--json"],
            "",
            &[("POPLAYER_CLIENT_SECRET", "hunter2")],
        );
        let report = ran.json();
        let (status, content) =
            if sent.is_empty() { (404, String::new()) } else { (200, format!("GET {sent} - -  by Dpop")) };
        assert_eq!((&report["status"], &report["content"]), (&status.into(), &content.into()), "{report}");
    }
}

#[test]
fn shows_tokens_and_proofs_decoded_but_not_as_they_are() {
    let api = api();
    let signed = api.call(&["-v", "--binding", "pop"]);
    assert!(signed.err.contains("* signed request claims: {") && signed.err.contains("(not shown)"), "{}", signed.err);
    assert!(!signed.err.contains("eyJ"), "no token in the signed request: {}", signed.err);
    let ran = api.call(&["-v", "-i"]);
    assert!(ran.out.starts_with("HTTP 200 OK\n") && ran.out.ends_with("by Dpop"), "{}", ran.out);
    for part in
        ["* token claims: {", "\"jkt\":", "* proof claims: {", "\"htm\":\"GET\"", "> GET /echo?a=1", "< HTTP 200 OK"]
    {
        assert!(ran.err.contains(part), "{part} in {}", ran.err);
    }
    assert!(!ran.err.contains("eyJ") && !ran.err.contains("hunter2"), "no token, no proof, no secret: {}", ran.err);
}

#[test]
fn prints_header_lines_that_another_client_can_use() {
    let api = api();
    let ran = api.call(&["--print-headers"]);
    let lines: Vec<_> = ran.out.lines().map(|line| line.split_once(": ").unwrap()).collect();
    assert_eq!(lines.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["authorization", "dpop"], "{ran:?}");
    let mut request = pop_client::reqwest::Client::new().get(api.echo());
    for (name, value) in &lines {
        request = request.header(*name, *value);
    }
    let response = api.block_on(request.send()).unwrap();
    assert_eq!(response.status(), 200);
    // The same lines say to `inspect` what they are.
    let arguments = ["inspect", "--json", "--url", &api.echo(), "--issuer", api.server.issuer()];
    let report = poplayer_with(&arguments, &ran.out, &[]).json();
    assert_eq!(report["accepted"], true, "{report:#}");
}

#[test]
fn uses_a_token_and_a_key_that_it_is_given() {
    let (api, folder) = (api(), Folder::new("call-token"));
    let key = DpopKey::generate(Algorithm::Ed25519).unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        encode_standard(&*key.to_pkcs8_der().unwrap())
    );
    let key_file = folder.file("key.pem", pem);
    let token = api.server.token().bound_to(&key).mint();
    let token_file = folder.file("token", format!("{token}\n"));
    for token in [token.clone(), format!("@{token_file}")] {
        let ran = api.call_with(&["--token", &token, "--key", &key_file]);
        assert_eq!((ran.status, ran.out.as_str()), (0, "GET /echo?a=1 - -  by Dpop"), "{ran:?}");
    }
    let thief = folder.path("thief.pem");
    assert_eq!(poplayer(&["keygen", "-o", &thief]).status, 0);
    let stolen = ["--token", &token, "--key", &thief];
    let ran = api.call_with(&[&stolen[..], &["--fail", "-i"]].concat());
    assert!(ran.status == 1 && ran.out.contains("error=\"invalid_token\""), "{ran:?}");
    assert_eq!(api.call_with(&stolen).status, 0, "as curl, without --fail");
    poplayer(&["call", &api.echo(), "--token", &token]).is_rejected("expected --key");
    poplayer(&["call", &api.echo(), "--token", &token, "--browser"]).is_rejected("cannot be used with");
}

/// RFC 7523: the assertion is for the authorization server alone.
#[test]
fn authenticates_the_client_with_a_key() {
    let folder = Folder::new("call-client-key");
    let (own, other) = (folder.path("own.pem"), folder.path("other.pem"));
    let jwk = poplayer(&["keygen", "-o", &own, "--json"]).json()["jwk"].clone();
    assert_eq!(poplayer(&["keygen", "-o", &other]).status, 0);
    let client = Client::private_key_jwt("keyed", &jwk, Algorithm::ES256).unwrap();
    let api = Api::start(|builder| builder.client(client), |builder| builder);
    let ran = api.call_with(&["--client-id", "keyed", "--client-key", &own]);
    assert_eq!((ran.status, ran.out.as_str()), (0, "GET /echo?a=1 - -  by Dpop"), "{ran:?}");
    let ran = api.call_with(&["--client-id", "keyed", "--client-key", &other]);
    assert!(ran.status == 1 && ran.err.contains("invalid_client"), "{ran:?}");
}

/// RFC 9728 §7: a resource must not choose who gets the secret of the client.
#[test]
fn sends_a_secret_only_to_a_server_that_the_user_names() {
    let api = Api::start(|builder| builder, |builder| builder);
    let url = api.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let metadata = serde_json::json!({ "resource": url, "authorization_servers": ["https://as.invalid"] });
        let metadata = axum::routing::get(async move || metadata.to_string());
        let app = axum::Router::new().route("/.well-known/oauth-protected-resource", metadata);
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    });
    let call = |more: &[&str]| poplayer(&[&["call", &url, "--client-id", "worker"], more].concat());
    call(&["--client-secret", "hunter2"]).is_rejected("expected --issuer, if it may have the secret");
    // A key authenticates the client without a secret, also if there is one in the environment.
    let key = Folder::new("call-secret").path("key.pem");
    assert_eq!(poplayer(&["keygen", "-o", &key]).status, 0);
    let arguments = ["call", &url, "--client-id", "worker", "--client-key", &key];
    let ran = poplayer_with(&arguments, "", &[("POPLAYER_CLIENT_SECRET", "hunter2")]);
    assert!(ran.status == 1 && ran.err.contains("as.invalid"), "{ran:?}");
    // Without a secret, and with a server that the user names, the program goes on.
    let ran = call(&[]);
    assert!(ran.status == 1 && ran.err.contains("as.invalid"), "{ran:?}");
    let ran = call(&["--client-secret", "hunter2", "--issuer", "https://as.invalid"]);
    assert!(ran.status == 1 && ran.err.contains("as.invalid") && !ran.err.contains("hunter2"), "{ran:?}");
}

#[test]
fn says_in_one_line_what_it_expects() {
    let api = api();
    api.call_with(&[]).is_rejected("expected --token, or --client-id");
    api.call_with(&["-H", "no line"]).is_rejected("expected `Name: value`");
    api.call_with(&["-H", "DPoP: x"]).is_rejected("is what this program sets");
    api.call_with(&["--token", "a\nb", "--key", "/nowhere"]).is_rejected("cannot read /nowhere");
    api.call_with(&["--token", "a\nb", "--binding", "certificate"]).is_rejected("expected --certificate");
    let key = Folder::new("call-one-line").path("key.pem");
    assert_eq!(poplayer(&["keygen", "-o", &key]).status, 0);
    api.call_with(&["--token", "a\nb", "--key", &key]).is_rejected("expected visible ASCII");
    api.call_with(&["--token", "a", "--key", &key, "--nonce", "a b"]).is_rejected("--nonce: expected");
    let signature = ["--token", "a", "--key", &key, "--binding", "httpsig", "--nonce", "n"];
    api.call_with(&signature).is_rejected("expected --binding dpop or pop");
    api.call_with(&["-X", "G E T"]).is_rejected("is not a method");
    api.call_with(&["-d", "@/nowhere"]).is_rejected("cannot read /nowhere");
    api.call_with(&["--binding", "certificate"]).is_rejected("expected --certificate");
    api.call_with(&["--max-time", "0"]).is_rejected("expected 1 to 3600 seconds");
    poplayer(&["call", "http://api.example/"]).is_rejected("expected an https URL");
    poplayer(&["call", &api.echo(), "--client-id", "x", "--issuer", "ftp://x"]).is_rejected("ftp://x");
    // What the network says is no wrong input.
    let ran =
        poplayer_with(&["call", &api.echo(), "--client-id", "worker"], "", &[("POPLAYER_CLIENT_SECRET", "wrong")]);
    assert!(ran.status == 1 && ran.err.contains("invalid_client") && !ran.err.contains("wrong"), "{ran:?}");
    let ran = poplayer(&["call", "http://127.0.0.1:9/", "--client-id", "worker"]);
    assert_eq!((ran.status, ran.err.lines().count()), (1, 1), "{ran:?}");
}

/// A password in a URL is a secret that was typed by mistake.
#[test]
fn a_rejected_url_is_not_repeated() {
    for arguments in [&["call", "https://me:hunter2@api.example/"][..], &["call", "ftp://me:hunter2@api.example/"]] {
        let ran = poplayer_with(arguments, "", &[]);
        assert_eq!(ran.status, 2, "{ran:?}");
        assert!(!ran.err.contains("hunter2") && ran.err.contains("URL"), "{}", ran.err);
        assert_eq!(ran.err.trim().lines().count(), 1, "{}", ran.err);
    }
}
