//! Where tokens come from.

use std::time::Duration;

use pop_client::reqwest::Url;
use pop_client::{
    Algorithm, ClientAuthentication, DpopKey, MtlsTokenClient, TokenClient, TokenClientBuilder, TokenResponse,
};
use pop_core::target::Origin;

use super::arguments::{Binding, TokenArguments};
use super::{browser, metadata};
use crate::failure::Failure;
use crate::http_client::{HttpClient, certificate, client_failure, options};
use crate::input::text_or_file;
use crate::key_file;
use crate::signed::sensitive;

/// An access token, the key that it is bound to, and how requests prove it.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) access_token: String,
    pub(crate) key: DpopKey,
    pub(crate) binding: Binding,
}

/// Where the tokens of a run come from.
pub(crate) struct Source {
    kind: Kind,
    binding: Binding,
    key: DpopKey,
    scope: Option<String>,
    resource: Option<String>,
    /// The port of the redirect URI, if the user is asked in the browser. 0 is a free one.
    browser: Option<u16>,
    /// Lines that say what was found.
    pub(crate) notes: Vec<String>,
}

enum Kind {
    /// One token that the user gave.
    Given(String),
    Server(Box<TokenClient>),
    MutualTls(Box<MtlsTokenClient>),
}

impl Source {
    /// Finds the authorization server, unless the user gave a token.
    pub(crate) async fn find(
        arguments: &TokenArguments,
        url: &Url,
        http: &HttpClient,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let binding = arguments.binding;
        arguments.check()?;
        let mut source = Self {
            kind: Kind::Given(String::new()),
            binding,
            key: arguments.own_key()?,
            scope: arguments.scope.clone(),
            resource: arguments.resource.clone(),
            browser: arguments.browser.then_some(arguments.redirect_port),
            notes: Vec::new(),
        };
        if let Some(token) = &arguments.token {
            if arguments.key.is_none() && binding != Binding::Certificate {
                return Err(Failure::input("--token needs the key that it is bound to: expected --key"));
            }
            let token = text_or_file(token)?;
            sensitive(&token)?;
            source.kind = Kind::Given(token);
            return Ok(source);
        }
        source.kind = source.server(arguments, url, http, timeout).await?;
        Ok(source)
    }

    async fn server(
        &mut self,
        arguments: &TokenArguments,
        url: &Url,
        http: &HttpClient,
        timeout: Duration,
    ) -> Result<Kind, Failure> {
        let client_id = arguments.client_id.as_deref();
        let client_id =
            client_id.ok_or_else(|| Failure::input("there is no token: expected --token, or --client-id"))?;
        let options = options(arguments, timeout)?;
        let issuer = match &arguments.issuer {
            Some(issuer) => issuer.clone(),
            None => {
                let metadata = metadata::find(url, http, &options).await?;
                self.notes.push(format!("resource: {}", metadata.resource));
                let issuer = metadata.authorization_servers.into_iter().next();
                self.resource.get_or_insert(metadata.resource);
                let issuer = issuer
                    .ok_or_else(|| Failure::failed("the resource names no authorization server (use --issuer)"))?;
                check_secret(arguments, &issuer)?;
                issuer
            }
        };
        self.notes.push(format!("authorization server: {issuer}"));
        let mut builder = TokenClientBuilder::new(&issuer, client_id).options(options);
        builder = builder.authentication(authentication(arguments)?);
        if let Some(certificate) = certificate(arguments)? {
            builder = builder.certificate(certificate);
        }
        let failed = |error| client_failure(&error);
        Ok(match self.binding.proof(self.key.clone()) {
            Some(proof) => {
                let built = builder.binding(proof.binding()).build(self.key.clone()).await;
                Kind::Server(Box::new(built.map_err(failed)?))
            }
            None => Kind::MutualTls(Box::new(builder.build_certificate_bound().await.map_err(failed)?)),
        })
    }

    /// Returns a token that is bound to the key of this run.
    pub(crate) async fn token(&self) -> Result<Token, Failure> {
        let access_token = match &self.kind {
            Kind::Given(token) => token.clone(),
            Kind::Server(client) => self.of_server(client).await?.access_token.clone(),
            Kind::MutualTls(client) => self.over_mutual_tls(client).await?.access_token.clone(),
        };
        Ok(Token { access_token, key: self.key.clone(), binding: self.binding })
    }

    async fn of_server(&self, client: &TokenClient) -> Result<TokenResponse, Failure> {
        let (scope, resource) = (self.scope.as_deref(), self.resource.as_deref());
        let failed = |error| client_failure(&error);
        let Some(port) = self.browser else {
            return client.client_credentials(scope, resource).await.map_err(failed);
        };
        let callback = browser::Callback::listen(port).await?;
        let mut request = client.authorize(&callback.redirect_uri(), scope, resource).map_err(failed)?;
        if client.requires_push() {
            request = client.push(request).await.map_err(failed)?;
        }
        let redirected_to = callback.ask(request.url.as_str()).await?;
        client.exchange(&request, &redirected_to).await.map_err(failed)
    }

    async fn over_mutual_tls(&self, client: &MtlsTokenClient) -> Result<TokenResponse, Failure> {
        let (scope, resource) = (self.scope.as_deref(), self.resource.as_deref());
        let failed = |error| client_failure(&error);
        let Some(port) = self.browser else {
            return client.client_credentials(scope, resource).await.map_err(failed);
        };
        let callback = browser::Callback::listen(port).await?;
        let request = client.authorize(&callback.redirect_uri(), scope, resource).map_err(failed)?;
        let redirected_to = callback.ask(request.url.as_str()).await?;
        client.exchange(&request, &redirected_to).await.map_err(failed)
    }
}

impl TokenArguments {
    /// Checks what belongs together.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.binding == Binding::Certificate && self.certificate.is_none() {
            return Err(Failure::input("--binding certificate needs a certificate: expected --certificate"));
        }
        Ok(())
    }

    /// Returns the key of the client, or a new one.
    pub(crate) fn own_key(&self) -> Result<DpopKey, Failure> {
        match &self.key {
            Some(path) => key_file::read(path, self.alg),
            None => DpopKey::generate(self.alg.unwrap_or(Algorithm::ES256))
                .map_err(|error| Failure::failed(error.to_string())),
        }
    }
}

/// A resource must not choose who gets the secret of the client. All other ways to authenticate show nothing that another server
/// could use.
fn check_secret(arguments: &TokenArguments, issuer: &str) -> Result<(), Failure> {
    let has_secret = arguments.client_secret.is_some() && arguments.client_key.is_none();
    if !has_secret || Origin::of(issuer).is_ok_and(|origin| origin.is_loopback()) {
        return Ok(());
    }
    Err(Failure::input(format!(
        "the resource names the authorization server {issuer}: expected --issuer, if it may have the secret of the client"
    )))
}

fn authentication(arguments: &TokenArguments) -> Result<ClientAuthentication, Failure> {
    if let Some(path) = &arguments.client_key {
        return Ok(ClientAuthentication::PrivateKeyJwt(key_file::read(path, None)?));
    }
    if let Some(secret) = &arguments.client_secret {
        return Ok(ClientAuthentication::SecretBasic(text_or_file(secret)?));
    }
    Ok(ClientAuthentication::None)
}
