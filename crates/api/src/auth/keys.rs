//! The keys that tokens are checked with. Each is good for one algorithm, which follows from what kind of key it is and never
//! from what a token says, so that no token can have a public key taken for a shared secret.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;
use serde_json::Value;

use super::Refusal;

/// The sizes of an RSA modulus that are accepted, in bytes: at least 2048 bits (RFC 7518 section 3.3), at most what the
/// library takes.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// The size of a coordinate of P-256 and of a public key of Ed25519.
const POINT_BYTES: usize = 32;

/// A key and the one algorithm that it is good for.
#[derive(Clone, Debug)]
pub(super) struct TokenKey {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// The public keys of those who issue tokens.
#[derive(Clone, Debug)]
pub(super) struct KeySet {
    /// Never empty; no two share an id.
    keys: Vec<TokenKey>,
    /// How many more the document holds, which are of other kinds, for other purposes, too weak or damaged.
    ignored: usize,
}

/// A JWK set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// The file is not there, or closed to the service.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// No set of public keys is that large.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// Not a JSON object with a list of `keys`.
    #[error("it is no JWK set (RFC 7517 section 5): a fault at line {line}, column {column}")]
    Malformed {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A set without a public key that tokens can be checked with.
    #[error("it holds no usable key: an RSA key of 2048 to 4096 bits, a P-256 key or an Ed25519 key, for signatures")]
    NoUsableKey,
    /// Nobody could say which of them is meant.
    #[error("two of its keys have the same id (kid)")]
    RepeatedKeyId,
}

impl TokenKey {
    /// The secret that issuers and this service share, for HS256.
    pub(super) fn secret(secret_key: &[u8]) -> Self {
        Self {
            id: None,
            algorithm: Algorithm::HS256,
            key: DecodingKey::from_secret(secret_key),
        }
    }
}

impl KeySet {
    /// The usable keys of a JWK set. What is not understood is left out (RFC 7517 section 5).
    pub(super) fn parse(document: &[u8]) -> Result<Self, JwksError> {
        let document: JwkSet = serde_json::from_slice(document).map_err(|error| JwksError::Malformed {
            line: error.line(),
            column: error.column(),
        })?;
        let total = document.keys.len();
        let keys: Vec<TokenKey> = document.keys.into_iter().filter_map(Jwk::usable).collect();
        let mut ids: Vec<_> = keys.iter().filter_map(|key| key.id.as_deref()).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(JwksError::RepeatedKeyId);
        }
        let ignored = total - keys.len();
        if keys.is_empty() {
            return Err(JwksError::NoUsableKey);
        }
        Ok(Self { keys, ignored })
    }

    /// How many keys can be used.
    pub(super) fn usable(&self) -> usize {
        self.keys.len()
    }

    /// How many keys are left out.
    pub(super) fn ignored(&self) -> usize {
        self.ignored
    }

    /// The key of this id. A token may leave the id out where there is but one key.
    pub(super) fn find(&self, id: Option<&str>) -> Result<&TokenKey, Refusal> {
        match (id, self.keys.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => Err(Refusal::NoKeyId),
            (Some(id), keys) => {
                let named = keys.iter().find(|key| key.id.as_deref() == Some(id));
                named.ok_or(Refusal::UnknownKey)
            }
        }
    }
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

/// A JSON Web Key (RFC 7517 section 4), with the members of the kinds that are accepted (RFC 7518 section 6, RFC 8037).
#[derive(Deserialize)]
struct Jwk {
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    #[serde(flatten)]
    material: Material,
}

#[derive(Deserialize)]
#[serde(tag = "kty")]
enum Material {
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
    #[serde(rename = "EC")]
    EllipticCurve { crv: String, x: String, y: String },
    #[serde(rename = "OKP")]
    OctetKeyPair { crv: String, x: String },
}

impl Jwk {
    /// The key that `value` describes, if tokens can be checked with it.
    fn usable(value: Value) -> Option<TokenKey> {
        let jwk: Self = serde_json::from_value(value).ok()?;
        let is_for_signatures = jwk.r#use.is_none_or(|purpose| purpose == "sig")
            && jwk
                .key_ops
                .is_none_or(|uses| uses.iter().any(|usage| usage == "verify"));
        if !is_for_signatures {
            return None;
        }
        let (algorithm, key) = jwk.material.key()?;
        // The name of an algorithm is how the library writes it.
        let is_for_algorithm = jwk.alg.is_none_or(|name| name.parse() == Ok(algorithm));
        // A point that is not on its curve is found out only when the key is used.
        let is_sound = crypto::verify("", b"", &key, algorithm).is_ok();
        (is_for_algorithm && is_sound).then_some(TokenKey {
            id: jwk.kid,
            algorithm,
            key,
        })
    }
}

impl Material {
    /// The key and the algorithm that goes with its kind.
    fn key(&self) -> Option<(Algorithm, DecodingKey)> {
        match self {
            Self::Rsa { n, e } => {
                let (modulus, exponent) = (decode(n)?, decode(e)?);
                let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
                let is_strong = RSA_MODULUS_BYTES.contains(&(modulus.len() - zeros));
                let key = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
                is_strong.then_some((Algorithm::RS256, key))
            }
            Self::EllipticCurve { crv, x, y } => {
                let is_right = crv == "P-256" && is_point(x) && is_point(y);
                let key = DecodingKey::from_ec_components(x, y).ok()?;
                is_right.then_some((Algorithm::ES256, key))
            }
            Self::OctetKeyPair { crv, x } => {
                let is_right = crv == "Ed25519" && is_point(x);
                let key = DecodingKey::from_ed_components(x).ok()?;
                is_right.then_some((Algorithm::EdDSA, key))
            }
        }
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

fn is_point(text: &str) -> bool {
    decode(text).is_some_and(|bytes| bytes.len() == POINT_BYTES)
}
