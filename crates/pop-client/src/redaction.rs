//! URLs in errors and logs. Queries, fragments and userinfo can hold secrets, so none of them is shown.

use reqwest::Url;

/// Characters that are kept of a URL.
const MAX_LEN: usize = 200;

/// Returns the URL without query, fragment and userinfo.
pub(crate) fn redacted(url: &Url) -> String {
    redacted_str(url.as_str())
}

/// As [`redacted`], for a string that may not be a URL.
pub(crate) fn redacted_str(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let at = url.find("//").map_or(0, |at| at + 2);
    let (scheme, rest) = url.split_at_checked(at).unwrap_or(("", url));
    let end = rest.find(['/', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}{host}{path}").chars().take(MAX_LEN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CLI-11: both may hold secrets.
    #[test]
    fn shows_urls_without_query_and_userinfo() {
        for (url, expected) in [
            ("https://as.example/token?code=secret", "https://as.example/token"),
            ("https://user:secret@as.example/token#secret", "https://as.example/token"),
            ("https://user:se@cret@as.example", "https://as.example"),
            ("user:secret@host/path", "host/path"),
            ("http://[::1]:9400/a@b", "http://[::1]:9400/a@b"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(redacted_str(url), expected, "CLI-11");
        }
    }
}
