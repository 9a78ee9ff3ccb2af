//! The demo page: a web page that calls the API, and attacks it.

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::routing::get;
use pop_authserver::Client;

/// The files, with their paths and media types.
const FILES: [(&str, &str, &str); 5] = [
    ("/demo", "text/html; charset=utf-8", include_str!("../page/index.html")),
    ("/demo/style.css", "text/css; charset=utf-8", include_str!("../page/style.css")),
    ("/demo/page.js", "text/javascript; charset=utf-8", include_str!("../page/page.js")),
    ("/demo/proof.js", "text/javascript; charset=utf-8", include_str!("../page/proof.js")),
    ("/demo/sign-in.js", "text/javascript; charset=utf-8", include_str!("../page/sign-in.js")),
];

/// Returns the routes of the page. It may connect to its own origin and to the authorization server, and do nothing else.
///
/// # Errors
/// The issuer cannot be written in a header field.
pub(crate) fn router(issuer: &str) -> Result<Router, axum::http::header::InvalidHeaderValue> {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {issuer}; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    );
    let policy = HeaderValue::try_from(policy)?;
    Ok(FILES.iter().fold(Router::new(), |router, (path, media_type, text)| {
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static(media_type)),
            (CONTENT_SECURITY_POLICY, policy.clone()),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ];
        let text = *text;
        router.route(path, get(move || async move { (headers, text) }))
    }))
}

/// Returns the page as a client of the authorization server: where the API is, and at other origins that may call it.
pub(crate) fn client<'o>(public_url: &str, origins: impl Iterator<Item = &'o str>) -> Client {
    let client = Client::public("demo-page").scopes("notes:read notes:write").dpop_bound_access_tokens();
    let client = client.redirect_uri(format!("{public_url}/demo"));
    origins.fold(client, |client, origin| client.redirect_uri(format!("{origin}/demo")))
}
