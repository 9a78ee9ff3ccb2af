//! The authorization server, on loopback, and the one client that all requests come from.

use pop_authserver::{Algorithm, DpopKey, TestAuthServer, proof};

/// A request as a server has read it; each contender gives it the body type of its own framework.
pub(crate) type Request = http::Request<()>;

pub(crate) const ORIGIN: &str = "https://api.example";
pub(crate) const PATH: &str = "/notes";
pub(crate) const URL: &str = "https://api.example/notes";
pub(crate) const SCOPE: &str = "notes:read";

/// Contenders of one scene get metadata and keys from the same server, and the same requests.
pub(crate) struct Scene {
    /// Of access tokens. Proofs are always ES256.
    pub(crate) algorithm: Algorithm,
    server: TestAuthServer,
    key: DpopKey,
    other_key: DpopKey,
    bound: String,
    unbound: String,
}

impl Scene {
    pub(crate) async fn start(algorithm: Algorithm) -> Self {
        let server = TestAuthServer::start_with(TestAuthServer::defaults().signing_algorithm(algorithm)).await;
        let key = || DpopKey::generate(Algorithm::ES256).expect("a key");
        let (key, other_key) = (key(), key());
        let token = server.token().audience(ORIGIN).scope(SCOPE).expires_in(3600);
        let (bound, unbound) = (token.clone().bound_to(&key).mint(), token.mint());
        Self { algorithm, key, other_key, bound, unbound, server }
    }

    pub(crate) fn issuer(&self) -> &str {
        self.server.issuer()
    }

    pub(crate) fn jwks_uri(&self) -> String {
        format!("{}/jwks", self.issuer())
    }

    pub(crate) fn jwks_json(&self) -> String {
        self.server.jwks_json()
    }

    /// This many proofs, made now, each with a `jti` of its own.
    pub(crate) fn proofs(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| proof(&self.key).url(URL).for_token(&self.bound).mint()).collect()
    }

    /// A faultless proof of a key that the token is not bound to.
    pub(crate) fn proof_of_another_key(&self) -> String {
        proof(&self.other_key).url(URL).for_token(&self.bound).mint()
    }

    /// With the bound token.
    pub(crate) fn with_proof(&self, proof: &str) -> Request {
        let mut request = request(&format!("DPoP {}", self.bound));
        request.headers_mut().insert("dpop", proof.parse().expect("a value"));
        request
    }

    /// With the unbound token.
    pub(crate) fn bearer(&self) -> Request {
        request(&format!("Bearer {}", self.unbound))
    }

    pub(crate) fn bearer_with_wrong_signature(&self) -> Request {
        let token = self.server.token().audience(ORIGIN).scope(SCOPE).tampered_signature().mint();
        request(&format!("Bearer {token}"))
    }
}

fn request(authorization: &str) -> Request {
    let builder = Request::get(PATH).header("host", "api.example").header("accept", "application/json");
    builder.header("authorization", authorization).body(()).expect("a request")
}
