/// Why the credentials of a request are rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// There is no `Authorization` field with a known scheme.
    #[error("none presented")]
    Missing,
    /// There is more than one `Authorization` field line.
    #[error("more than one Authorization field")]
    Duplicated,
    /// The `Authorization` field is not `scheme 1*SP token68`.
    #[error("malformed Authorization field")]
    Malformed,
    /// The token was sent under a scheme that this resource does not accept.
    #[error("authentication scheme not enabled")]
    SchemeNotEnabled,
    /// The query contains an access token, and the option that rejects such requests is on.
    #[error("access token in the query")]
    TokenInQuery,
    /// The request target is rejected: there are several or conflicting hosts, the host is unknown, the target is `*`, the method
    /// is CONNECT, or the path is not a path of RFC 3986.
    #[error("request target rejected")]
    Target,
    /// The path of the request target has dot segments, plain or percent-encoded.
    #[error("request target with dot segments")]
    DotSegments,
    /// The header field in which a trusted proxy sends the client certificate is malformed.
    #[error("malformed client certificate field")]
    ClientCertificate,
    /// The header field in which a trusted proxy sends the client certificate is longer than the limit.
    #[error("client certificate field too long")]
    ClientCertificateTooLarge,
    /// The request was sent in TLS early data (RFC 8470 §5.2), and the option that rejects such requests is on.
    #[error("sent in early data")]
    EarlyData,
}

impl CredentialError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "credential.missing",
            Self::Duplicated => "credential.duplicated",
            Self::Malformed => "credential.malformed",
            Self::SchemeNotEnabled => "credential.scheme_not_enabled",
            Self::TokenInQuery => "credential.token_in_query",
            Self::Target => "credential.target",
            Self::DotSegments => "credential.dot_segments",
            Self::EarlyData => "credential.early_data",
            Self::ClientCertificate => "credential.client_certificate",
            Self::ClientCertificateTooLarge => "credential.client_certificate_too_large",
        }
    }
}
