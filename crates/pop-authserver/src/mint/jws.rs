//! The JWS that tokens and proofs have in common.

use pop_client::{DpopKey, KeyError};
use pop_core::jose::encode;
use serde_json::{Map, Value};

/// Header, claims and key of a JWS that is not signed yet, and its defects.
#[derive(Debug, Clone)]
pub(super) struct JwsDraft {
    pub(super) key: DpopKey,
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    pub(super) raw_header: Option<String>,
    pub(super) raw_payload: Option<String>,
    pub(super) defect: Defect,
}

/// A defect of the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    None,
    TamperedSignature,
    AlgNone,
}

impl JwsDraft {
    pub(super) fn new(key: &DpopKey, header: Value, claims: Value) -> Self {
        let object = |value| match value {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        Self {
            key: key.clone(),
            header: object(header),
            claims: object(claims),
            raw_header: None,
            raw_payload: None,
            defect: Defect::None,
        }
    }

    /// Returns the compact JWS.
    pub(super) fn mint(&self) -> Result<String, KeyError> {
        let mut header = self.header.clone();
        if self.defect == Defect::AlgNone {
            header.insert("alg".into(), "none".into());
        }
        let header = self.raw_header.clone().unwrap_or_else(|| Value::Object(header).to_string());
        let payload = self.raw_payload.clone().unwrap_or_else(|| Value::Object(self.claims.clone()).to_string());
        match self.defect {
            Defect::AlgNone => Ok(format!("{}.{}.", encode(header), encode(payload))),
            Defect::None => self.key.sign_jws(&header, &payload),
            Defect::TamperedSignature => {
                let message = format!("{}.{}", encode(header), encode(payload));
                let mut signature = self.key.sign(message.as_bytes())?;
                if let Some(byte) = signature.get_mut(8) {
                    *byte ^= 1;
                }
                Ok(format!("{message}.{}", encode(signature)))
            }
        }
    }
}

/// The methods that [`TokenMint`](super::TokenMint) and [`ProofMint`](super::ProofMint) have in common.
macro_rules! jws_methods {
    () => {
        /// Sets a header parameter.
        pub fn header(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
            self.draft.header.insert(name.into(), value.into());
            self
        }

        /// Removes a header parameter.
        pub fn without_header(mut self, name: &str) -> Self {
            self.draft.header.remove(name);
            self
        }

        /// Sets a claim.
        pub fn claim(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
            self.draft.claims.insert(name.into(), value.into());
            self
        }

        /// Removes a claim.
        pub fn without(mut self, name: &str) -> Self {
            self.draft.claims.remove(name);
            self
        }

        /// Replaces the JSON of the header, for duplicate members and similar defects. Overrides the other header
        /// methods.
        pub fn raw_header(mut self, json: impl Into<String>) -> Self {
            self.draft.raw_header = Some(json.into());
            self
        }

        /// Replaces the payload. Overrides the other claim methods.
        pub fn raw_payload(mut self, payload: impl Into<String>) -> Self {
            self.draft.raw_payload = Some(payload.into());
            self
        }

        /// Returns the JSON of the header, as a start for [`raw_header`](Self::raw_header).
        #[must_use]
        pub fn header_text(&self) -> String {
            serde_json::Value::Object(self.draft.header.clone()).to_string()
        }

        /// Returns the JSON of the payload, as a start for [`raw_payload`](Self::raw_payload).
        #[must_use]
        pub fn payload_text(&self) -> String {
            serde_json::Value::Object(self.draft.claims.clone()).to_string()
        }

        /// Signs with another key. The header does not change.
        pub fn signed_by(mut self, key: &pop_client::DpopKey) -> Self {
            self.draft.key = key.clone();
            self
        }

        /// Flips one bit of the signature. Replaces [`alg_none`](Self::alg_none).
        pub fn tampered_signature(mut self) -> Self {
            self.draft.defect = super::jws::Defect::TamperedSignature;
            self
        }

        /// Sets `alg` to `none`, with an empty signature. Replaces [`tampered_signature`](Self::tampered_signature).
        pub fn alg_none(mut self) -> Self {
            self.draft.defect = super::jws::Defect::AlgNone;
            self
        }

        /// Returns the compact JWS.
        ///
        /// # Panics
        /// When the key cannot sign. [`try_mint`](Self::try_mint) returns an error instead.
        #[must_use]
        pub fn mint(&self) -> String {
            match self.try_mint() {
                Ok(jws) => jws,
                Err(error) => panic!("the key cannot sign: {error}"),
            }
        }

        /// Returns the compact JWS.
        ///
        /// # Errors
        /// [`KeyError`](crate::KeyError) when the key cannot sign.
        pub fn try_mint(&self) -> Result<String, pop_client::KeyError> {
            self.draft.mint()
        }
    };
}

pub(super) use jws_methods;
