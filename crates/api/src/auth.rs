//! Who the caller is, and what it may do: bearer tokens (RFC 6750) that are signed JSON Web Tokens (RFC 7519).
//!
//! Two steps, which `middleware::admission` takes at different times: [`Authenticator::identify`] finds out who calls, and
//! [`authorize`] decides whether that is enough.

mod development_token;
mod jwks_file;
mod keys;
mod principal;
mod refusal;
mod scope;
#[cfg(test)]
mod tests;
mod token;
mod verifier;

use std::path::PathBuf;

use actix_web::http::header::HeaderMap;

pub use development_token::DevelopmentToken;
pub use keys::JwksError;
pub(crate) use principal::Principal;
pub(crate) use refusal::Refusal;
pub(crate) use scope::Scope;
pub use verifier::LONGEST_SUBJECT_CHARS;

use crate::problem::Problem;
use jwks_file::JwksFile;
use keys::TokenKey;
use principal::FingerprintKey;
use refusal::insufficient_scope;
use token::Token;
use verifier::{KeySource, Verifier};

/// The shortest secret that signs tokens and seals cursors, in bytes: as long as what HMAC-SHA-256 makes with it
/// (RFC 7518 section 3.2).
pub const SHORTEST_SECRET_KEY_BYTES: usize = 32;

/// Who may use the API.
#[derive(Clone, Debug, Default)]
pub enum AuthOptions {
    /// Whoever reaches it.
    #[default]
    None,
    /// Whoever brings a token.
    Jwt(JwtOptions),
}

/// Which tokens are accepted.
#[derive(Clone, Debug, Default)]
pub struct JwtOptions {
    /// A file with the public keys of those who issue tokens (RFC 7517), read again when it changes. Accepted are then RS256,
    /// ES256 and `EdDSA`; without it HS256 under the secret key of the service.
    pub jwks_file: Option<PathBuf>,
    /// What `iss` must be; any where it is none.
    pub issuer: Option<String>,
    /// What `aud` must be or contain. Where it is none, a token with `aud` is refused.
    pub audience: Option<String>,
}

/// Tokens are asked for, and cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Neither public keys nor a secret.
    #[error(
        "there is no key to check tokens with: set AUTH_JWKS_FILE, or SECRET_KEY to {SHORTEST_SECRET_KEY_BYTES} bytes or more"
    )]
    NoKey,
    /// The public keys cannot be used.
    #[error("cannot use the keys for tokens in `{}` (AUTH_JWKS_FILE)", file.display())]
    Jwks {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: JwksError,
    },
}

/// Finds out who calls.
#[derive(Debug)]
pub(crate) struct Authenticator {
    /// None where nobody has to prove who it is.
    verifier: Option<Verifier>,
}

impl Authenticator {
    /// An authenticator for these options. Reads the file with the keys.
    pub(crate) fn new(options: &AuthOptions, secret_key: Option<&[u8]>) -> Result<Self, AuthError> {
        let AuthOptions::Jwt(options) = options else {
            return Ok(Self { verifier: None });
        };
        let keys = match (&options.jwks_file, secret_key) {
            (Some(file), _) => KeySource::File(JwksFile::open(file).map_err(|source| AuthError::Jwks {
                file: file.clone(),
                source,
            })?),
            (None, Some(secret)) if secret.len() >= SHORTEST_SECRET_KEY_BYTES => {
                KeySource::Secret(TokenKey::secret(secret))
            }
            (None, _) => return Err(AuthError::NoKey),
        };
        let verifier = Verifier {
            keys,
            issuer: options.issuer.clone(),
            audience: options.audience.clone(),
            fingerprint_key: FingerprintKey::new(secret_key),
        };
        Ok(Self {
            verifier: Some(verifier),
        })
    }

    /// Who sends a request with these headers; nobody in particular where no token is asked for.
    pub(crate) async fn identify(&self, headers: &HeaderMap) -> Result<Option<Principal>, Refusal> {
        match &self.verifier {
            None => Ok(None),
            Some(verifier) => verifier.verify(&Token::of(headers)?).await.map(Some),
        }
    }
}

/// Whether the caller, as [`Authenticator::identify`] found it, may do what needs `scope`.
///
/// # Errors
/// 401 for a caller that was refused, 403 for one that lacks the scope.
pub(crate) fn authorize(caller: Result<Option<Principal>, Refusal>, scope: Scope) -> Result<(), Problem> {
    match caller.map_err(Refusal::into_problem)? {
        Some(principal) if !principal.has_scope(scope) => Err(insufficient_scope(scope)),
        Some(_) | None => Ok(()),
    }
}
