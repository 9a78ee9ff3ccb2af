//! The deviations from RFC 9068 of authorization servers that many people use.

use super::{ClaimName, TokenAllowances, TokenKind};
use crate::names::named;

/// A product whose access tokens deviate from RFC 9068 in a known way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum IssuerProfile {
    /// No deviation: RFC 9068.
    #[default]
    Rfc9068,
    /// Auth0, with its default token profile or that of RFC 9068.
    Auth0,
    /// Amazon Cognito user pools.
    Cognito,
    /// Duende IdentityServer.
    Duende,
    /// Microsoft Entra ID, tokens of version 2.0.
    Entra,
    /// Microsoft Entra ID, tokens of version 1.0.
    EntraV1,
    /// Keycloak.
    Keycloak,
    /// The npm package `oidc-provider`.
    OidcProvider,
    /// Custom authorization servers of Okta.
    Okta,
    /// PingOne and PingFederate.
    Ping,
    /// ZITADEL.
    Zitadel,
}

named!("an issuer profile", IssuerProfile {
    Rfc9068 = "rfc9068",
    Auth0 = "auth0",
    Cognito = "cognito",
    Duende = "duende",
    Entra = "entra",
    EntraV1 = "entra-v1",
    Keycloak = "keycloak",
    OidcProvider = "oidc-provider",
    Okta = "okta",
    Ping = "ping",
    Zitadel = "zitadel",
});

impl IssuerProfile {
    /// Returns the deviations of this product, and what tells its access tokens from its other tokens.
    #[must_use]
    pub fn allowances(self) -> TokenAllowances {
        let strict = TokenAllowances::default();
        let untyped = TokenAllowances { typ_jwt: true, ..strict };
        let named = TokenAllowances { kind: TokenKind::ClientClaim, ..untyped };
        let client_id_in = ClaimName::of_client_id;
        match self {
            Self::Rfc9068 | Self::OidcProvider => strict,
            Self::Auth0 => TokenAllowances { client_id_claim: client_id_in("azp"), missing_jti: true, ..named },
            Self::Cognito => TokenAllowances { kind: TokenKind::TokenUseClaim, ..untyped },
            Self::Duende => TokenAllowances { scope_array: true, missing_sub: true, ..strict },
            Self::Entra => TokenAllowances {
                client_id_claim: client_id_in("azp"),
                scope_claim: ClaimName::of_scopes("scp"),
                missing_jti: true,
                ..named
            },
            Self::EntraV1 => TokenAllowances { client_id_claim: client_id_in("appid"), ..Self::Entra.allowances() },
            Self::Keycloak => {
                TokenAllowances { client_id_claim: client_id_in("azp"), kind: TokenKind::TypClaim, ..untyped }
            }
            Self::Okta => TokenAllowances {
                client_id_claim: client_id_in("cid"),
                scope_claim: ClaimName::of_scopes("scp"),
                ..named
            },
            Self::Ping => TokenAllowances { scope_array: true, missing_sub: true, missing_jti: true, ..named },
            Self::Zitadel => TokenAllowances { kind: TokenKind::JtiClaim, ..untyped },
        }
    }
}
