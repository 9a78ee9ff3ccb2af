//! Private keys of ML-DSA. A private key is its seed of 32 bytes, from which everything else is derived (FIPS 204 §3.6.3).

use aws_lc_rs::signature::{self, KeyPair, PqdsaKeyPair, PqdsaSigningAlgorithm};
use zeroize::Zeroizing;

use super::{KeyError, Pair, SigningKey};
use crate::jose::{Algorithm, Json, MlDsa, Object, decode_array, encode};

/// The length of a seed, in bytes.
const SEED_LEN: usize = 32;
/// The length of a PKCS#8 document whose private key is a seed (RFC 9881 §6): 22 bytes come before the seed.
const PKCS8_LEN: usize = 22 + SEED_LEN;

/// ML-DSA keys as private JWKs (RFC 9964 §4).
impl SigningKey {
    /// Derives an ML-DSA key from its seed. The same seed gives the same key.
    ///
    /// # Errors
    /// [`KeyError`] if the algorithm is not ML-DSA.
    ///
    /// # Security
    /// The seed is the private key. It must be 32 random bytes of a secure generator, used for one parameter set only.
    pub fn from_ml_dsa_seed(seed: &[u8; SEED_LEN], algorithm: Algorithm) -> Result<Self, KeyError> {
        let set = algorithm.ml_dsa().ok_or(KeyError)?;
        Self::new(algorithm, Pair::MlDsa(from_seed(set, seed)?))
    }

    /// Reads a private JWK of ML-DSA: `kty`, `alg`, `pub` and `priv`, the seed. Other members are ignored.
    ///
    /// # Errors
    /// [`KeyError`] if a member is missing or malformed, or `pub` is not the public key of the seed.
    pub fn from_ml_dsa_jwk(jwk: &Object<'_>) -> Result<Self, KeyError> {
        let text = |name| jwk.get(name).and_then(Json::as_str).ok_or(KeyError);
        if text("kty")? != "AKP" {
            return Err(KeyError);
        }
        let seed = Zeroizing::new(decode_array::<SEED_LEN>(text("priv")?).map_err(|_| KeyError)?);
        let key = Self::from_ml_dsa_seed(&seed, Algorithm::from_name(text("alg")?).ok_or(KeyError)?)?;
        if key.inner.jwk["pub"].as_str() == Some(text("pub")?) { Ok(key) } else { Err(KeyError) }
    }

    /// Returns an ML-DSA key as a private JWK, with its seed in `priv`. Keep it secret.
    ///
    /// # Errors
    /// [`KeyError`] if the key is not one of ML-DSA.
    pub fn to_ml_dsa_jwk(&self) -> Result<Zeroizing<String>, KeyError> {
        let Pair::MlDsa(pair) = &self.inner.pair else {
            return Err(KeyError);
        };
        let der = to_pkcs8(pair)?;
        let seed = Zeroizing::new(encode(seed_of(&der).ok_or(KeyError)?));
        let public = self.inner.jwk["pub"].as_str().ok_or(KeyError)?;
        let alg = self.inner.algorithm.name();
        // Joined at once: a buffer that grows could leave copies of the seed in freed memory.
        let jwk = [r#"{"kty":"AKP","alg":""#, alg, r#"","pub":""#, public, r#"","priv":""#, &seed, r#""}"#].concat();
        Ok(Zeroizing::new(jwk))
    }
}

pub(super) fn algorithm(set: MlDsa) -> &'static PqdsaSigningAlgorithm {
    match set {
        MlDsa::MlDsa44 => &signature::ML_DSA_44_SIGNING,
        MlDsa::MlDsa65 => &signature::ML_DSA_65_SIGNING,
        MlDsa::MlDsa87 => &signature::ML_DSA_87_SIGNING,
    }
}

fn from_seed(set: MlDsa, seed: &[u8]) -> Result<PqdsaKeyPair, KeyError> {
    PqdsaKeyPair::from_seed(algorithm(set), seed).map_err(|_| KeyError)
}

/// A key without its seed is rejected: it could not be written again.
pub(super) fn from_pkcs8(set: MlDsa, der: &[u8]) -> Result<PqdsaKeyPair, KeyError> {
    let pair = PqdsaKeyPair::from_pkcs8(algorithm(set), der).map_err(|_| KeyError)?;
    let der = to_pkcs8(&pair)?;
    let from_seed = from_seed(set, seed_of(&der).ok_or(KeyError)?)?;
    if from_seed.public_key().as_ref() == pair.public_key().as_ref() { Ok(pair) } else { Err(KeyError) }
}

pub(super) fn to_pkcs8(pair: &PqdsaKeyPair) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    Ok(Zeroizing::new(pair.to_pkcs8v1().map_err(|_| KeyError)?.as_ref().to_vec()))
}

/// Returns the seed at the end of a PKCS#8 document of the crypto library.
fn seed_of(der: &[u8]) -> Option<&[u8]> {
    der.get(PKCS8_LEN - SEED_LEN..).filter(|seed| seed.len() == SEED_LEN)
}

