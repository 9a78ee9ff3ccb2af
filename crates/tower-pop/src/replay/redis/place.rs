//! Where the server is: URLs, and what is needed to use it.

use std::fmt;
use std::time::Duration;

use redis::cluster::ClusterClientBuilder;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisError, TlsCertificates, TlsMode,
};

use super::error::{Redacted, RedisSetupError};
use super::server::Server;

/// The URLs. `Debug` shows no credentials.
pub(super) enum Place {
    Standalone(String),
    Cluster(Vec<String>),
    Sentinel(Vec<String>, String),
}

/// What the URLs do not say.
#[derive(Default)]
pub(super) struct Access {
    /// User and password of the servers that Sentinel names.
    pub(super) credentials: Option<(String, String)>,
    /// PEM.
    pub(super) root_certificate: Option<Vec<u8>>,
    /// Certificate and private key in PEM.
    pub(super) client_certificate: Option<(Vec<u8>, Vec<u8>)>,
}

impl Place {
    pub(super) fn server(&self, access: &Access, timeout: Duration) -> Result<Server, RedisSetupError> {
        match self {
            Self::Standalone(_) | Self::Cluster(_) if access.credentials.is_some() => {
                let with = "a URL, which has them in it";
                Err(RedisSetupError::Contradiction { option: "credentials", with })
            }
            Self::Standalone(url) => {
                let info = connection_info(url, access)?;
                let client = match access.certificates() {
                    Some(certificates) => Client::build_with_tls(info, certificates),
                    None => Client::open(info),
                };
                Ok(Server::Standalone(Box::new(client.map_err(|error| unusable(&error))?)))
            }
            Self::Cluster(urls) => cluster(urls, access, timeout),
            Self::Sentinel(urls, master) => sentinel(urls, master, access),
        }
    }
}

fn cluster(urls: &[String], access: &Access, timeout: Duration) -> Result<Server, RedisSetupError> {
    let mut builder = ClusterClientBuilder::new(connection_infos(urls, "a cluster", access)?)
        .connection_timeout(timeout)
        .response_timeout(timeout);
    if let Some(certificates) = access.certificates() {
        builder = builder.certs(certificates);
    }
    // The URLs are valid one by one. What remains is that they contradict each other.
    let contradictory = |error: RedisError| RedisSetupError::Url {
        url: urls.first().map(|url| Redacted(url).to_string()).unwrap_or_default(),
        reason: error.to_string(),
    };
    Ok(Server::Cluster(Box::new(builder.build().map_err(contradictory)?)))
}

fn sentinel(urls: &[String], master: &str, access: &Access) -> Result<Server, RedisSetupError> {
    let infos = connection_infos(urls, "Sentinel", access)?;
    let (certificates, credentials) = (access.certificates(), access.credentials.clone());
    let master = master.to_owned();
    let client = move || {
        let addresses = infos.iter().map(|info| info.addr().clone());
        let mut builder = SentinelClientBuilder::new(addresses, &master, SentinelServerType::Master)?;
        if infos.iter().any(|info| matches!(info.addr(), ConnectionAddr::TcpTls { .. })) {
            builder =
                builder.set_client_to_redis_tls_mode(TlsMode::Secure).set_client_to_sentinel_tls_mode(TlsMode::Secure);
        }
        if let Some(certificates) = &certificates {
            builder = builder
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates.clone());
        }
        let settings = infos.first().map(ConnectionInfo::redis_settings);
        if let Some(username) = settings.and_then(|settings| settings.username()) {
            builder = builder.set_client_to_sentinel_username(username);
        }
        if let Some(password) = settings.and_then(|settings| settings.password()) {
            builder = builder.set_client_to_sentinel_password(password);
        }
        if let Some((username, password)) = &credentials {
            builder = builder.set_client_to_redis_username(username).set_client_to_redis_password(password);
        }
        builder.build()
    };
    client().map_err(|error| unusable(&error))?;
    Ok(Server::Sentinel(Box::new(client)))
}

fn connection_infos(
    urls: &[String],
    of: &'static str,
    access: &Access,
) -> Result<Vec<ConnectionInfo>, RedisSetupError> {
    if urls.is_empty() {
        return Err(RedisSetupError::NoUrl(of));
    }
    urls.iter().map(|url| connection_info(url, access)).collect()
}

fn connection_info(url: &str, access: &Access) -> Result<ConnectionInfo, RedisSetupError> {
    let wrong = |reason: String| RedisSetupError::Url { url: Redacted(url).to_string(), reason };
    let info = url.into_connection_info().map_err(|error| wrong(error.to_string()))?;
    match info.addr() {
        // `#insecure`
        ConnectionAddr::TcpTls { insecure: true, .. } => Err(wrong("certificates must be checked".to_owned())),
        ConnectionAddr::TcpTls { .. } => {
            use_a_crypto_provider();
            Ok(info)
        }
        _ if access.certificates().is_some() => {
            Err(RedisSetupError::Contradiction { option: "a certificate", with: "a URL without TLS" })
        }
        _ => Ok(info),
    }
}

impl Access {
    fn certificates(&self) -> Option<TlsCertificates> {
        let client_tls = self.client_certificate.clone();
        let client_tls = client_tls.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
        let root_cert = self.root_certificate.clone();
        (client_tls.is_some() || root_cert.is_some()).then_some(TlsCertificates { client_tls, root_cert })
    }
}

fn unusable(error: &RedisError) -> RedisSetupError {
    RedisSetupError::Certificates(error.to_string())
}

/// `redis` takes the default provider of the process. Without one, rustls would choose it by the features that are compiled
/// in, and panic if there are several.
fn use_a_crypto_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have set one just now.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls = match self {
            Self::Standalone(url) => std::slice::from_ref(url),
            Self::Cluster(urls) | Self::Sentinel(urls, _) => urls.as_slice(),
        };
        f.debug_list().entries(urls.iter().map(|url| Redacted(url).to_string())).finish()
    }
}
