//! The client's certificate of a request (RFC 8705 §6.5, RFC 9440). It comes from one of two places:
//!
//! 1. From the TLS connection: [`PeerCertificate`](crate::PeerCertificate) in the request extensions, put there by
//!    the module `tls` (feature `rustls`) or by another acceptor.
//! 2. From a header field of a proxy that terminates TLS, if the configuration trusts that proxy. The certificate of the
//!    connection is then the proxy's own, and never counts as the client's.
//!
//! Such fields from untrusted peers count as absent. [`PopLayer`](crate::PopLayer) removes them before the application
//! sees the request.

mod fields;
mod policy;
mod sources;

pub(crate) use self::policy::{CertificatePolicy, ClientCertificate};
pub use self::sources::{CertificateHeader, ClientCertificates, ProxyTrust};
