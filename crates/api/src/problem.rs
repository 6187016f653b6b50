//! Problem details (RFC 9457): every error that a client can see, and the one place where each gets its status.

use std::{borrow::Cow, error::Error, fmt};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use domain::{Rule, Violation};
use serde::Serialize;
use service::UserError;
use utoipa::ToSchema;

/// The media type of problem details.
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

/// The most faults that one answer lists. A body of a megabyte can hold more; the detail still counts them all.
const MAX_LISTED_FAULTS: usize = 10_000;

/// What kind of problem it is. Clients branch on the code, so a code is never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The request is no proper HTTP or JSON.
    MalformedRequest,
    /// A PATCH without a field.
    NoFieldsToUpdate,
    /// A cursor that was not issued here, or for another filter.
    InvalidCursor,
    /// No such user or path.
    NotFound,
    /// The path exists, but not for this method.
    MethodNotAllowed,
    /// The body stalled.
    RequestTimeout,
    /// The address belongs to another user.
    EmailTaken,
    /// The body is too large.
    PayloadTooLarge,
    /// The body is of a type that is not accepted.
    UnsupportedMediaType,
    /// A proper request with invalid values.
    ValidationFailed,
    /// A defect of the service.
    Internal,
    /// The database cannot be reached or is too busy.
    DatabaseUnavailable,
    /// The service is ending.
    ShuttingDown,
    /// The request took longer than it may.
    DeadlineExceeded,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 14] = [
        Self::MalformedRequest,
        Self::NoFieldsToUpdate,
        Self::InvalidCursor,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::EmailTaken,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::ValidationFailed,
        Self::Internal,
        Self::DatabaseUnavailable,
        Self::ShuttingDown,
        Self::DeadlineExceeded,
    ];

    /// The code as it appears in a body and in `type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MalformedRequest => "malformed_request",
            Self::NoFieldsToUpdate => "no_fields_to_update",
            Self::InvalidCursor => "invalid_cursor",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::EmailTaken => "email_taken",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::ValidationFailed => "validation_failed",
            Self::Internal => "internal",
            Self::DatabaseUnavailable => "database_unavailable",
            Self::ShuttingDown => "shutting_down",
            Self::DeadlineExceeded => "deadline_exceeded",
        }
    }

    /// The status that goes with the code.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MalformedRequest | Self::NoFieldsToUpdate | Self::InvalidCursor => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::EmailTaken => StatusCode::CONFLICT,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ValidationFailed => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::DatabaseUnavailable | Self::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// A short summary that is the same for every problem of the kind.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::MalformedRequest => "Malformed request",
            Self::NoFieldsToUpdate => "No fields to update",
            Self::InvalidCursor => "Invalid cursor",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::RequestTimeout => "Request timeout",
            Self::EmailTaken => "Email taken",
            Self::PayloadTooLarge => "Payload too large",
            Self::UnsupportedMediaType => "Unsupported media type",
            Self::ValidationFailed => "Validation failed",
            Self::Internal => "Internal server error",
            Self::DatabaseUnavailable => "Database unavailable",
            Self::ShuttingDown => "Shutting down",
            Self::DeadlineExceeded => "Deadline exceeded",
        }
    }
}

/// What is wrong with one place of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// A member that must be given is missing.
    Required,
    /// A value of another type than is accepted; `null` included.
    Type,
    /// Too short or too long.
    Length,
    /// Not of the required form.
    Format,
    /// Contains a control character.
    ControlCharacter,
    /// A member or parameter that does not exist.
    UnknownField,
    /// A member or parameter that is given more than once.
    DuplicateField,
    /// A number outside its range, or two parameters that exclude each other.
    Range,
    /// An address that is not free.
    Taken,
}

impl FaultCode {
    const ALL: [Self; 9] = [
        Self::Required,
        Self::Type,
        Self::Length,
        Self::Format,
        Self::ControlCharacter,
        Self::UnknownField,
        Self::DuplicateField,
        Self::Range,
        Self::Taken,
    ];

    /// The code as it appears in a body.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Type => "type",
            Self::Length => "length",
            Self::Format => "format",
            Self::ControlCharacter => "control_character",
            Self::UnknownField => "unknown_field",
            Self::DuplicateField => "duplicate_field",
            Self::Range => "range",
            Self::Taken => "taken",
        }
    }

    /// The code that is written like this.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

impl From<Rule> for FaultCode {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::Length => Self::Length,
            Rule::Format => Self::Format,
            Rule::ControlCharacter => Self::ControlCharacter,
            Rule::Range => Self::Range,
        }
    }
}

/// One fault of a request: where it is and what is accepted there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// A JSON Pointer (RFC 6901) into the body, or `query/NAME` or `path/NAME`.
    #[schema(example = "/name")]
    pub pointer: String,
    /// The kind of fault.
    pub code: FaultCode,
    /// What is accepted.
    #[schema(example = "must be 1 to 100 characters")]
    pub message: Cow<'static, str>,
}

impl Fault {
    /// The fault that a broken rule of the domain is at this place.
    pub(crate) fn violation(pointer: impl Into<String>, violation: Violation) -> Self {
        Self::new(pointer, violation.rule().into(), violation.message())
    }

