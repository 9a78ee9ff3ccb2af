//! Unusable options.

/// Why options cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// A timeout or a maximum size is zero, so that no request could succeed.
    #[error("{option} is 0")]
    Zero {
        /// The name of the option in [`ClientOptions`](crate::ClientOptions).
        option: &'static str,
    },
    /// A certificate-bound token, or
    /// [`ClientAuthentication::TlsCertificate`](crate::ClientAuthentication::TlsCertificate), needs a
    /// [`certificate`](crate::TokenClientBuilder::certificate).
    #[error("no client certificate is set, but {option} needs one")]
    NoCertificate {
        /// What needs the certificate.
        option: &'static str,
    },
    /// The option has no effect on tokens that are bound to a certificate alone.
    #[error("{option} has no effect on tokens that are bound to a certificate alone")]
    NoEffect {
        /// The name of the option in [`TokenClientBuilder`](crate::TokenClientBuilder).
        option: &'static str,
    },
    /// The option needs [`TokenBinding::HttpSig`](crate::TokenBinding::HttpSig).
    #[error("{option} needs TokenBinding::HttpSig")]
    NotHttpSig {
        /// The name of the option in [`TokenClientBuilder`](crate::TokenClientBuilder).
        option: &'static str,
    },
}
