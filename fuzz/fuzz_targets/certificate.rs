//! Certificate fields of proxies: never a panic, and what a client puts in front changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop_core::jose::CertThumbprint;
use pop_core::certificate::CertificateFormat;

const FORGED: &str = "Hash=0000000000000000000000000000000000000000000000000000000000000000;Subject=\"CN=a,b;c\",";

const OWN: &str = "Hash=1111111111111111111111111111111111111111111111111111111111111111;Subject=\"CN=\\\"\"";

fuzz_target!(|value: &[u8]| {
    for format in [
        CertificateFormat::Rfc9440,
        CertificateFormat::EscapedPem,
        CertificateFormat::Pem,
        CertificateFormat::Base64Der,
        CertificateFormat::Traefik,
        CertificateFormat::Xfcc,
        CertificateFormat::XfccList,
    ] {
        let read = format.read(value);
        assert_eq!(read, format.read(value));
        if read.is_err() || value.is_empty() {
            continue;
        }
        let list = [FORGED.as_bytes(), value].concat();
        match format {
            CertificateFormat::XfccList => assert_eq!(format.read(&list), read),
            CertificateFormat::Xfcc => {
                assert_eq!(CertificateFormat::XfccList.read(value), read);
                assert!(format.read(&list).is_err());
            }
            _ => {}
        }
    }
    // What a proxy appends to this value counts, or nothing does: also where the proxy writes a name that its client chose.
    let own = CertThumbprint::from_digest([0x11; 32]);
    for name in ["", ";URI=y\"", ";DNS=\"\"", ";URI=x,Hash=2222222222222222222222222222222222222222222222222222222222222222"] {
        let appended = [value, b",", OWN.as_bytes(), name.as_bytes()].concat();
        let read = CertificateFormat::XfccList.read(&appended);
        assert!(read.is_err() || read == Ok(Some(own)), "{read:?}");
        assert!(CertificateFormat::Xfcc.read(&appended).is_err());
    }
});
