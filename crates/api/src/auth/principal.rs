//! The caller, once it has proved who it is.

use std::sync::Arc;

use hmac::Mac;

use super::Scope;
use crate::derived_key::DerivedKey;

const FINGERPRINT_BYTES: usize = 8;

/// A caller that has proved who it is. Cloning shares it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Principal(Arc<Identity>);

#[derive(PartialEq, Eq)]
struct Identity {
    issuer: Option<String>,
    subject: String,
    scopes: String,
    fingerprint: String,
}

impl Principal {
    /// The caller that `issuer` calls `subject` and allows `scopes`, which are separated by spaces.
    pub(super) fn new(issuer: Option<String>, subject: String, scopes: String, key: &FingerprintKey) -> Self {
        let fingerprint = key.fingerprint(issuer.as_deref(), &subject);
        Self(Arc::new(Identity {
            issuer,
            subject,
            scopes,
            fingerprint,
        }))
    }

    /// A caller that proved nothing, for tests of what comes after the proof.
    #[cfg(test)]
    pub(crate) fn assumed(issuer: Option<&str>, subject: &str) -> Self {
        let key = FingerprintKey::new(None);
        Self::new(issuer.map(str::to_owned), subject.to_owned(), String::new(), &key)
    }

    /// Who vouches for the caller.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.0.issuer.as_deref()
    }

    /// The caller, as its issuer calls it. It may be personal: never log it.
    pub(crate) fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The caller as logs may show it: 16 hexadecimal digits, the same for the same issuer and subject on all instances that
    /// share `SECRET_KEY`, from which nobody without that key finds the subject.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// Whether the caller was granted `scope`.
    pub(crate) fn has_scope(&self, scope: Scope) -> bool {
        self.0.scopes.split(' ').any(|granted| granted == scope.as_str())
    }
}

impl std::fmt::Debug for Principal {
    /// Shows no more than a log may.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Principal").field(&self.fingerprint()).finish()
    }
}

/// What fingerprints are made with.
#[derive(Debug)]
pub(super) struct FingerprintKey(DerivedKey);

impl FingerprintKey {
    pub(super) fn new(secret_key: Option<&[u8]>) -> Self {
        Self(DerivedKey::new(secret_key, b"caller"))
    }

    fn fingerprint(&self, issuer: Option<&str>, subject: &str) -> String {
        // The length keeps `ab` + `c` apart from `a` + `bc`.
        let issuer = issuer.unwrap_or_default();
        let mac = self.0.mac().chain_update(issuer.len().to_be_bytes());
        let tag = mac.chain_update(issuer).chain_update(subject).finalize().into_bytes();
        let digits = tag.iter().take(FINGERPRINT_BYTES).map(|byte| format!("{byte:02x}"));
        digits.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(secret_key: &[u8], issuer: Option<&str>, subject: &str) -> String {
        FingerprintKey::new(Some(secret_key)).fingerprint(issuer, subject)
    }

    #[test]
    fn a_fingerprint_is_16_digits_that_depend_on_key_issuer_and_subject() {
        let one = fingerprint(b"key", Some("issuer"), "ann");
        assert!(
            one.len() == 16 && one.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{one}"
        );
        assert_eq!(one, fingerprint(b"key", Some("issuer"), "ann"));
        for other in [
            fingerprint(b"other", Some("issuer"), "ann"),
            fingerprint(b"key", Some("issue"), "rann"),
            fingerprint(b"key", None, "issuerann"),
            fingerprint(b"key", Some("issuer"), "bob"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_scope_is_granted_by_its_whole_name_only() {
        let granted = |scopes: &str| {
            let key = FingerprintKey::new(None);
            let principal = Principal::new(None, "ann".to_owned(), scopes.to_owned(), &key);
            [Scope::UsersRead, Scope::UsersWrite].map(|scope| principal.has_scope(scope))
        };
        assert_eq!(granted("users:read users:write"), [true, true]);
        assert_eq!(granted("openid users:read email"), [true, false]);
        assert_eq!(granted("  users:write "), [false, true]);
        for scopes in [
            "",
            "users",
            "users:reader",
            "USERS:READ",
            "xusers:read",
            "users:read,users:write",
        ] {
            assert_eq!(granted(scopes), [false, false], "{scopes}");
        }
    }

    #[test]
    fn a_principal_is_shown_without_its_subject() {
        let key = FingerprintKey::new(None);
        let principal = Principal::new(Some("issuer".to_owned()), "ann".to_owned(), String::new(), &key);
        assert_eq!(
            format!("{principal:?}"),
            format!("Principal({:?})", principal.fingerprint())
        );
    }
}
