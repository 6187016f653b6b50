//! What the targets in `fuzz/` may call of this crate's private parsers. Not part of the API: it is there with the feature
//! `fuzzing` alone, and changes without notice.
//!
//! Each function is as thin as can be, and tells in plain types what a parser made of its input. What has to be true of it is
//! asserted by the targets.

use std::{net::IpAddr, time::Duration};

use actix_web::{
    HttpRequest,
    http::header::{HeaderMap, HeaderName, HeaderValue},
    test::TestRequest,
    web::Bytes,
};
use domain::{Cursor, Email, NewUser, Revision, UserChanges, UserFilter};
use futures_util::FutureExt;
use ipnet::IpNet;
use service::IdempotentRequest;

use crate::{
    AuthOptions, DevelopmentToken, JwtOptions, TransferFormat,
    accept::preferred,
    auth::Authenticator,
    conditional::{IfMatch, IfNoneMatch},
    cursor_seal::CursorSeal,
    etag::{ETag, TagList},
    extract::{FromBody, FromHeaders, check_media_type},
    middleware::request_id,
    problem::{Fault, Problem},
    query::QueryReader,
    rate_limit::client_address,
    trace_context::TraceParent,
    users::{ListRequest, Part},
};

/// The longest line of an import.
pub const MAX_LINE_BYTES: usize = crate::users::transfer::MAX_LINE_BYTES;

/// The hash of an idempotency key, and that of its request.
pub type KeyHashes = ([u8; 32], [u8; 32]);

/// How a request was refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The body of the answer.
    pub body: Vec<u8>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let answer = problem.to_response("/", "id");
        let status = answer.status().as_u16();
        let body = actix_web::body::to_bytes(answer.into_body()).now_or_never();
        Self {
            status,
            body: body.and_then(Result::ok).map(Vec::from).unwrap_or_default(),
        }
    }
}

/// Reads the body of a create.
///
/// # Errors
/// When it is refused.
pub fn read_create(body: &[u8]) -> Result<NewUser, Refusal> {
    read_body(body)
}

/// Reads the body of a change.
///
/// # Errors
/// When it is refused.
pub fn read_patch(body: &[u8]) -> Result<UserChanges, Refusal> {
    read_body(body)
}

fn read_body<B: FromBody>(body: &[u8]) -> Result<B, Refusal> {
    let mut faults: Vec<Fault> = Vec::new();
    let read = B::read(&Bytes::copy_from_slice(body), &mut faults)?;
    match read {
        Some(value) if faults.is_empty() => Ok(value),
        Some(_) | None => Err(Problem::validation(faults).into()),
    }
}

/// Seals and opens cursors.
#[derive(Debug)]
pub struct Seal(CursorSeal);

impl Seal {
    /// A seal under this key.
    #[must_use]
    pub fn new(secret_key: &[u8]) -> Self {
        Self(CursorSeal::new(Some(secret_key)))
    }

    /// The cursor of a position.
    #[must_use]
    pub fn seal(&self, position: Cursor, filter: &UserFilter) -> String {
        self.0.seal(position, filter)
    }

    /// A text whose tag is right, whatever it seals: what is behind the tag is reached by this alone.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> String {
        self.0.sign(bytes.to_vec())
    }

    /// The position that a text seals under a filter.
    #[must_use]
    pub fn open(&self, text: &str, filter: &UserFilter) -> Option<Cursor> {
        self.0.open(text).ok()?.position_in(filter).ok()
    }

    /// Reads the query of a list: the filter, and the position where a cursor is given that is not empty.
    ///
    /// # Errors
    /// When it is refused.
    pub fn read_query(&self, query: &str) -> Result<(Option<Email>, Option<Cursor>), Refusal> {
        let mut faults = Vec::new();
        let mut reader = QueryReader::new(query, &mut faults);
        let list = ListRequest::read_with(&mut reader, &self.0)?;
        reader.finish();
        match list {
            Some(list) if faults.is_empty() => Ok(match list.part {
                Part::Page(_) => (list.filter.email, None),
                Part::After(position, _) => (list.filter.email, position),
            }),
            Some(_) | None => Err(Problem::validation(faults).into()),
        }
    }
}

/// The headers of one request.
#[derive(Debug)]
pub struct Headers(HttpRequest);

/// What an entity tag list says.
#[derive(Debug, PartialEq, Eq)]
pub struct Tags {
    /// The list as it would be written; `*` for any.
    pub rendered: Vec<String>,
    /// The states that it stands for.
    pub revisions: Vec<Revision>,
}

