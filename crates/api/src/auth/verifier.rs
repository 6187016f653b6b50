//! Checks tokens: the signature first, then what they claim (RFC 7519 section 4.1).

use std::sync::Arc;

use jsonwebtoken::{Validation, decode, errors::ErrorKind};
use serde::Deserialize;

use super::{
    Principal, Refusal,
    jwks_file::JwksFile,
    keys::{KeySet, TokenKey},
    principal::FingerprintKey,
    token::Token,
};

/// How far the clock of an issuer may be off.
const LEEWAY_SECONDS: u64 = 60;

/// The longest subject of a token, in characters; `OpenID` Connect has the same bound.
pub const LONGEST_SUBJECT_CHARS: usize = 255;

/// Checks tokens.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) keys: KeySource,
    /// Who must have issued a token; anybody who has a key where it is none.
    pub(super) issuer: Option<String>,
    /// Whom a token must be for. Where it is none, tokens that are for somebody in particular are for somebody else.
    pub(super) audience: Option<String>,
    pub(super) fingerprint_key: FingerprintKey,
}

/// Where keys come from.
#[derive(Debug)]
pub(super) enum KeySource {
    Secret(TokenKey),
    File(JwksFile),
}

/// What is taken from a token. Times, and whether `aud` is ours, are judged by the library.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    // Only its type matters here: the library lets a value of another type pass for none.
    #[serde(rename = "aud")]
    _audience: Option<Audience>,
    #[serde(default)]
    scope: String,
}

/// One audience or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(#[expect(dead_code, reason = "only its type matters")] String),
    Several(#[expect(dead_code, reason = "only its type matters")] Vec<String>),
}

impl Verifier {
    /// The caller that the token proves.
    pub(super) async fn verify(&self, token: &Token<'_>) -> Result<Principal, Refusal> {
        let claims = match &self.keys {
            KeySource::Secret(key) => self.claims(token, key)?,
            KeySource::File(file) => {
                let keys = file.keys().await;
                match self.claims_under(token, &keys) {
                    Err(refusal) if refusal.depends_on_keys() => self.claims_under(token, &file.latest_keys().await)?,
                    outcome => outcome?,
                }
            }
        };
        let subject = claims.sub.unwrap_or_default();
        if !(1..=LONGEST_SUBJECT_CHARS).contains(&subject.chars().count()) {
            return Err(Refusal::Subject);
        }
        Ok(Principal::new(claims.iss, subject, claims.scope, &self.fingerprint_key))
    }

    fn claims_under(&self, token: &Token<'_>, keys: &Arc<KeySet>) -> Result<Claims, Refusal> {
        self.claims(token, keys.find(token.key_id.as_deref())?)
    }

    fn claims(&self, token: &Token<'_>, key: &TokenKey) -> Result<Claims, Refusal> {
        // The library compares them too. It is the check that everything else rests on.
        if token.algorithm != key.algorithm {
            return Err(Refusal::Algorithm);
        }
        let decoded = decode(token.text, &key.key, &self.validation(key));
        Ok(decoded.map_err(|error| refusal(error.kind()))?.claims)
    }

    // ANCHOR: validation
    /// What the library has to check. Nothing is left to its defaults.
    fn validation(&self, key: &TokenKey) -> Validation {
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.reject_tokens_expiring_in_less_than = 0;
        validation.validate_exp = true;
        validation.validate_nbf = true;
        validation.validate_aud = true;
        validation.iss = self.issuer.clone().map(|issuer| [issuer].into());
        validation.aud = self.audience.clone().map(|audience| [audience].into());
        let required = [
            Some("exp"),
            self.issuer.as_ref().map(|_| "iss"),
            self.audience.as_ref().map(|_| "aud"),
        ];
        let required: Vec<_> = required.into_iter().flatten().collect();
        validation.set_required_spec_claims(&required);
        validation
    }
    // ANCHOR_END: validation
}

fn refusal(error: &ErrorKind) -> Refusal {
    match error {
        ErrorKind::InvalidSignature => Refusal::Signature,
        ErrorKind::InvalidAlgorithm => Refusal::Algorithm,
        ErrorKind::ExpiredSignature => Refusal::Expired,
        ErrorKind::ImmatureSignature => Refusal::NotYetValid,
        ErrorKind::InvalidIssuer => Refusal::Issuer,
        ErrorKind::InvalidAudience => Refusal::Audience,
        ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
            "iss" => Refusal::Issuer,
            "aud" => Refusal::Audience,
            _ => Refusal::NoExpiry,
        },
        ErrorKind::InvalidClaimFormat(_) | ErrorKind::Json(_) => Refusal::MalformedClaim,
        _ => Refusal::Malformed,
    }
}
