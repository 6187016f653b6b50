//! How a token is sent, and what it says about itself before anything is believed.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde::{Deserialize, Deserializer, de::IgnoredAny};

use super::Refusal;

/// The longest token that is looked at, in bytes.
pub(super) const LONGEST_TOKEN_BYTES: usize = 8 * 1024;

/// A token in the compact form (RFC 7515 section 3.1) with its header decoded. Nothing about it is proved.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    /// The algorithm that it claims to be signed by.
    pub(super) algorithm: Algorithm,
    /// The key that it claims to be signed by.
    pub(super) key_id: Option<String>,
}

/// What matters of the header (RFC 7515 section 4.1). Keys that a token brings along (`jwk`, `jku`, `x5c`) do not.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    // Without `Option`, or `null` would pass for absence.
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// What follows `Bearer` (RFC 6750 section 2.1).
fn bearer(credentials: &str) -> Option<&str> {
    let (scheme, rest) = credentials.split_at_checked("Bearer".len())?;
    let is_bearer = scheme.eq_ignore_ascii_case("Bearer") && (rest.is_empty() || rest.starts_with(' '));
    is_bearer.then(|| rest.trim_start_matches(' '))
}

impl<'a> Token<'a> {
    /// The token of a request: of its `Authorization` header alone, never of its address or body (RFC 6750 section 2).
    pub(super) fn of(headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let mut values = headers.get_all(AUTHORIZATION);
        let value = values.next().ok_or(Refusal::NoToken)?;
        if values.next().is_some() {
            return Err(Refusal::RepeatedHeader);
        }
        // Another scheme brings no token for this service.
        let text = bearer(value.to_str().map_err(|_| Refusal::Malformed)?).ok_or(Refusal::NoToken)?;
        if text.len() > LONGEST_TOKEN_BYTES {
            return Err(Refusal::TooLong);
        }
        Self::parse(text)
    }

    fn parse(text: &'a str) -> Result<Self, Refusal> {
        // Three parts make a signed token; an encrypted one has five.
        let (header, rest) = text.split_once('.').ok_or(Refusal::Malformed)?;
        if rest.split('.').count() != 2 {
            return Err(Refusal::Malformed);
        }
        let header = BASE64_URL_SAFE_NO_PAD.decode(header).map_err(|_| Refusal::Malformed)?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| Refusal::Malformed)?;
        if header.crit {
            return Err(Refusal::CriticalExtension);
        }
        Ok(Self {
            text,
            algorithm: header.alg.parse().map_err(|_| Refusal::Algorithm)?,
            key_id: header.kid,
        })
    }
}
