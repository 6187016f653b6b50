//! What a token can allow.

use actix_web::http::Method;

/// What a token can allow (RFC 6749 section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Reading users.
    UsersRead,
    /// Creating, changing and deleting users.
    UsersWrite,
}

impl Scope {
    // ANCHOR: needed-for
    /// What a request with this method needs: methods that are safe (RFC 9110 section 9.2.1) read, any other writes.
    pub(crate) fn needed_for(method: &Method) -> Self {
        if method.is_safe() {
            Self::UsersRead
        } else {
            Self::UsersWrite
        }
    }
    // ANCHOR_END: needed-for

    /// The scope as tokens name it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
        }
    }
}
