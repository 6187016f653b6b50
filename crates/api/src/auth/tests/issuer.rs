//! Somebody who issues tokens, with one of the test keys.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto, get_current_timestamp, jwk::Jwk};
use serde_json::{Value, json};

pub(super) const SECRET_KEY: &[u8] = b"the secret key of the tests only";
pub(super) const ISSUER: &str = "https://issuer.example";
pub(super) const AUDIENCE: &str = "users-api";

/// A key, its name, and what it signs by.
pub(super) struct Issuer {
    pub(super) id: &'static str,
    pub(super) algorithm: Algorithm,
    pub(super) key: EncodingKey,
}

impl Issuer {
    pub(super) fn rsa() -> Self {
        let key = EncodingKey::from_rsa_pem(include_bytes!("../../../tests/keys/rsa.pem")).unwrap();
        Self::new("of-rsa", Algorithm::RS256, key)
    }

    pub(super) fn weak_rsa() -> Self {
        let key = EncodingKey::from_rsa_pem(include_bytes!("../../../tests/keys/rsa_1024.pem")).unwrap();
        Self::new("of-weak-rsa", Algorithm::RS256, key)
    }

    pub(super) fn p256() -> Self {
        let key = EncodingKey::from_ec_pem(include_bytes!("../../../tests/keys/p256.pem")).unwrap();
        Self::new("of-p256", Algorithm::ES256, key)
    }

    pub(super) fn other_p256() -> Self {
        let key = EncodingKey::from_ec_pem(include_bytes!("../../../tests/keys/p256_other.pem")).unwrap();
        Self::new("of-other-p256", Algorithm::ES256, key)
    }

    pub(super) fn ed25519() -> Self {
        let key = EncodingKey::from_ed_pem(include_bytes!("../../../tests/keys/ed25519.pem")).unwrap();
        Self::new("of-ed25519", Algorithm::EdDSA, key)
    }

    pub(super) fn secret() -> Self {
        Self::new("of-secret", Algorithm::HS256, EncodingKey::from_secret(SECRET_KEY))
    }

    pub(super) fn new(id: &'static str, algorithm: Algorithm, key: EncodingKey) -> Self {
        Self { id, algorithm, key }
    }

    /// The public key as it stands in a JWK set.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap()).unwrap();
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk
    }

    pub(super) fn header(&self) -> Value {
        json!({"alg": self.algorithm, "typ": "JWT", "kid": self.id})
    }

    /// A token with these claims.
    pub(super) fn token(&self, claims: &Value) -> String {
        self.sign(&self.header(), &claims.to_string())
    }

    /// A token with this header and these claims, whatever they say.
    pub(super) fn sign(&self, header: &Value, claims: &str) -> String {
        let parts = [header.to_string().as_str(), claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        let message = parts.join(".");
        let signature = crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }
}

/// A JWK set with the public keys of these.
pub(super) fn set(issuers: &[&Issuer]) -> Value {
    json!({"keys": issuers.iter().map(|issuer| issuer.jwk()).collect::<Vec<_>>()})
}

/// Claims that there is nothing against.
pub(super) fn claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "scope": "users:read", "exp": in_seconds(300)})
}

/// The same with one of them changed; taken away if it is null.
pub(super) fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => claims.as_object_mut().unwrap().remove(name),
        value => claims.as_object_mut().unwrap().insert(name.to_owned(), value),
    };
    claims
}

/// A time as tokens have it, so many seconds from now.
pub(super) fn in_seconds(seconds: i64) -> u64 {
    get_current_timestamp().checked_add_signed(seconds).unwrap()
}
