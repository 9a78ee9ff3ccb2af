//! axum extractors: [`VerifiedToken`], `Option<VerifiedToken>` and [`Claims`].

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use pop_core::ClaimError;
use serde::de::DeserializeOwned;

use crate::rejection;
use crate::token::{Anonymous, VerifiedToken};

/// Why an extractor had nothing to give.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExtractRejection {
    /// The request came without credentials, in mode `Optional`, to a handler that needs them: 401.
    Anonymous(crate::Rejection),
    /// No `PopLayer` saw the request: 500.
    MissingLayer,
    /// The verified claims do not have the shape that the handler asks for: 403, `claim.shape`.
    Claims(crate::Rejection),
}

impl IntoResponse for ExtractRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Anonymous(rejection) | Self::Claims(rejection) => rejection.into_response(),
            Self::MissingLayer => rejection::missing_layer(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for VerifiedToken {
    type Rejection = ExtractRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ExtractRejection> {
        let extensions = &parts.extensions;
        if let Some(token) = extensions.get::<Self>() {
            return Ok(token.clone());
        }
        match extensions.get::<Anonymous>() {
            Some(anonymous) => Err(ExtractRejection::Anonymous(anonymous.reject())),
            None => Err(ExtractRejection::MissingLayer),
        }
    }
}

/// `None` for a request without credentials in mode `Optional`; wrong credentials never get here.
impl<S: Sync> OptionalFromRequestParts<S> for VerifiedToken {
    type Rejection = ExtractRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, ExtractRejection> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(token) => Ok(Some(token)),
            Err(ExtractRejection::Anonymous(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }
}

/// The token's claims, read into a type of the application's. Claims of another shape are 403.
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
    type Rejection = ExtractRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ExtractRejection> {
        let token = <VerifiedToken as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        token.claims().map(Self).map_err(|_| ExtractRejection::Claims(token.reject(ClaimError::Shape.into())))
    }
}
