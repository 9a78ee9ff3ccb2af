//! The URL that a proof names, behind each proxy: `Host`, `X-Forwarded-*`, and a path prefix that the proxy strips; with
//! HTTP/2 and HTTP/1.1 to the proxy, and HTTP/1.1 to the API.

use axum::http::Version;
use pop_authserver::{Algorithm, DpopKey};

use super::proxy::{self, AUDIENCE, Api, Program, Proxy};

/// A request with a proof.
struct Visit<'v> {
    host: &'v str,
    path: &'v str,
    /// The URL in the proof, without scheme and port.
    proven: (&'v str, &'v str),
    forged: Option<&'v str>,
}

struct Client<'c> {
    http: reqwest::Client,
    version: Version,
    proxy: &'c Proxy,
    api: &'c Api,
}

impl<'c> Client<'c> {
    fn new(version: Version, proxy: &'c Proxy, api: &'c Api) -> Self {
        let trusted = reqwest::Certificate::from_pem(proxy.certificate.pem().as_bytes()).unwrap();
        let mut builder = reqwest::Client::builder().tls_certs_merge([trusted]);
        for host in ["other.example", "evil.example"] {
            builder = builder.resolve(host, ([127, 0, 0, 1], proxy.port).into());
        }
        if version == Version::HTTP_11 {
            builder = builder.http1_only();
        }
        Self { http: builder.build().unwrap(), version, proxy, api }
    }

    /// The status, or a description of what else is wrong.
    async fn visit(&self, visit: Visit<'_>) -> (u16, String) {
        let key = DpopKey::generate(Algorithm::ES256).unwrap();
        let token = self.api.server.token().audience(AUDIENCE).bound_to(&key).mint();
        self.visit_with(&key, &token, visit).await
    }

    async fn visit_with(&self, key: &DpopKey, token: &str, visit: Visit<'_>) -> (u16, String) {
        let origin = |host: &str| format!("https://{host}:{}", self.proxy.port);
        let (host, path) = visit.proven;
        let proof = pop_authserver::proof(key).url(&(origin(host) + path)).for_token(token).mint();
        let request = self.http.get(origin(visit.host) + visit.path);
        let mut request = request.header("Authorization", format!("DPoP {token}")).header("DPoP", proof);
        if let Some(host) = visit.forged {
            let host = format!("{host}:{}", self.proxy.port);
            request = request.header("Forwarded", format!("host=\"{host}\";proto=https"));
            request = request.header("X-Forwarded-Host", host).header("X-Forwarded-Proto", "http");
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.version(), self.version, "to the client");
        let status = answer.status().as_u16();
        if status == 200 {
            assert_eq!(answer.headers()["x-version"], "HTTP/1.1", "to the API");
        }
        (status, answer.text().await.unwrap())
    }
}

/// DPOP-18, DPOP-20: the cases, for any proxy.
async fn through(program: &Program) {
    let api = Api::start("127.0.0.0/8", "Client-Cert").await;
    let Some(proxy) = Proxy::start(program, &api).await else { return };
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let client = Client::new(version, &proxy, &api);
        let expect = async |row: &str, status: u16, visit: Visit<'_>| {
            let path = visit.path;
            let answer = client.visit(visit).await;
            assert_eq!(answer.0, status, "{} {version:?} {row}: {path}: {}", program.name, answer.1);
        };
        for prefix in ["", "/gateway"] {
            for path in ["/", "/notes?a=%41", "/notes/a%20b;v=1,2/%C3%A9~$&'()*+@:=", "/notes/a%2Fb", "/gateway/notes"]
            {
                let path = format!("{prefix}{path}");
                for host in ["localhost", "other.example"] {
                    let visit = Visit { host, path: &path, proven: (host, &path), forged: None };
                    expect("the URL of the client", 200, visit).await;
                }
            }
            let path = format!("{prefix}/notes");
            let visit = |host, proven, forged| Visit { host, path: &path, proven, forged };
            let other = visit("localhost", ("other.example", &path), None);
            expect("DPOP-18 the proof of another host", 401, other).await;
            let own = visit("localhost", ("localhost", &path), Some("other.example"));
            expect("forged fields count for nothing", 200, own).await;
            let forged = visit("localhost", ("other.example", &path), Some("other.example"));
            expect("DPOP-18 forged fields", 401, forged).await;
            let evil = visit("evil.example", ("evil.example", &path), None);
            expect("DPOP-18 a host that is not allowed", 400, evil).await;
            let evil = visit("evil.example", ("localhost", &path), Some("localhost"));
            expect("DPOP-18 nor with forged fields", 400, evil).await;
        }
        let stripped =
            Visit { host: "localhost", path: "/gateway/notes", proven: ("localhost", "/notes"), forged: None };
        expect("DPOP-20 the path as the API sees it", 401, stripped).await;
        // The largest proof, and a token as long as one that is signed with the same algorithm.
        for algorithm in Algorithm::ML_DSA.iter().copied() {
            let key = DpopKey::generate(algorithm).unwrap();
            let token =
                api.server.token().audience(AUDIENCE).bound_to(&key).claim("filler", "x".repeat(8 * 1024)).mint();
            let visit = Visit { host: "localhost", path: "/notes", proven: ("localhost", "/notes"), forged: None };
            let answer = client.visit_with(&key, &token, visit).await;
            assert_eq!(answer.0, 200, "DPOP-44 {} {version:?} {algorithm}: {}", program.name, answer.1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verifies_the_url_of_the_client_behind_nginx() {
    through(&proxy::NGINX).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verifies_the_url_of_the_client_behind_haproxy() {
    through(&proxy::HAPROXY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verifies_the_url_of_the_client_behind_apache_httpd() {
    through(&proxy::APACHE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verifies_the_url_of_the_client_behind_caddy() {
    through(&proxy::CADDY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verifies_the_url_of_the_client_behind_traefik() {
    through(&proxy::TRAEFIK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verifies_the_url_of_the_client_behind_envoy() {
    through(&proxy::ENVOY).await;
}
