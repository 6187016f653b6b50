//! From a request to values that obey every rule, or to one problem that lists every fault.
//!
//! [`Input`] is the only extractor of the operations under `/api/v1`. Path, query, body and headers are read together, because
//! a caller wants to hear of all faults at once, and because the order of checks is a promise: 415, 413, 400, 422, 428.

use std::{future::Future, pin::Pin, time::Duration};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    error::PayloadError,
    http::header::{CONTENT_ENCODING, CONTENT_TYPE},
    web::{Bytes, BytesMut},
};
use futures_util::StreamExt;
use tokio::time::timeout;
use validator::{Validate, ValidationErrors, ValidationErrorsKind};

use crate::{
    AppState,
    json::{ObjectReader, parse_object},
    problem::{Code, Fault, FaultCode, Problem},
    query::QueryReader,
};

/// The most memory that is set aside for a body because of what a client announces.
const MAX_RESERVED_BYTES: usize = 64 * 1024;

// ANCHOR: input
/// The validated input of an operation: what its path, query, body and headers say.
#[derive(Debug)]
pub(crate) struct Input<P, Q, B, H = ()> {
    pub(crate) path: P,
    pub(crate) query: Q,
    pub(crate) body: B,
    pub(crate) headers: H,
}
// ANCHOR_END: input

/// Something the path of an operation holds.
pub(crate) trait FromPath: Sized + 'static {
    /// Reads it, or notes why it cannot be read.
    fn read(request: &HttpRequest, faults: &mut Vec<Fault>) -> Option<Self>;
}

/// Something the query of an operation holds.
pub(crate) trait FromQuery: Sized + 'static {
    /// Reads it, or notes why it cannot be read. A problem of its own goes before all faults.
    fn read(query: &mut QueryReader<'_>, state: &AppState) -> Result<Option<Self>, Problem>;
}

/// Something the body of an operation holds.
pub(crate) trait FromBody: Sized + 'static {
    /// The media types in which it may come; none where the operation takes no body.
    const MEDIA_TYPES: &'static [&'static str];

    /// Reads it, or notes why it cannot be read. A problem of its own goes before all faults.
    fn read(body: &Bytes, faults: &mut Vec<Fault>) -> Result<Option<Self>, Problem>;
}

/// Something the headers of an operation hold.
pub(crate) trait FromHeaders: Sized + 'static {
    /// Reads it. `body` is there for what depends on all of the request.
    ///
    /// # Errors
    /// A header whose syntax is broken makes the request malformed.
    fn read(request: &HttpRequest, body: &Bytes) -> Result<Self, Problem>;

    /// Asks, of a request that is otherwise right, whether all headers that it must have are there.
    ///
    /// # Errors
    /// The problem of a request that lacks one.
    fn check_presence(&self, _: &AppState) -> Result<(), Problem> {
        Ok(())
    }
}

/// A body that is a JSON object. Its members are read into a form (`Self`) that can hold any text, whose `validator`
/// attributes call the rules of the domain, and which then becomes a value of the domain.
pub(crate) trait JsonForm: Validate + Sized {
    /// The value of the domain.
    type Value: 'static;

    /// Reads the members. One that is missing or mistyped has been noted and is absent.
    fn read(object: &mut ObjectReader<'_>) -> Self;

    /// The value of the domain; nothing when a member is absent or refused.
    fn into_value(self) -> Result<Option<Self::Value>, Problem>;
}

// ANCHOR: read-json
/// Reads a JSON object by its form.
pub(crate) fn read_json<F: JsonForm>(body: &Bytes, faults: &mut Vec<Fault>) -> Result<Option<F::Value>, Problem> {
    let mut object = ObjectReader::new(parse_object(body)?, String::new(), faults);
    let form = F::read(&mut object);
    object.finish();
    check_form(&form, faults);
    if faults.is_empty() { form.into_value() } else { Ok(None) }
}
// ANCHOR_END: read-json

/// Notes what the rules of the domain refuse.
pub(crate) fn check_form(form: &impl Validate, faults: &mut Vec<Fault>) {
    if let Err(errors) = form.validate() {
        add_faults("", &errors, faults);
    }
}

/// The parameter by which an error of a rule says that it is about another place than the one it is noted at.
pub(crate) const ELSEWHERE: &str = "elsewhere";

/// Turns what `validator` found into faults. Its errors also carry the value that was typed, which stays behind.
fn add_faults(pointer: &str, errors: &ValidationErrors, faults: &mut Vec<Fault>) {
    for (member, kind) in errors.errors() {
        let pointer = format!("{pointer}/{member}");
        match kind {
            ValidationErrorsKind::Field(errors) => {
                let fault = |error: &validator::ValidationError| {
                    let message = error.message.clone().unwrap_or_else(|| "is not valid".into());
                    let elsewhere = error.params.get(ELSEWHERE).and_then(|pointer| pointer.as_str());
                    let code = FaultCode::parse(&error.code).unwrap_or(FaultCode::Format);
                    Fault::new(elsewhere.unwrap_or(&pointer), code, message)
                };
                faults.extend(errors.iter().map(fault));
            }
            ValidationErrorsKind::Struct(errors) => add_faults(&pointer, errors, faults),
            ValidationErrorsKind::List(items) => {
                for (index, errors) in items {
                    add_faults(&format!("{pointer}/{index}"), errors, faults);
                }
            }
        }
    }
}

impl FromPath for () {
    fn read(_: &HttpRequest, _: &mut Vec<Fault>) -> Option<Self> {
        Some(())
    }
}

impl FromQuery for () {
    fn read(_: &mut QueryReader<'_>, _: &AppState) -> Result<Option<Self>, Problem> {
        Ok(Some(()))
    }
}

impl FromHeaders for () {
    fn read(_: &HttpRequest, _: &Bytes) -> Result<Self, Problem> {
        Ok(())
    }
}

impl<A: FromHeaders, B: FromHeaders> FromHeaders for (A, B) {
    fn read(request: &HttpRequest, body: &Bytes) -> Result<Self, Problem> {
        Ok((A::read(request, body)?, B::read(request, body)?))
    }

