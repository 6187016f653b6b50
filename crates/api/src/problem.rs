//! Problem details (RFC 9457): every error that a client can see, and how it is written.

mod code;
mod explanation;
mod fault;

use std::{borrow::Cow, error::Error, fmt};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use serde::Serialize;
use service::UserError;
use utoipa::ToSchema;

pub use code::Code;
pub(crate) use explanation::Explanation;
pub use fault::{Fault, FaultCode};

/// The media type of problem details.
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

/// The most faults that one answer lists. A body of a megabyte can hold more; the detail still counts them all.
const MAX_LISTED_FAULTS: usize = 10_000;

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

    // ANCHOR: internal
    /// A 500. The caller learns nothing but the request id.
    pub(crate) fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail = "The service has a defect. Report the request id to its operators.";
        Self {
            cause: Some(cause.into()),
            ..Self::new(Code::Internal, detail)
        }
    }
    // ANCHOR_END: internal

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

    pub(crate) fn overloaded() -> Self {
        Self::new(
            Code::Overloaded,
            "This instance works on as many requests as it can. Try again shortly.",
        )
        .retry_after_a_second()
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

    /// Adds a sentence to the detail. A 500 keeps its own: it tells nothing.
    pub(crate) fn with_remark(mut self, remark: &str) -> Self {
        if self.code != Code::Internal {
            let end = if self.detail.ends_with('.') { "" } else { "." };
            self.detail = format!("{}{end} {remark}", self.detail).into();
        }
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
            r#type: self.code.uri(),
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

// ANCHOR: from-user-error
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
            UserError::PreconditionFailed => Self::new(Code::PreconditionFailed, error.to_string()),
            UserError::IdempotencyInProgress => {
                Self::new(Code::IdempotencyInProgress, error.to_string()).retry_after_a_second()
            }
            UserError::IdempotencyKeyReused => Self::new(Code::IdempotencyKeyReused, error.to_string()),
            UserError::DatabaseUnavailable(_) => Self::database_unavailable(error),
            UserError::Stopped(_) => Self::shutting_down(),
            UserError::Internal(_) => Self::internal(error),
        }
    }
}
// ANCHOR_END: from-user-error

// ANCHOR: error-chain
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
// ANCHOR_END: error-chain