pub(super) fn sign(pair: &PqdsaKeyPair, message: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut signature = vec![0; pair.algorithm().signature_len()];
    let len = pair.sign(message, &mut signature).map_err(|_| KeyError)?;
    if len == signature.len() { Ok(signature) } else { Err(KeyError) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{Family, JsonLimits};

    const SETS: [Algorithm; 3] = [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87];

    fn read(jwk: &str) -> Result<SigningKey, KeyError> {
        SigningKey::from_ml_dsa_jwk(&Object::parse(jwk.as_bytes(), JsonLimits::PROOF).unwrap())
    }

    /// V-05, JOSE-15, DPOP-44: the key of RFC 9964 appendix A, from its seed of 32 zero bytes.
    #[test]
    fn the_all_zero_seed_gives_the_key_of_the_rfc() {
        let key = SigningKey::from_ml_dsa_seed(&[0; 32], Algorithm::MlDsa44).unwrap();
        assert_eq!(key.thumbprint().to_string(), "T4xl70S7MT6Zeq6r9V9fPJGVn76wfnXJ21-gyo0Gu6o");
        let public = key.public_jwk()["pub"].as_str().unwrap().to_owned();
        assert!(public.starts_with("unH59k4Ru") && public.ends_with("DZgbTP07e7gEWzw4MFRrndjbDQ"));
        let zeros = "A".repeat(43);
        let jwk = format!(r#"{{"kty":"AKP","alg":"ML-DSA-44","pub":"{public}","priv":"{zeros}"}}"#);
        assert_eq!(*key.to_ml_dsa_jwk().unwrap(), jwk);
        assert_eq!(read(&jwk).unwrap().thumbprint(), key.thumbprint());
        let other = SigningKey::from_ml_dsa_seed(&[1; 32], Algorithm::MlDsa44).unwrap();
        assert_ne!(other.thumbprint(), key.thumbprint());
    }

    #[test]
    fn keys_survive_the_way_through_jwk_and_pkcs8() {
        for algorithm in SETS {
            let key = SigningKey::generate(algorithm).unwrap();
            let (jwk, der) = (key.to_ml_dsa_jwk().unwrap(), key.to_pkcs8_der().unwrap());
            assert_eq!(der.len(), PKCS8_LEN, "{algorithm}");
            for again in [read(&jwk).unwrap(), SigningKey::from_pkcs8_der(&der, algorithm).unwrap()] {
                assert_eq!(again.public_jwk(), key.public_jwk(), "{algorithm}");
                assert_eq!(*again.to_ml_dsa_jwk().unwrap(), *jwk, "{algorithm}");
            }
            for other in SETS.into_iter().filter(|other| *other != algorithm) {
                assert!(SigningKey::from_pkcs8_der(&der, other).is_err(), "{algorithm} as {other}");
            }
        }
    }

    /// RFC 9964 §7.3 and §7.4: the length of the seed, and that `pub` belongs to it.
    #[test]
    fn rejects_private_jwks_that_do_not_fit_together() {
        let key = SigningKey::from_ml_dsa_seed(&[7; 32], Algorithm::MlDsa44).unwrap();
        let jwk: serde_json::Value = serde_json::from_str(&key.to_ml_dsa_jwk().unwrap()).unwrap();
        assert!(read(&jwk.to_string()).is_ok());
        let other = SigningKey::from_ml_dsa_seed(&[8; 32], Algorithm::MlDsa44).unwrap().public_jwk();
        for (name, value) in [
            ("pub", other["pub"].clone()),
            ("pub", "AAAA".into()),
            ("alg", "ML-DSA-65".into()),
            ("alg", "ES256".into()),
            ("kty", "OKP".into()),
            ("priv", encode([7; 31]).into()),
            ("priv", encode([7; 33]).into()),
            ("priv", format!("{}=", encode([7; 32])).into()),
            ("priv", encode([6; 32]).into()),
            ("priv", 7.into()),
        ] {
            let mut wrong = jwk.clone();
            wrong[name] = value;
            assert_eq!(read(&wrong.to_string()).unwrap_err(), KeyError, "{name}");
            wrong.as_object_mut().unwrap().remove(name);
            assert_eq!(read(&wrong.to_string()).unwrap_err(), KeyError, "without {name}");
        }
    }

    #[test]
    fn other_kinds_of_keys_have_no_seed() {
        assert!(SigningKey::from_ml_dsa_seed(&[0; 32], Algorithm::Ed25519).is_err());
        assert!(SigningKey::generate(Algorithm::Ed25519).unwrap().to_ml_dsa_jwk().is_err());
        assert!(Algorithm::compiled_in().filter(|alg| matches!(alg.family(), Family::MlDsa(_))).eq(SETS));
        assert_eq!(Algorithm::ML_DSA, SETS);
    }
}