    fn check_presence(&self, state: &AppState) -> Result<(), Problem> {
        self.0.check_presence(state)?;
        self.1.check_presence(state)
    }
}

impl FromBody for () {
    const MEDIA_TYPES: &'static [&'static str] = &[];

    fn read(_: &Bytes, _: &mut Vec<Fault>) -> Result<Option<Self>, Problem> {
        Ok(Some(()))
    }
}

impl<P: FromPath, Q: FromQuery, B: FromBody, H: FromHeaders> FromRequest for Input<P, Q, B, H> {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, actix_web::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move { Self::read(&request, payload).await.map_err(actix_web::Error::from) })
    }
}

impl<P: FromPath, Q: FromQuery, B: FromBody, H: FromHeaders> Input<P, Q, B, H> {
    async fn read(request: &HttpRequest, payload: Payload) -> Result<Self, Problem> {
        let state = AppState::of(request)?;
        let body = match B::MEDIA_TYPES {
            [] => Bytes::new(),
            media_types => {
                check_media_type(request, media_types.iter().copied())?;
                read_body(request, payload, state).await?
            }
        };
        // ANCHOR: read
        let headers = H::read(request, &body)?;
        let mut faults = Vec::new();
        let body = B::read(&body, &mut faults)?;
        let path = P::read(request, &mut faults);
        let mut reader = QueryReader::new(request.query_string(), &mut faults);
        let query = Q::read(&mut reader, state)?;
        reader.finish();
        let (Some(path), Some(query), Some(body), true) = (path, query, body, faults.is_empty()) else {
            return Err(Problem::validation(faults));
        };
        // ANCHOR_END: read
        headers.check_presence(state)?;
        Ok(Self {
            path,
            query,
            body,
            headers,
        })
    }
}

/// The body must come as one of `media_types`, in UTF-8, as it is. Returns which one it is.
pub(crate) fn check_media_type<'m>(
    request: &HttpRequest,
    media_types: impl Iterator<Item = &'m str> + Clone,
) -> Result<&'m str, Problem> {
    let unsupported = |detail| Err(Problem::new(Code::UnsupportedMediaType, detail));
    if request.headers().contains_key(CONTENT_ENCODING) {
        return unsupported("The body must come without Content-Encoding".to_owned());
    }
    let accepted = |content_type: &str| {
        let mut parts = content_type.split(';').map(str::trim);
        let essence = parts.next()?;
        let is_utf8 = |parameter: &str| match parameter.split_once('=') {
            Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
                charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        };
        let mut candidates = media_types.clone();
        candidates
            .find(|it| it.eq_ignore_ascii_case(essence))
            .filter(|_| parts.all(is_utf8))
    };
    let mut values = request
        .headers()
        .get_all(CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or_default());
    let media_type = match (values.next(), values.next()) {
        (Some(content_type), None) => accepted(content_type),
        _ => None,
    };
    if let Some(media_type) = media_type {
        return Ok(media_type);
    }
    let media_types: Vec<_> = media_types.collect();
    unsupported(format!("The Content-Type must be {}", media_types.join(" or ")))
}

// ANCHOR: next-piece
/// The next piece of a body; nothing at its end.
///
/// # Errors
/// When it is damaged, or does not come for `patience`.
pub(crate) async fn next_piece(payload: &mut Payload, patience: Duration) -> Result<Option<Bytes>, BodyFault> {
    match timeout(patience, payload.next()).await {
        Err(_) => Err(BodyFault::Stalled),
        Ok(piece) => piece.transpose().map_err(|error| match error {
            PayloadError::Overflow => BodyFault::TooLarge,
            _ => BodyFault::Damaged,
        }),
    }
}
// ANCHOR_END: next-piece

/// What can be wrong with a body before anybody reads what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFault {
    Stalled,
    TooLarge,
    Damaged,
}

impl BodyFault {
    /// The problem that it is. `limit` is the largest body, in bytes.
    pub(crate) fn into_problem(self, limit: usize) -> Problem {
        match self {
            Self::Stalled => Problem::new(Code::RequestTimeout, "The body did not arrive in time"),
            Self::TooLarge => Problem::new(
                Code::PayloadTooLarge,
                format!("The body must not be larger than {limit} bytes"),
            ),
            Self::Damaged => Problem::new(Code::MalformedRequest, "The body is damaged or ends too early"),
        }
    }
}

/// Collects a body within the limits of size and patience.
async fn read_body(request: &HttpRequest, mut payload: Payload, state: &AppState) -> Result<Bytes, Problem> {
    let options = state.options();
    let limit = options.body_limit_bytes;
    let announced = request
        .headers()
        .get("content-length")
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(BodyFault::TooLarge.into_problem(limit));
    }
    let mut body = BytesMut::with_capacity(announced.unwrap_or_default().min(MAX_RESERVED_BYTES));
    loop {
        match next_piece(&mut payload, options.client_timeout).await {
            Ok(None) => return Ok(body.freeze()),
            Ok(Some(piece)) if body.len() + piece.len() <= limit => body.extend_from_slice(&piece),
            Ok(Some(_)) => return Err(BodyFault::TooLarge.into_problem(limit)),
            Err(fault) => return Err(fault.into_problem(limit)),
        }
    }
}
