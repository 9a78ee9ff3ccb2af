//! Private keys in files: PKCS#8 as PEM, readable by the owner only.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use pop_client::{Algorithm, DpopKey};
use pop_core::jose::{decode_standard, encode_standard};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::input::read_text;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// Returns the key in PKCS#8 as PEM.
pub(crate) fn to_pem(key: &DpopKey) -> Result<Zeroizing<String>, Failure> {
    let der = key.to_pkcs8_der().map_err(|error| Failure::failed(error.to_string()))?;
    let base64 = Zeroizing::new(encode_standard(&*der));
    let mut pem = Zeroizing::new(format!("{BEGIN}\n"));
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = next;
    }
    pem.push_str(END);
    pem.push('\n');
    Ok(pem)
}

/// Writes a secret to a file that only its owner can read.
pub(crate) fn write_secret(path: &Path, secret: &str, overwrite: bool) -> Result<(), Failure> {
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure::input(format!("{} exists: expected a new file, or --force to overwrite it", path.display()))
        }
        _ => Failure::input(format!("cannot write {}: {error}", path.display())),
    };
    // A new file beside the old one: the mode of an existing file would stay, and a reader must never see a half.
    let target = if overwrite { beside(path).map_err(failed)? } else { path.to_owned() };
    let mut file = create(&target).map_err(failed)?;
    let written = file.write_all(secret.as_bytes()).and_then(|()| file.sync_all());
    let written = written.and_then(|()| if overwrite { std::fs::rename(&target, path) } else { Ok(()) });
    written.map_err(|error| {
        let _ = std::fs::remove_file(&target); // no half of a key stays
        failed(error)
    })
}

/// Returns a new name beside a file, which no other run of this program has.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}", std::process::id()));
    Ok(path.with_file_name(name))
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Reads a private key. Without an algorithm, it is the usual one of the key.
pub(crate) fn read(path: &Path, algorithm: Option<Algorithm>) -> Result<DpopKey, Failure> {
    let expected = || {
        Failure::input(format!(
            "{} is not a private key: expected PKCS#8 as PEM ({BEGIN}), as `poplayer keygen` writes it",
            path.display()
        ))
    };
    let text = Zeroizing::new(read_text(path)?);
    let start = text.find(BEGIN).ok_or_else(expected)? + BEGIN.len();
    let body = text.get(start..).and_then(|rest| rest.split(END).next()).ok_or_else(expected)?;
    let base64 = Zeroizing::new(body.split_ascii_whitespace().collect::<String>());
    let der = Zeroizing::new(decode_standard(base64.as_str()).map_err(|_| expected())?);
    let usual = [Algorithm::ES256, Algorithm::ES384, Algorithm::ES512, Algorithm::Ed25519, Algorithm::PS256];
    let usual = || usual.into_iter().chain(Algorithm::ML_DSA.iter().copied());
    let mut tried = algorithm.map_or_else(|| usual().collect(), |algorithm| vec![algorithm]).into_iter();
    tried.find_map(|algorithm| DpopKey::from_pkcs8_der(&der, algorithm).ok()).ok_or_else(|| match algorithm {
        Some(algorithm) => Failure::input(format!("{} is not a key for {}", path.display(), algorithm.name())),
        None => expected(),
    })
}

/// Parses the name of a signature algorithm.
pub(crate) fn algorithm(name: &str) -> Result<Algorithm, String> {
    let found = Algorithm::from_name(name).filter(|algorithm| *algorithm != Algorithm::EdDSA);
    found.ok_or_else(|| {
        let others = Algorithm::compiled_in().filter(|algorithm| *algorithm != Algorithm::EdDSA);
        format!("expected {}", others.map(Algorithm::name).collect::<Vec<_>>().join(", "))
    })
}
