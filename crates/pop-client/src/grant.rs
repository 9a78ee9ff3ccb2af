//! What is asked of the token endpoint, whatever the token will be bound to.

use std::fmt;

use pop_core::jose::encode;
use reqwest::Url;
use sha2::{Digest, Sha256};

use crate::challenge::Lacking;
use crate::error::ClientError;
use crate::json;
use crate::proof::random_id;
use crate::token_endpoint::{TokenEndpoint, printable, success};
use crate::transport::Answer;

/// The parameters of a token request.
pub(crate) type Form<'f> = Vec<(&'static str, &'f str)>;

pub(crate) fn client_credentials<'f>(scope: Option<&'f str>, resource: Option<&'f str>) -> Form<'f> {
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend(scope.map(|scope| ("scope", scope)));
    form.extend(resource.map(|resource| ("resource", resource)));
    form
}

pub(crate) fn refresh(refresh_token: &str) -> Form<'_> {
    vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token)]
}

/// An authorization request and what is needed to check its answer. `Debug` hides the PKCE verifier.
#[derive(Clone)]
pub struct AuthorizationRequest {
    /// Where to send the user's browser.
    pub url: Url,
    /// The URL with all parameters, when they were pushed.
    unpushed: Option<Url>,
    redirect_uri: String,
    state: String,
    verifier: String,
}

impl AuthorizationRequest {
    pub(crate) fn new(
        endpoint: &TokenEndpoint,
        redirect_uri: &str,
        scope: Option<&str>,
        resource: Option<&str>,
        dpop_jkt: Option<&str>,
    ) -> Result<Self, ClientError> {
        let url = endpoint.authorization_endpoint.clone();
        let mut url = url.ok_or(ClientError::Response("the server has no authorization endpoint"))?;
        let (state, verifier) = (random_id()?, random_id()? + &random_id()?);
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &endpoint.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("state", &state)
            .append_pair("code_challenge", &encode(Sha256::digest(&verifier)))
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(dpop_jkt.map(|jkt| ("dpop_jkt", jkt)))
            .extend_pairs(scope.map(|scope| ("scope", scope)))
            .extend_pairs(resource.map(|resource| ("resource", resource)));
        Ok(Self { url, unpushed: None, redirect_uri: redirect_uri.to_owned(), state, verifier })
    }

    /// The code in the URL that the browser was sent back to, once that is known to be the answer.
    pub(crate) fn code(&self, endpoint: &TokenEndpoint, redirected_to: &str) -> Result<String, ClientError> {
        let refused = ClientError::AuthorizationResponse;
        let url = Url::parse(redirected_to).map_err(|_| refused("not a URL"))?;
        let parameter =
            |name: &str| url.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned());
        if parameter("state").as_ref() != Some(&self.state) {
            return Err(refused("state differs"));
        }
        match parameter("iss") {
            Some(issuer) if issuer != endpoint.issuer => return Err(refused("iss differs")),
            // A server that says it sends `iss` always does: without it, the answer is another server's.
            None if endpoint.sends_iss => return Err(refused("iss is missing")),
            _ => {}
        }
        if let Some(code) = parameter("error") {
            let description = parameter("error_description").as_deref().map(printable);
            return Err(ClientError::OAuth { status: None, code: printable(&code), description });
        }
        parameter("code").ok_or_else(|| refused("no code"))
    }

    /// Asks for what a resource found lacking (RFC 9470 §4): an authentication of one of these classes, or of this age, and
    /// the scopes in addition to those that are asked for already. Whether to try again, and how often, is the caller's:
    /// each time is a user's. A request that was pushed has to be pushed again.
    #[must_use]
    pub fn to_satisfy(mut self, lacking: &Lacking) -> Self {
        self.url = self.unpushed.take().unwrap_or(self.url);
        let mut parameters: Vec<(String, String)> = self.url.query_pairs().into_owned().collect();
        let scope = parameters.iter().find(|(name, _)| name == "scope").map_or("", |(_, value)| value.as_str());
        let union = lacking.scope_beside(scope);
        let mut set = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                parameters.retain(|(known, _)| known != name);
                parameters.push((name.to_owned(), value));
            }
        };
        set("scope", (!union.is_empty()).then_some(union));
        if let Lacking::Authentication { acr_values, max_age, .. } = lacking {
            set("acr_values", acr_values.clone());
            set("max_age", max_age.map(|seconds| seconds.to_string()));
        }
        self.url.query_pairs_mut().clear().extend_pairs(parameters);
        self
    }

    /// The form of a pushed authorization request (RFC 9126 §2.1): everything that the URL has in its query.
    pub(crate) fn pushed_form(&self) -> Vec<(String, String)> {
        self.unpushed.as_ref().unwrap_or(&self.url).query_pairs().into_owned().collect()
    }

    /// The request with a URL that names what was pushed (RFC 9126 §4).
    pub(crate) fn pushed(mut self, endpoint: &TokenEndpoint, answer: Answer) -> Result<Self, ClientError> {
        let document = success(answer)?;
        let request_uri = json::text(&document, "request_uri").ok().flatten();
        let request_uri = request_uri.ok_or(ClientError::Response("no request_uri for a pushed request"))?;
        let url = endpoint.authorization_endpoint.clone();
        let mut url = url.ok_or(ClientError::Response("the server has no authorization endpoint"))?;
        url.query_pairs_mut().append_pair("client_id", &endpoint.client_id).append_pair("request_uri", &request_uri);
        let full = std::mem::replace(&mut self.url, url);
        self.unpushed.get_or_insert(full);
        Ok(self)
    }

    pub(crate) fn exchange<'f>(&'f self, code: &'f str) -> Form<'f> {
        vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &self.verifier),
        ]
    }
}

impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationRequest").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}
