//! Certificate fields of proxies: never a panic, and an element that a client puts in front changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop_core::proof::mtls::CertificateFormat;

const FORGED: &str = "Hash=0000000000000000000000000000000000000000000000000000000000000000;Subject=\"CN=a,b;c\",";

fuzz_target!(|value: &[u8]| {
    for format in [
        CertificateFormat::Rfc9440,
        CertificateFormat::EscapedPem,
        CertificateFormat::Base64Der,
        CertificateFormat::Traefik,
        CertificateFormat::Xfcc,
    ] {
        let read = format.read(value);
        assert_eq!(read, format.read(value));
        if format == CertificateFormat::Xfcc && read.is_ok() && !value.is_empty() {
            let appended = [FORGED.as_bytes(), value].concat();
            assert_eq!(format.read(&appended), read);
        }
    }
});
