/// Why no credentials could be taken from a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// There is no `Authorization` of a known scheme.
    #[error("none presented")]
    Missing,
    /// More than one `Authorization` field line.
    #[error("more than one Authorization field")]
    Duplicated,
    /// The field is not `scheme 1*SP token68`.
    #[error("malformed Authorization field")]
    Malformed,
    /// A token under a scheme that this resource does not accept.
    #[error("scheme not enabled here")]
    SchemeNotEnabled,
    /// An access token in the query, with the strict option on.
    #[error("access token in the query")]
    TokenInQuery,
    /// The request target cannot be a target of ours: several or conflicting hosts, an unknown host, `*`, CONNECT, or a
    /// path outside RFC 3986.
    #[error("request target refused")]
    Target,
    /// The path has dot segments, plain or percent-encoded.
    #[error("request target with dot segments")]
    DotSegments,
    /// The header field of a trusted proxy that carries the client's certificate cannot be read.
    #[error("malformed client certificate field")]
    ClientCertificate,
    /// That header field is longer than the limit.
    #[error("client certificate field too long")]
    ClientCertificateTooLarge,
    /// The request came in TLS early data (RFC 8470 §5.2), and the option to refuse that is on.
    #[error("sent in early data")]
    EarlyData,
}

impl CredentialError {
    /// The stable code.
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
