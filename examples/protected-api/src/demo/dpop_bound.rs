//! Requests with a JWT that is bound to a DPoP key (RFC 9449).

use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, Method};
use pop_authserver::{Algorithm, AuthServer, DpopKey, ProofMint, proof};
use pop_client::{ClientAuthentication, TokenClient};

use super::error::DemoError;
use super::row::{PROOF, Row, TOKEN, describe};

const DPOP: HeaderName = HeaderName::from_static("dpop");

/// A token with its key, the key of a thief, and what else the requests need.
pub(super) struct DpopRequests {
    http: reqwest::Client,
    pub(super) url: String,
    key: DpopKey,
    pub(super) thief: DpopKey,
    token: String,
    nonce: Option<String>,
}

/// Sends valid requests and attacks with a DPoP-bound JWT.
pub(super) async fn run(server: &AuthServer, public_url: &str, rows: &mut Vec<Row>) -> Result<DpopRequests, DemoError> {
    let key = DpopKey::generate(Algorithm::ES256)?;
    let client = TokenClient::discover(server.issuer(), "demo", ClientAuthentication::None, key.clone()).await?;
    let token = client.client_credentials(Some("notes:read"), None).await?;
    let api = client.http_client(&token);
    let url = format!("{public_url}/notes");
    let mut row = |request, expected, actual| rows.push(Row::new(request, expected, actual));

    let response = api.get(&url).send().await?;
    let nonce = header(response.headers(), "dpop-nonce");
    row("GET with a bound token and a fresh proof", "200", describe(&response));
    let response = api.post(&url).body("a note").send().await?;
    row("POST without the scope for it", "403 insufficient_scope", describe(&response));
    let writer = client.client_credentials(Some("notes:write"), None).await?;
    let response = client.http_client(&writer).post(&url).body("a note").send().await?;
    row("POST with the scope for it", "201", describe(&response));

    let mut requests = DpopRequests {
        http: reqwest::Client::new(),
        url,
        key,
        thief: DpopKey::generate(Algorithm::ES256)?,
        token: token.access_token.clone(),
        nonce,
    };
    if let Some(nonce) = requests.fetch_nonce().await? {
        requests.nonce = Some(nonce);
    }
    requests.attack(server, rows).await?;
    Ok(requests)
}

impl DpopRequests {
    async fn attack(&self, server: &AuthServer, rows: &mut Vec<Row>) -> Result<(), DemoError> {
        let token = self.token.as_str();
        let mut row = |request, expected, actual| rows.push(Row::new(request, expected, actual));

        let used = self.proof(&self.key, token).mint();
        row("the same request again: first use", "200", self.send_dpop(token, &used).await?);
        row("the same request again: replay", PROOF, self.send_dpop(token, &used).await?);
        row("no credentials", "401", self.send(Method::GET, None, &[]).await?);
        row("token without proof", PROOF, self.send(Method::GET, Some(format!("DPoP {token}")), &[]).await?);
        row("stolen token as Bearer", TOKEN, self.send(Method::GET, Some(format!("Bearer {token}")), &[]).await?);

        let other_key = self.proof(&self.thief, token).mint();
        row("stolen token, proof by the thief's key", TOKEN, self.send_dpop(token, &other_key).await?);
        let method = self.proof(&self.key, token).method("DELETE").mint();
        row("proof for another method", PROOF, self.send_dpop(token, &method).await?);
        let target = self.proof(&self.key, token).url("https://other.example/notes").mint();
        row("proof for another URL", PROOF, self.send_dpop(token, &target).await?);
        let other_token = self.proof(&self.key, "another token").mint();
        row("proof for another token", PROOF, self.send_dpop(token, &other_token).await?);
        let old = self.proof(&self.key, token).claim("iat", 1_700_000_000).mint();
        row("proof from 2023", PROOF, self.send_dpop(token, &old).await?);
        let unsigned = self.proof(&self.key, token).alg_none().mint();
        row("proof with alg none", PROOF, self.send_dpop(token, &unsigned).await?);
        let forged = self.proof(&self.key, token).tampered_signature().mint();
        row("proof with a flipped bit", PROOF, self.send_dpop(token, &forged).await?);
        let mut private = self.key.public_jwk();
        private["d"] = "c2VjcmV0".into();
        let leaked = self.proof(&self.key, token).header("jwk", private).mint();
        row("proof with a private key in it", PROOF, self.send_dpop(token, &leaked).await?);
        let (one, two) = (self.proof(&self.key, token).mint(), self.proof(&self.key, token).mint());
        let authorization = Some(format!("DPoP {token}"));
        row("two proofs", PROOF, self.send(Method::GET, authorization, &[&one, &two]).await?);

        let audience = || server.token().audience(&self.audience()).scope("notes:read").bound_to(&self.key);
        for (request, token) in [
            ("expired token", audience().expires_in(-3600)),
            ("token for another audience", audience().audience("https://other.example")),
            ("token of another issuer", audience().claim("iss", "https://evil.example")),
            ("token with a flipped bit", audience().tampered_signature()),
            ("token signed by the thief", audience().signed_by(&self.thief)),
            ("token that is bound to no key", audience().without("cnf")),
            ("token with an unknown confirmation", audience().claim("cnf", serde_json::json!({ "foo": 1 }))),
        ] {
            let token = token.mint();
            let proof = self.proof(&self.key, &token).mint();
            row(request, TOKEN, self.send_dpop(&token, &proof).await?);
        }
        Ok(())
    }

    fn audience(&self) -> String {
        self.url.trim_end_matches("/notes").to_owned()
    }

    pub(super) fn proof(&self, key: &DpopKey, token: &str) -> ProofMint {
        let proof = proof(key).method("GET").url(&self.url).for_token(token);
        match &self.nonce {
            Some(nonce) => proof.nonce(nonce),
            None => proof,
        }
    }

    /// Returns the nonce of the API, if it requires one.
    async fn fetch_nonce(&self) -> Result<Option<String>, DemoError> {
        let proof = proof(&self.key).method("GET").url(&self.url).for_token(&self.token).mint();
        let request =
            self.http.get(&self.url).header(AUTHORIZATION, format!("DPoP {}", self.token)).header(DPOP, proof);
        Ok(header(request.send().await?.headers(), "dpop-nonce"))
    }

    pub(super) async fn send_dpop(&self, token: &str, proof: &str) -> Result<String, DemoError> {
        self.send(Method::GET, Some(format!("DPoP {token}")), &[proof]).await
    }

    async fn send(&self, method: Method, authorization: Option<String>, proofs: &[&str]) -> Result<String, DemoError> {
        let mut request = self.http.request(method, &self.url);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        for proof in proofs {
            request = request.header(DPOP, *proof);
        }
        Ok(describe(&request.send().await?))
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(ToOwned::to_owned)
}
