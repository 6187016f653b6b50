//! Keys for one purpose each, all derived from `SECRET_KEY`.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit};
use sha2::Sha256;

const KEY_WITHOUT_SECRET: &[u8] = b"async-starter without SECRET_KEY";

/// A key for HMAC-SHA-256 (RFC 2104), derived by HKDF (RFC 5869), so that no purpose tells anything about another's key.
#[derive(Clone)]
pub(crate) struct DerivedKey(Hmac<Sha256>);

impl DerivedKey {
    /// The key for the purpose that `label` names. It is the same on every instance that shares `secret_key`. Without one it
    /// is derived from a fixed text, and then finds damage but keeps nothing secret.
    pub(crate) fn new(secret_key: Option<&[u8]>, label: &[u8]) -> Self {
        // A key as long as a block of SHA-256. It is within what HKDF can give, 255 × 32 bytes, so this cannot fail.
        let mut key = [0; 64];
        let derived = Hkdf::<Sha256>::new(None, secret_key.unwrap_or(KEY_WITHOUT_SECRET)).expand(label, &mut key);
        debug_assert!(derived.is_ok());
        Self(Hmac::new(&key.into()))
    }

    /// An authentication code in the making.
    pub(crate) fn mac(&self) -> Hmac<Sha256> {
        self.0.clone()
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DerivedKey")
    }
}
