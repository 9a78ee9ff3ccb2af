//! The request as the arguments describe it, as curl reads them.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::arguments::CallArguments;
use crate::failure::Failure;
use crate::input::{self, bytes_or_file};
use crate::signed::{Draft, PROVING};

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

pub(super) fn of(arguments: &CallArguments) -> Result<Draft, Failure> {
    let content = content(arguments)?;
    let method = arguments.request.as_deref().unwrap_or(if content.is_some() { "POST" } else { "GET" });
    let method = input::method(method)?;
    let mut headers = HeaderMap::new();
    for line in &arguments.header {
        let expected = || Failure::input("-H: expected `Name: value`, with visible ASCII");
        let (name, value) = line.split_once(':').ok_or_else(expected)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| expected())?;
        if PROVING.contains(&name.as_str()) {
            return Err(Failure::input(format!("-H: {name} is what this program sets: expected another field")));
        }
        headers.append(name, HeaderValue::from_str(value.trim()).map_err(|_| expected())?);
    }
    if content.is_some() && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, FORM);
    }
    Ok(Draft { method, url: arguments.url.clone(), headers, content })
}

fn content(arguments: &CallArguments) -> Result<Option<Vec<u8>>, Failure> {
    if let Some(data) = &arguments.data_binary {
        return bytes_or_file(data).map(Some);
    }
    let parts = arguments.data.iter().map(|data| as_one_line(data)).collect::<Result<Vec<_>, _>>()?;
    Ok((!parts.is_empty()).then(|| parts.join(&b'&')))
}

/// Removes the line breaks of a file, not those of the argument, as curl does.
fn as_one_line(data: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = bytes_or_file(data)?;
    if data.starts_with('@') {
        bytes.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
    }
    Ok(bytes)
}
