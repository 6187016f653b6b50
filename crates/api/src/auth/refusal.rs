//! Why a caller is turned away, and how it is told (RFC 6750 section 3).

use actix_web::http::header::{HeaderValue, WWW_AUTHENTICATE};

use super::{Scope, token::LONGEST_TOKEN_BYTES, verifier::LONGEST_SUBJECT_CHARS};
use crate::problem::{Code, Problem};

/// Names what the tokens are for (RFC 9110 section 11.5).
const REALM: &str = "async-starter";

/// Why a request counts as nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("Send a token: Authorization: Bearer TOKEN")]
    NoToken,
    #[error("Send one Authorization header, not several")]
    RepeatedHeader,
    #[error("The token is longer than {LONGEST_TOKEN_BYTES} bytes")]
    TooLong,
    #[error("The token is not a signed JSON Web Token (RFC 7519)")]
    Malformed,
    #[error("The token is signed by an algorithm that is not accepted")]
    Algorithm,
    #[error("The token asks for extensions that this service does not know (crit)")]
    CriticalExtension,
    #[error("The token does not say by which key it is signed (kid)")]
    NoKeyId,
    #[error("The token is signed by a key that is not known here (kid)")]
    UnknownKey,
    #[error("The signature of the token is not valid")]
    Signature,
    #[error("A claim of the token is not of its type")]
    MalformedClaim,
    #[error("The token has no time at which it expires (exp)")]
    NoExpiry,
    #[error("The token has expired (exp)")]
    Expired,
    #[error("The token is not valid yet (nbf)")]
    NotYetValid,
    #[error("The token is of another issuer (iss)")]
    Issuer,
    #[error("The token is for another audience (aud)")]
    Audience,
    #[error("The token needs a subject of 1 to {LONGEST_SUBJECT_CHARS} characters (sub)")]
    Subject,
}

impl Refusal {
    /// Whether the verdict could be another one with keys that were published a moment ago.
    pub(super) fn depends_on_keys(self) -> bool {
        matches!(
            self,
            Self::NoKeyId | Self::UnknownKey | Self::Algorithm | Self::Signature
        )
    }

    /// A 401 that says what is wrong. A caller who sent no token at all is told no error, only what to bring.
    pub(crate) fn into_problem(self) -> Problem {
        let detail = self.to_string();
        let challenge = match self {
            Self::NoToken => format!("Bearer realm=\"{REALM}\""),
            _ => format!("Bearer realm=\"{REALM}\", error=\"invalid_token\", error_description=\"{detail}\""),
        };
        challenged(Problem::new(Code::Unauthenticated, detail), &challenge)
    }
}

/// A 403 for a token that does not allow what was asked.
pub(crate) fn insufficient_scope(needed: Scope) -> Problem {
    let needed = needed.as_str();
    let challenge = format!("Bearer realm=\"{REALM}\", error=\"insufficient_scope\", scope=\"{needed}\"");
    let detail = format!("The token lacks the scope {needed}");
    challenged(Problem::new(Code::Forbidden, detail), &challenge)
}

fn challenged(problem: Problem, challenge: &str) -> Problem {
    match HeaderValue::from_str(challenge) {
        Ok(challenge) => problem.with_header(WWW_AUTHENTICATE, challenge),
        Err(error) => Problem::internal(error),
    }
}
