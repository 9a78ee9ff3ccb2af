//! The parameters of token requests, one function for each grant (RFC 6749 §4, §6).

/// Form parameters.
pub(crate) type Form<'f> = Vec<(&'static str, &'f str)>;

/// RFC 6749 §4.4, with `resource` of RFC 8707.
pub(crate) fn client_credentials<'f>(scope: Option<&'f str>, resource: Option<&'f str>) -> Form<'f> {
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend(scope.map(|scope| ("scope", scope)));
    form.extend(resource.map(|resource| ("resource", resource)));
    form
}

/// RFC 6749 §4.1.3, with the PKCE verifier of RFC 7636 §4.5.
pub(crate) fn authorization_code<'f>(code: &'f str, redirect_uri: &'f str, verifier: &'f str) -> Form<'f> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier),
    ]
}

/// RFC 6749 §6
pub(crate) fn refresh_token(token: &str) -> Form<'_> {
    vec![("grant_type", "refresh_token"), ("refresh_token", token)]
}
