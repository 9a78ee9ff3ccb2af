//! ML-DSA (RFC 9964): keys of type `AKP` in proofs, confirmations and key sets, and the limits that they need.

mod bindings;
mod config;
mod keys;
mod limits;
mod proofs;
mod rfc9964;
mod tokens;

use pop_authserver::{Algorithm, DpopKey};
use pop_core::jose::crypto::CryptoBackend;
use tower_pop::PopConfigBuilder;

use crate::support::{Api, api_with};

const ALL: [Algorithm; 3] = [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87];

/// A resource that accepts one algorithm of proofs, and whose client has such a key. The token is signed with ES256.
fn api_for_proofs(algorithm: Algorithm, configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder) -> Api {
    let mut api =
        api_with(|builder| configure(builder.crypto_backend(CryptoBackend::AwsLcRs).proof_algorithms([algorithm])));
    api.key = DpopKey::generate(algorithm).unwrap();
    api
}
