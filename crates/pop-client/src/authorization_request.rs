//! Authorization requests with PKCE (RFC 6749 §4.1, RFC 7636, RFC 9126) and their responses (RFC 9207).

use std::fmt;

use pop_core::jose::encode;
use reqwest::Url;
use sha2::{Digest, Sha256};

use crate::authorization_server::AuthorizationServer;
use crate::challenge::Lacking;
use crate::error::ClientError;
use crate::grant::{self, Form};
use crate::json;
use crate::random::random_id;
use crate::token_endpoint::{printable, success};
use crate::transport::CompleteResponse;

/// An authorization request, with what is needed to verify its response. `Debug` hides the PKCE verifier.
#[derive(Clone)]
pub struct AuthorizationRequest {
    /// The URL to send the user's browser to.
    pub url: Url,
    /// The URL with all parameters, when they were pushed.
    unpushed: Option<Url>,
    redirect_uri: String,
    state: String,
    verifier: String,
}

impl AuthorizationRequest {
    pub(crate) fn new(
        server: &AuthorizationServer,
        redirect_uri: &str,
        scope: Option<&str>,
        resource: Option<&str>,
        dpop_jkt: Option<&str>,
    ) -> Result<Self, ClientError> {
        let mut url = server.authorization_endpoint()?.clone();
        let (state, verifier) = (random_id()?, random_id()? + &random_id()?);
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &server.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("state", &state)
            .append_pair("code_challenge", &encode(Sha256::digest(&verifier)))
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(dpop_jkt.map(|jkt| ("dpop_jkt", jkt)))
            .extend_pairs(scope.map(|scope| ("scope", scope)))
            .extend_pairs(resource.map(|resource| ("resource", resource)));
        Ok(Self { url, unpushed: None, redirect_uri: redirect_uri.to_owned(), state, verifier })
    }

    /// Returns the code in the URL that the browser was redirected to, after `state` and `iss` are verified.
    pub(crate) fn code(&self, server: &AuthorizationServer, redirected_to: &str) -> Result<String, ClientError> {
        let rejected = ClientError::AuthorizationResponse;
        let url = Url::parse(redirected_to).map_err(|_| rejected("not a URL"))?;
        let parameter =
            |name: &str| url.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned());
        if parameter("state").as_ref() != Some(&self.state) {
            return Err(rejected("state differs"));
        }
        match parameter("iss") {
            Some(issuer) if issuer != server.issuer => return Err(rejected("iss differs")),
            // A server that announces `iss` sends it always. A response without it comes from another server.
            None if server.metadata.sends_iss => return Err(rejected("iss is missing")),
            _ => {}
        }
        if let Some(code) = parameter("error") {
            let description = parameter("error_description").as_deref().map(printable);
            return Err(ClientError::OAuth { status: None, code: printable(&code), description });
        }
        parameter("code").ok_or_else(|| rejected("no code"))
    }

    /// Adds what a resource requires (RFC 9470 §4): an authentication of one of the classes, or of the maximum age, and
    /// the missing scopes. The request keeps its scopes. The caller decides whether to try again, and how often,
    /// because each attempt involves the user. A request that was pushed must be pushed again.
    ///
    /// ```no_run
    /// # use pop_client::{AuthorizationRequest, Challenge};
    /// # fn retry(request: AuthorizationRequest, response: &reqwest::Response) -> Option<AuthorizationRequest> {
    /// let challenges = Challenge::from_headers(response.headers());
    /// let lacking = challenges.iter().find_map(Challenge::lacking)?;
    /// Some(request.to_satisfy(&lacking))
    /// # }
    /// ```
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

    /// Returns the form of a pushed authorization request (RFC 9126 §2.1): all query parameters of the URL.
    pub(crate) fn pushed_form(&self) -> Vec<(String, String)> {
        self.unpushed.as_ref().unwrap_or(&self.url).query_pairs().into_owned().collect()
    }

    /// Reads the response to a pushed request. The URL then has the `request_uri` instead of the parameters (RFC 9126
    /// §4).
    pub(crate) fn pushed(
        mut self,
        server: &AuthorizationServer,
        response: CompleteResponse,
    ) -> Result<Self, ClientError> {
        let document = success(response)?;
        let request_uri = json::string(&document, "request_uri").ok().flatten();
        let request_uri = request_uri.ok_or(ClientError::Response("no request_uri for a pushed request"))?;
        let mut url = server.authorization_endpoint()?.clone();
        url.query_pairs_mut().append_pair("client_id", &server.client_id).append_pair("request_uri", &request_uri);
        let full = std::mem::replace(&mut self.url, url);
        self.unpushed.get_or_insert(full);
        Ok(self)
    }

    /// Returns the form that exchanges a code for a token.
    pub(crate) fn code_grant<'f>(&'f self, code: &'f str) -> Form<'f> {
        grant::authorization_code(code, &self.redirect_uri, &self.verifier)
    }
}

impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationRequest").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}
