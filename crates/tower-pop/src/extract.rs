//! axum extractors: [`VerifiedToken`], `Option<VerifiedToken>` and [`Claims`].

use std::error::Error;
use std::fmt;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use pop_core::ClaimError;
use serde::de::DeserializeOwned;

use crate::rejection::{self, Rejection};
use crate::token::{Anonymous, VerifiedToken};

/// The rejection of the extractor [`VerifiedToken`].
#[derive(Debug)]
#[non_exhaustive]
pub enum VerifiedTokenRejection {
    /// The request has no credentials, and the mode is `Optional`: 401.
    Anonymous(Rejection),
    /// There is no [`PopLayer`](crate::PopLayer) around the route: 500.
    MissingLayer,
}

/// The rejection of the extractor [`Claims`].
#[derive(Debug)]
#[non_exhaustive]
pub enum ClaimsRejection {
    /// There is no verified token.
    Token(VerifiedTokenRejection),
    /// The claims do not deserialize into the type that the handler needs: 403, with the code `claim.shape`.
    Shape(Rejection),
}

impl fmt::Display for VerifiedTokenRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous(rejection) => rejection.fmt(f),
            Self::MissingLayer => {
                f.write_str("no verified token in the request: perhaps the PopLayer is missing on this route")
            }
        }
    }
}

impl Error for VerifiedTokenRejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Anonymous(rejection) => rejection.source(),
            Self::MissingLayer => None,
        }
    }
}

impl IntoResponse for VerifiedTokenRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Anonymous(rejection) => rejection.into_response(),
            Self::MissingLayer => rejection::missing_layer(),
        }
    }
}

impl fmt::Display for ClaimsRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(rejection) => rejection.fmt(f),
            Self::Shape(rejection) => rejection.fmt(f),
        }
    }
}

impl Error for ClaimsRejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Token(rejection) => rejection.source(),
            Self::Shape(rejection) => rejection.source(),
        }
    }
}

impl IntoResponse for ClaimsRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Token(rejection) => rejection.into_response(),
            Self::Shape(rejection) => rejection.into_response(),
        }
    }
}

/// ```
/// use tower_pop::VerifiedToken;
///
/// async fn hello(token: VerifiedToken) -> String {
///     format!("hello {}", token.subject().unwrap_or("?"))
/// }
/// ```
impl<S: Sync> FromRequestParts<S> for VerifiedToken {
    type Rejection = VerifiedTokenRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, VerifiedTokenRejection> {
        let extensions = &parts.extensions;
        match (extensions.get::<Self>(), extensions.get::<Anonymous>()) {
            (Some(token), _) => Ok(token.clone()),
            (None, Some(anonymous)) => Err(VerifiedTokenRejection::Anonymous(anonymous.reject())),
            (None, None) => Err(VerifiedTokenRejection::MissingLayer),
        }
    }
}

/// `None` for a request without credentials in mode `Optional`. Requests with wrong credentials are rejected by the layer.
impl<S: Sync> OptionalFromRequestParts<S> for VerifiedToken {
    type Rejection = VerifiedTokenRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, VerifiedTokenRejection> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(token) => Ok(Some(token)),
            Err(VerifiedTokenRejection::Anonymous(_)) => Ok(None),
            Err(missing) => Err(missing),
        }
    }
}

/// Deserializes the claims of the token. If they do not deserialize into `T`, the request is rejected with 403.
///
/// ```
/// use tower_pop::Claims;
///
/// #[derive(serde::Deserialize)]
/// struct Tenant {
///     tenant: String,
/// }
///
/// async fn handler(Claims(Tenant { tenant }): Claims<Tenant>) -> String {
///     tenant
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Claims<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Claims<T> {
    type Rejection = ClaimsRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ClaimsRejection> {
        let token = <VerifiedToken as FromRequestParts<S>>::from_request_parts(parts, state).await;
        let token = token.map_err(ClaimsRejection::Token)?;
        token.claims().map(Self).map_err(|_| ClaimsRejection::Shape(token.reject(ClaimError::Shape.into())))
    }
}
