//! Who the caller is, and what it may do.

use std::sync::Arc;

/// A caller that has proved who it is. Cloning shares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Principal(Arc<Claims>);

#[derive(Debug, PartialEq, Eq)]
struct Claims {
    issuer: Option<String>,
    subject: String,
    scopes: Vec<String>,
}

impl Principal {
    pub(crate) fn new(issuer: Option<String>, subject: String, scopes: Vec<String>) -> Self {
        Self(Arc::new(Claims {
            issuer,
            subject,
            scopes,
        }))
    }

    /// Who vouches for the caller.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.0.issuer.as_deref()
    }

    /// The caller, as its issuer calls it. It may be personal: never log it.
    pub(crate) fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Whether the caller was granted `scope`.
    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.0.scopes.iter().any(|granted| granted == scope)
    }
}
