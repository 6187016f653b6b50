//! Which tokens are accepted and which are not.

mod claims;
mod issuer;
mod key_files;
mod key_sets;
mod signatures;
mod transport;

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use issuer::{AUDIENCE, ISSUER, Issuer, SECRET_KEY};
use serde_json::Value;

use super::{AuthOptions, Authenticator, JwtOptions, Principal, Refusal, Scope};

/// An authenticator for tokens under the secret key.
fn with_secret(issuer: Option<&str>, audience: Option<&str>) -> Authenticator {
    let options = AuthOptions::Jwt(JwtOptions {
        jwks_file: None,
        issuer: issuer.map(str::to_owned),
        audience: audience.map(str::to_owned),
    });
    Authenticator::new(&options, Some(SECRET_KEY)).unwrap()
}

/// An authenticator for tokens of all who have a key in `set`.
fn with_set(set: &Value) -> Authenticator {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, set.to_string()).unwrap();
    with_file(file)
}

fn with_file(file: std::path::PathBuf) -> Authenticator {
    let options = AuthOptions::Jwt(JwtOptions {
        jwks_file: Some(file),
        issuer: Some(ISSUER.to_owned()),
        audience: Some(AUDIENCE.to_owned()),
    });
    Authenticator::new(&options, None).unwrap()
}

impl Authenticator {
    /// What becomes of a request with this token.
    async fn judge(&self, token: &str) -> Result<Principal, Refusal> {
        let caller = self.judge_header(&format!("Bearer {token}")).await;
        caller.map(|principal| principal.unwrap())
    }

    async fn judge_header(&self, value: &str) -> Result<Option<Principal>, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        self.identify(&headers).await
    }
}