    pub(crate) fn new(pointer: impl Into<String>, code: FaultCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            pointer: pointer.into(),
            code,
            message: message.into(),
        }
    }

    /// Orders by place, list indexes by number: `/users/2/name` stands before `/users/10/name`.
    fn order(&self) -> Vec<(usize, String)> {
        self.pointer
            .split('/')
            .map(|segment| (segment.parse().unwrap_or(usize::MAX), segment.to_owned()))
            .collect()
    }
}

/// An error as a client sees it, with the cause that only the log sees.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: Cow<'static, str>,
    faults: Vec<Fault>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem with this explanation for the caller. No SQL, path, type name or driver text belongs into it.
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            faults: Vec::new(),
            headers: Vec::new(),
            cause: None,
        }
    }

    /// A 422 for these faults.
    pub(crate) fn validation(faults: Vec<Fault>) -> Self {
        let detail = match faults.len() {
            1 => "1 field is invalid".to_owned(),
            count => format!("{count} fields are invalid"),
        };
        Self::new(Code::ValidationFailed, detail).with_faults(faults)
    }

    /// A 404 for a path.
    pub(crate) fn no_such_path() -> Self {
        Self::new(Code::NotFound, "No such path")
    }

    /// A 500. The caller learns nothing but the request id.
    pub(crate) fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail = "The service has a defect. Report the request id to its operators.";
        Self {
            cause: Some(cause.into()),
            ..Self::new(Code::Internal, detail)
        }
    }

    fn database_unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let problem = Self::new(
            Code::DatabaseUnavailable,
            "The database cannot serve the request now. Try again shortly.",
        );
        Self {
            cause: Some(cause.into()),
            ..problem.retry_after_a_second()
        }
    }

    pub(crate) fn shutting_down() -> Self {
        Self::new(Code::ShuttingDown, "This instance is shutting down. Try again.").retry_after_a_second()
    }

    pub(crate) fn deadline_exceeded() -> Self {
        Self::new(
            Code::DeadlineExceeded,
            "The request took too long and was given up. A create may have taken effect all the same.",
        )
    }

    /// Adds a header to the answer.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn retry_after_a_second(self) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    fn with_faults(mut self, mut faults: Vec<Fault>) -> Self {
        faults.truncate(MAX_LISTED_FAULTS);
        faults.sort_by_cached_key(Fault::order);
        self.faults = faults;
        self
    }

    /// What kind of problem it is.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The places of the request that are at fault.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What brought it about, for the log.
    pub(crate) fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }

    /// The answer to the request for `instance` with this id.
    pub(crate) fn to_response(&self, instance: &str, request_id: &str) -> HttpResponse {
        let document = ProblemDocument {
            r#type: format!("/problems/{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            instance,
            code: self.code,
            request_id,
            errors: (!self.faults.is_empty()).then_some(&self.faults),
        };
        let mut response = HttpResponse::build(self.code.status());
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        // Strings and numbers always serialise; were it otherwise, the status would still say what matters.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        response.content_type(CONTENT_TYPE).body(body)
    }
}

/// Problem details as sent (RFC 9457 section 3).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument<'a> {
    /// Where the kind of problem is explained.
    #[schema(example = "/problems/validation_failed")]
    r#type: String,
    /// A summary that is the same for every problem of the kind.
    #[schema(example = "Validation failed")]
    title: &'a str,
    /// The HTTP status.
    #[schema(example = 422, minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong this time.
    #[schema(example = "1 field is invalid")]
    detail: &'a str,
    /// The path of the request.
    #[schema(example = "/api/v1/users")]
    instance: &'a str,
    /// The kind of problem, for programs.
    code: Code,
    /// The id of the request, as in `X-Request-ID` and the logs.
    #[schema(example = "0193fd2a-6f0e-7c3b-9d53-0b6a3f1e2c4d")]
    request_id: &'a str,
    /// Every place of the request that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Fault>>, nullable = false)]
    errors: Option<&'a Vec<Fault>>,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code.title())
    }
}

/// The edge middleware renders problems, since it alone knows the request; this is how they travel to it.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.code.status())
    }
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        match error {
            UserError::NotFound(_) => Self::new(Code::NotFound, error.to_string()),
            UserError::EmailTaken => Self::new(Code::EmailTaken, error.to_string()),
            UserError::EmailsTaken(ref positions) => {
                let fault = |position| {
                    Fault::new(
                        format!("/users/{position}/email"),
                        FaultCode::Taken,
                        "belongs to another user, or stands earlier in the batch",
                    )
                };
                Self::new(Code::EmailTaken, error.to_string()).with_faults(positions.iter().map(fault).collect())
            }
            UserError::DatabaseUnavailable(_) => Self::database_unavailable(error),
            UserError::Stopped(_) => Self::shutting_down(),
            UserError::Internal(_) => Self::internal(error),
        }
    }
}

/// An error and everything that brought it about, on one line. Some libraries repeat their cause in their own text; here it
/// is said once.
#[must_use]
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}
