//! The HTTP clients: of the authorization server and of the resource.

use std::path::Path;
use std::time::Duration;

use pop_client::reqwest::redirect::Policy;
use pop_client::reqwest::{Certificate, Client, Identity, Url};
use pop_client::{ClientCertificate, ClientError, ClientOptions, UrlError, request_url};
use pop_core::target::Origin;
use zeroize::Zeroizing;

use crate::failure::{Failure, with_causes};
use crate::input::read_text;
use crate::token::TokenArguments;

/// A client for resources. It follows no redirects.
#[derive(Debug, Clone)]
pub(crate) struct HttpClient {
    pub(crate) client: Client,
}

impl HttpClient {
    /// With the certificate of the user, if there is one.
    pub(crate) fn new(arguments: &TokenArguments, url: &Url, timeout: Duration) -> Result<Self, Failure> {
        let identity = match (&arguments.certificate, &arguments.certificate_key) {
            (Some(chain), Some(key)) => {
                let pem = Zeroizing::new(format!("{}\n{}", *Zeroizing::new(read_text(key)?), read_text(chain)?));
                Some(Identity::from_pem(pem.as_bytes()).map_err(|_| no_certificate(chain, key))?)
            }
            _ => None,
        };
        Self::with(identity, arguments, url, timeout)
    }

    /// With this certificate, or with none.
    pub(crate) fn with(
        identity: Option<Identity>,
        arguments: &TokenArguments,
        url: &Url,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let mut builder = Client::builder().redirect(Policy::none()).timeout(timeout);
        builder = builder.tls_certs_merge(trusted(arguments)?);
        if origin(url).is_some_and(|origin| origin.is_loopback()) {
            builder = builder.no_proxy(); // a proxy has a loopback of its own
        }
        if let Some(identity) = identity {
            builder = builder.identity(identity);
        }
        let client = builder.build().map_err(|error| Failure::failed(with_causes(&error)))?;
        Ok(Self { client })
    }
}

/// Returns the options for requests to the authorization server.
pub(crate) fn options(arguments: &TokenArguments, timeout: Duration) -> Result<ClientOptions, Failure> {
    let trusted = trusted(arguments)?;
    let options = ClientOptions::new().document_timeout(timeout).token_timeout(timeout).connect_timeout(timeout);
    Ok(options.http(move |builder| builder.tls_certs_merge(trusted.clone())))
}

/// Returns the certificate of the client.
pub(crate) fn certificate(arguments: &TokenArguments) -> Result<Option<ClientCertificate>, Failure> {
    let (Some(chain), Some(key)) = (&arguments.certificate, &arguments.certificate_key) else {
        return Ok(None);
    };
    let secret = Zeroizing::new(read_text(key)?);
    let certificate = ClientCertificate::from_pem(&read_text(chain)?, &secret);
    Ok(Some(certificate.map_err(|_| no_certificate(chain, key))?))
}

fn no_certificate(chain: &Path, key: &Path) -> Failure {
    let (chain, key) = (chain.display(), key.display());
    Failure::input(format!("{chain} and {key} cannot be used: expected a certificate and its private key, as PEM"))
}

fn trusted(arguments: &TokenArguments) -> Result<Vec<Certificate>, Failure> {
    let Some(path) = &arguments.cacert else {
        return Ok(Vec::new());
    };
    let expected = || Failure::input(format!("{} has no certificate: expected PEM", path.display()));
    let certificates = Certificate::from_pem_bundle(read_text(path)?.as_bytes()).map_err(|_| expected())?;
    if certificates.is_empty() { Err(expected()) } else { Ok(certificates) }
}

/// Returns the origin of a URL that has one.
pub(crate) fn origin(url: &Url) -> Option<Origin> {
    Origin::parse(&url.origin().ascii_serialization()).ok()
}

/// Parses the URL of a resource. Plain http is accepted on loopback only (RFC 9449 §2).
pub(crate) fn resource_url(text: &str) -> Result<Url, String> {
    let expected = || "expected an https URL, or http on loopback, such as https://api.example/notes".to_owned();
    let mut url = request_url(text).map_err(|error| match error {
        UrlError::Userinfo { .. } => "expected a URL without user and password".to_owned(),
        _ => expected(),
    })?;
    url.set_fragment(None);
    Ok(url)
}

/// Maps an error of the client library: what the user typed has status 2.
pub(crate) fn client_failure(error: &ClientError) -> Failure {
    match error {
        ClientError::Url(_) | ClientError::Options(_) => Failure::input(with_causes(error)),
        _ => Failure::failed(with_causes(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_has_tls_or_is_on_loopback() {
        for (text, url) in [
            ("https://api.example", "https://api.example/"),
            ("http://127.0.0.1:3000/a|b?c|d#e", "http://127.0.0.1:3000/a%7Cb?c|d"),
            ("http://localhost/a%20b", "http://localhost/a%20b"),
            ("http://localhost/100%", "http://localhost/100%25"),
        ] {
            assert_eq!(resource_url(text).map(|url| url.to_string()).as_deref(), Ok(url), "{text}");
        }
        for text in ["", "api.example", "http://api.example/", "ftp://127.0.0.1/", "https://me:pw@api.example/"] {
            assert!(resource_url(text).unwrap_err().contains("expected"), "{text}");
        }
    }
}
