//! Tokens for developers, under the secret of the service itself. In production an issuer issues them.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde::Serialize;

/// A token to try the API with.
#[derive(Clone, Debug)]
pub struct DevelopmentToken {
    /// Who the bearer is: 1 to 255 characters.
    pub subject: String,
    /// What the bearer may do, separated by spaces: `users:read users:write`.
    pub scope: String,
    /// How long the token is good for, in whole seconds.
    pub lifetime: Duration,
    /// Who issues it; as in [`JwtOptions::issuer`](super::JwtOptions::issuer).
    pub issuer: Option<String>,
    /// Whom it is for; as in [`JwtOptions::audience`](super::JwtOptions::audience).
    pub audience: Option<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    scope: &'a str,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

impl DevelopmentToken {
    /// The token, signed by HS256 with the secret key of the service.
    ///
    /// # Errors
    /// A defect of this crate or of the library.
    pub fn sign(&self, secret_key: &[u8]) -> Result<String, jsonwebtoken::errors::Error> {
        let now = get_current_timestamp();
        let claims = Claims {
            sub: &self.subject,
            scope: &self.scope,
            iat: now,
            exp: now.saturating_add(self.lifetime.as_secs()),
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
        };
        encode(
            &Header::new(Algorithm::HS256),
            &claims,
            &EncodingKey::from_secret(secret_key),
        )
    }
}
