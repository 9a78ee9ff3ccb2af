//! Client certificates in the header fields of proxies that terminate TLS (RFC 8705 §6.5, RFC 9440).

mod header;
mod pem;
mod xfcc;

pub use self::header::CertificateFormat;