impl Headers {
    /// Headers with these names and values; those that no HTTP parser would let through are left out.
    #[must_use]
    pub fn new<'h>(headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> Self {
        let parsed = headers.into_iter().filter_map(|(name, value)| {
            Some((
                HeaderName::from_bytes(name.as_bytes()).ok()?,
                HeaderValue::from_bytes(value).ok()?,
            ))
        });
        let request = parsed.fold(TestRequest::default(), TestRequest::append_header);
        Self(request.to_http_request())
    }

    /// The tags of `If-Match`.
    ///
    /// # Errors
    /// When the header is refused.
    pub fn if_match(&self) -> Result<Option<Tags>, Refusal> {
        let precondition = IfMatch::read(&self.0, &Bytes::new())?.into_precondition();
        let tags = TagList::parse(self.0.headers().get_all("if-match"));
        let revisions = match precondition {
            domain::Precondition::None => Vec::new(),
            domain::Precondition::OneOf(revisions) => revisions,
        };
        Ok(tags.ok().flatten().map(|tags| Tags {
            rendered: tags.rendered(),
            revisions,
        }))
    }

    /// The tags of `If-None-Match`, and whether they match this state.
    ///
    /// # Errors
    /// When the header is refused.
    pub fn if_none_match(&self, revision: Revision) -> Result<Option<(Vec<String>, bool)>, Refusal> {
        let IfNoneMatch(tags) = IfNoneMatch::read(&self.0, &Bytes::new())?;
        Ok(tags.map(|tags| (tags.rendered(), tags.matches_weakly(&ETag::of(revision)))))
    }

    /// Which of `offer` is preferred.
    #[must_use]
    pub fn preferred<'o>(&self, offer: &[&'o str]) -> Option<&'o str> {
        preferred(&self.0, offer)
    }

    /// Hashes of the idempotency key and of the request.
    ///
    /// # Errors
    /// When the header is refused.
    pub fn idempotency_key(&self, body: &[u8]) -> Result<Option<KeyHashes>, Refusal> {
        let request = Option::<IdempotentRequest>::read(&self.0, &Bytes::copy_from_slice(body))?;
        Ok(request.map(|request| (request.key, request.fingerprint)))
    }

    /// The format of an import.
    ///
    /// # Errors
    /// When the content type is refused.
    pub fn media_type(&self) -> Result<&'static str, Refusal> {
        Ok(check_media_type(&self.0, TransferFormat::media_types().into_iter())?)
    }

    /// The trace that the request belongs to, written as it may be sent.
    #[must_use]
    pub fn trace_parent(&self) -> Option<String> {
        let TraceParent {
            trace_id,
            span_id,
            is_sampled,
        } = TraceParent::of(self.0.headers())?;
        Some(format!("00-{trace_id}-{span_id:016x}-{:02x}", u8::from(is_sampled)))
    }

    /// Where the request comes from.
    #[must_use]
    pub fn client_address(&self, peer: IpAddr, trusted_proxies: &[IpNet]) -> IpAddr {
        client_address(peer, self.0.headers(), trusted_proxies)
    }

    /// What the request is called in the log.
    #[must_use]
    pub fn request_id(&self) -> String {
        request_id(self.0.headers())
    }
}

/// Checks tokens.
#[derive(Debug)]
pub struct Gate {
    authenticator: Authenticator,
    token: String,
}

impl Gate {
    /// A gate that lets in who brings a token under this key; nothing where the key is too short.
    #[must_use]
    pub fn new(secret_key: &str) -> Option<Self> {
        let options = AuthOptions::Jwt(JwtOptions::default());
        let token = DevelopmentToken {
            subject: "ann".to_owned(),
            scope: String::new(),
            lifetime: Duration::from_hours(24),
            issuer: None,
            audience: None,
        };
        Some(Self {
            authenticator: Authenticator::new(&options, Some(secret_key.as_bytes())).ok()?,
            token: token.sign(secret_key.as_bytes()).ok()?,
        })
    }

    /// A token that is let in.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Who sends a value of `Authorization`; nothing where it is refused.
    #[must_use]
    pub fn subject(&self, authorization: &[u8]) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(
            actix_web::http::header::AUTHORIZATION,
            HeaderValue::from_bytes(authorization).ok()?,
        );
        let identified = self.authenticator.identify(&headers).now_or_never()?;
        Some(identified.ok()??.subject().to_owned())
    }
}
