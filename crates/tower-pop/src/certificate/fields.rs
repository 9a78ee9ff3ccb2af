//! The header fields that carry certificates.

/// The fields in which proxies and load balancers pass certificates, or parts of them. They are removed from requests of
/// untrusted peers.
pub(super) const FIELDS: [&str; 28] = [
    "client-cert",
    "client-cert-chain",
    "x-forwarded-client-cert",
    "x-forwarded-tls-client-cert",
    "x-forwarded-tls-client-cert-info",
    "ssl-client-cert",
    "x-ssl-client-cert",
    "x-ssl-client-escaped-cert",
    "x-ssl-client-der",
    "x-ssl-client-verify",
    "x-ssl-client-fingerprint",
    "x-ssl-client-dn",
    "x-client-cert",
    "x-ssl-cert",
    "x-ssl-client-s-dn",
    "x-ssl-client-i-dn",
    "x-ssl-client-sha1",
    "x-ssl-client-serial",
    "ssl-client-verify",
    "ssl-client-subject-dn",
    "ssl-client-issuer-dn",
    "x-arr-clientcert",
    "x-amzn-mtls-clientcert",
    "x-amzn-mtls-clientcert-leaf",
    "x-amzn-mtls-clientcert-serial-number",
    "x-amzn-mtls-clientcert-issuer",
    "x-amzn-mtls-clientcert-subject",
    "x-amzn-mtls-clientcert-validity",
];
