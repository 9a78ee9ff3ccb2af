//! `keygen` and `jwks`: what they write, and what they never show.

use std::os::unix::fs::PermissionsExt;

use pop_client::{Algorithm, DpopKey};
use pop_core::jose::decode_standard;

use crate::support::{Folder, poplayer};

#[test]
fn generates_keys_that_the_owner_alone_can_read() {
    let folder = Folder::new("keygen");
    let ml_dsa = Algorithm::ML_DSA.iter().copied().map(Algorithm::name);
    for algorithm in ["ES256", "ES384", "ES512", "Ed25519", "PS256", "RS256"].into_iter().chain(ml_dsa) {
        let path = folder.path(algorithm);
        let ran = poplayer(&["keygen", "--alg", algorithm, "--out", &path, "--json"]);
        assert_eq!(ran.status, 0, "{ran:?}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{algorithm}");
        let pem = std::fs::read_to_string(&path).unwrap();
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let algorithm = Algorithm::from_name(algorithm).unwrap();
        let key = DpopKey::from_pkcs8_der(&decode_standard(&base64).unwrap(), algorithm).unwrap();
        let report = ran.json();
        assert_eq!((&report["jwk"], &report["jkt"]), (&key.public_jwk(), &key.thumbprint().to_string().into()));
        let private = &base64[base64.len() - 24..];
        assert!(!format!("{ran:?}").contains(private) && report["jwk"].get("d").is_none(), "no private key is shown");
        let jwks = poplayer(&["jwks", "--alg", algorithm.name(), &path]).json();
        assert_eq!((&jwks["keys"][0]["kid"], &jwks["keys"][0]["alg"]), (&report["jkt"], &algorithm.name().into()));
        assert!(jwks["keys"][0].get("d").is_none() && jwks["keys"][0].get("priv").is_none());
        if algorithm != Algorithm::RS256 {
            assert_eq!(poplayer(&["jwks", &path]).json(), jwks, "{algorithm} is the usual algorithm of its key");
        }
    }
}

#[test]
fn overwrites_a_key_only_with_force() {
    let folder = Folder::new("keygen-force");
    let path = folder.file("key.pem", "precious");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    poplayer(&["keygen", "-o", &path]).is_rejected("expected a new file, or --force");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    assert_eq!(poplayer(&["keygen", "-o", &path, "--force"]).status, 0);
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("-----BEGIN PRIVATE KEY-----"));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "whatever the old mode was");
    assert_eq!(std::fs::read_dir(folder.path("")).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn prints_a_private_key_only_if_it_is_asked_for_by_name() {
    let printed = poplayer(&["keygen", "--print-private-key"]);
    assert!(printed.status == 0 && printed.out.starts_with("-----BEGIN PRIVATE KEY-----"), "{printed:?}");
    poplayer(&["keygen"]).is_rejected("--out <FILE>");
    poplayer(&["keygen", "--print-private-key", "--json"]).is_rejected("cannot be used with");
}

#[test]
fn says_in_one_line_what_it_expects() {
    let folder = Folder::new("keys-bad");
    let (text, missing) = (folder.file("text", "no key"), folder.path("missing"));
    poplayer(&["keygen", "--alg", "HS256", "-o", &missing]).is_rejected("expected ES256");
    poplayer(&["jwks", &text]).is_rejected("expected PKCS#8 as PEM");
    poplayer(&["jwks", &missing]).is_rejected("cannot read");
    poplayer(&["keygen", "--bogus"]).is_rejected("Usage: poplayer keygen");
    poplayer(&["bogus"]).is_rejected("unrecognized subcommand");
    let twin = folder.path("twin");
    assert_eq!(poplayer(&["keygen", "-o", &twin]).status, 0);
    assert_eq!(poplayer(&["jwks", &twin, &twin]).json()["keys"].as_array().unwrap().len(), 2);
    poplayer(&["jwks", "--alg", "PS256", &twin]).is_rejected("is not a key for PS256");
}
