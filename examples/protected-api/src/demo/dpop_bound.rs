//! A JWT that is bound to a DPoP key (RFC 9449).

use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, Method};
use pop_authserver::{Algorithm, AuthServer, DpopKey, ProofMint, proof};
use pop_client::{ClientAuthentication, TokenClient};

use super::{DemoError, PROOF, Row, TOKEN, describe};

const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Everything that an attack is made from.
pub(super) struct Scene {
    http: reqwest::Client,
    pub(super) url: String,
    key: DpopKey,
    pub(super) attacker: DpopKey,
    token: String,
    nonce: Option<String>,
}

/// Good requests and attacks with a DPoP-bound JWT. Returns what other scenes go on with.
pub(super) async fn play(server: &AuthServer, public_url: &str, rows: &mut Vec<Row>) -> Result<Scene, DemoError> {
    let key = DpopKey::generate(Algorithm::ES256)?;
    let client = TokenClient::discover(server.issuer(), "demo", ClientAuthentication::None, key.clone()).await?;
    let token = client.client_credentials(Some("notes:read"), None).await?;
    let api = client.http_client(&token);
    let url = format!("{public_url}/notes");

    let answer = api.get(&url).send().await?;
    let nonce = header(answer.headers(), "dpop-nonce");
    rows.push(Row { what: "GET with a bound token and a fresh proof", expected: "200", got: describe(&answer) });
    let answer = api.post(&url).body("steal the show").send().await?;
    rows.push(Row {
        what: "POST without the scope for it",
        expected: "403 insufficient_scope",
        got: describe(&answer),
    });
    let writer = client.client_credentials(Some("notes:write"), None).await?;
    let answer = client.http_client(&writer).post(&url).body("hello").send().await?;
    rows.push(Row { what: "POST with the scope for it", expected: "201", got: describe(&answer) });

    let mut scene = Scene {
        http: reqwest::Client::new(),
        url,
        key,
        attacker: DpopKey::generate(Algorithm::ES256)?,
        token: token.access_token.clone(),
        nonce,
    };
    if let Some(nonce) = scene.asked_nonce().await? {
        scene.nonce = Some(nonce);
    }
    scene.attacks(server, rows).await?;
    Ok(scene)
}

impl Scene {
    async fn attacks(&self, server: &AuthServer, rows: &mut Vec<Row>) -> Result<(), DemoError> {
        let token = self.token.as_str();
        let mut row = |what, expected, got| rows.push(Row { what, expected, got });

        let used = self.proof(&self.key, token).mint();
        row("the same request again: first use", "200", self.dpop(token, &used).await?);
        row("the same request again: replay", PROOF, self.dpop(token, &used).await?);
        row("no credentials", "401", self.send(Method::GET, None, &[]).await?);
        row("token without proof", PROOF, self.send(Method::GET, Some(format!("DPoP {token}")), &[]).await?);
        row("stolen token as Bearer", TOKEN, self.send(Method::GET, Some(format!("Bearer {token}")), &[]).await?);

        let other_key = self.proof(&self.attacker, token).mint();
        row("stolen token, proof by the thief's key", TOKEN, self.dpop(token, &other_key).await?);
        let method = self.proof(&self.key, token).method("DELETE").mint();
        row("proof for another method", PROOF, self.dpop(token, &method).await?);
        let target = self.proof(&self.key, token).url("https://other.example/notes").mint();
        row("proof for another URL", PROOF, self.dpop(token, &target).await?);
        let other_token = self.proof(&self.key, "another token").mint();
        row("proof for another token", PROOF, self.dpop(token, &other_token).await?);
        let old = self.proof(&self.key, token).claim("iat", 1_700_000_000).mint();
        row("proof from 2023", PROOF, self.dpop(token, &old).await?);
        let unsigned = self.proof(&self.key, token).alg_none().mint();
        row("proof with alg none", PROOF, self.dpop(token, &unsigned).await?);
        let forged = self.proof(&self.key, token).tampered_signature().mint();
        row("proof with a flipped bit", PROOF, self.dpop(token, &forged).await?);
        let mut private = self.key.public_jwk();
        private["d"] = "c2VjcmV0".into();
        let leaked = self.proof(&self.key, token).header("jwk", private).mint();
        row("proof with a private key in it", PROOF, self.dpop(token, &leaked).await?);
        let (one, two) = (self.proof(&self.key, token).mint(), self.proof(&self.key, token).mint());
        let authorization = Some(format!("DPoP {token}"));
        row("two proofs", PROOF, self.send(Method::GET, authorization, &[&one, &two]).await?);

        let audience = || server.token().audience(&self.audience()).scope("notes:read").bound_to(&self.key);
        for (what, token) in [
            ("expired token", audience().expires_in(-3600)),
            ("token for another audience", audience().audience("https://other.example")),
            ("token of another issuer", audience().claim("iss", "https://evil.example")),
            ("token with a flipped bit", audience().tampered_signature()),
            ("token signed by the thief", audience().signed_by(&self.attacker)),
            ("token that is bound to no key", audience().without("cnf")),
            ("token with an unknown confirmation", audience().claim("cnf", serde_json::json!({ "foo": 1 }))),
        ] {
            let token = token.mint();
            let proof = self.proof(&self.key, &token).mint();
            row(what, TOKEN, self.dpop(&token, &proof).await?);
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

    /// The nonce that the API asks for, if it does.
    async fn asked_nonce(&self) -> Result<Option<String>, DemoError> {
        let proof = proof(&self.key).method("GET").url(&self.url).for_token(&self.token).mint();
        let request =
            self.http.get(&self.url).header(AUTHORIZATION, format!("DPoP {}", self.token)).header(DPOP, proof);
        Ok(header(request.send().await?.headers(), "dpop-nonce"))
    }

    pub(super) async fn dpop(&self, token: &str, proof: &str) -> Result<String, DemoError> {
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
