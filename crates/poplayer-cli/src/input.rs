//! What the user gives: values, or files that have them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use http::Method;
use pop_core::jose::decode_standard;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The maximum length of a file with keys, a token or certificates, in bytes.
const MAX_LEN: u64 = 1 << 20;

/// Reads a small text file.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::input(format!("cannot read {}: {error}", path.display()));
    let mut text = String::new();
    File::open(path).map_err(failed)?.take(MAX_LEN + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_LEN {
        return Err(Failure::input(format!("{} is too large: expected at most 1 MiB", path.display())));
    }
    Ok(text)
}

/// Returns a text, or what is in the file that follows `@`, without the white space around it.
pub(crate) fn text_or_file(text: &str) -> Result<String, Failure> {
    match text.strip_prefix('@') {
        Some(path) => Ok(Zeroizing::new(read_text(path.as_ref())?).trim().to_owned()),
        None => Ok(text.to_owned()),
    }
}

/// Returns the bytes of a text, or of the file that follows `@`.
pub(crate) fn bytes_or_file(text: &str) -> Result<Vec<u8>, Failure> {
    match text.strip_prefix('@') {
        Some(path) => std::fs::read(path).map_err(|error| Failure::input(format!("cannot read {path}: {error}"))),
        None => Ok(text.as_bytes().to_vec()),
    }
}

/// Reads the first certificate of a PEM file.
pub(crate) fn first_certificate(path: &Path) -> Result<Vec<u8>, Failure> {
    let expected = || Failure::input(format!("{} is not a certificate: expected PEM", path.display()));
    let text = read_text(path)?;
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----").ok_or_else(expected)?;
    let (base64, _) = rest.split_once("-----END CERTIFICATE-----").ok_or_else(expected)?;
    let base64: String = base64.split_ascii_whitespace().collect();
    decode_standard(base64).map_err(|_| expected())
}

/// Parses a method.
pub(crate) fn method(name: &str) -> Result<Method, Failure> {
    Method::from_bytes(name.as_bytes())
        .map_err(|_| Failure::input(format!("{name:?} is not a method: expected such as GET")))
}
