//! What kinds of problems there are. The one place where each gets its status.

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

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
    /// The token is missing or not accepted.
    Unauthenticated,
    /// The token does not allow this.
    Forbidden,
    /// No such user or path.
    NotFound,
    /// The path exists, but not for this method.
    MethodNotAllowed,
    /// None of the media types on offer is accepted.
    NotAcceptable,
    /// The body stalled.
    RequestTimeout,
    /// The address belongs to another user.
    EmailTaken,
    /// The first request with this idempotency key is still running.
    IdempotencyInProgress,
    /// The user is not as the caller last saw it.
    PreconditionFailed,
    /// The body is too large.
    PayloadTooLarge,
    /// The body is of a type that is not accepted.
    UnsupportedMediaType,
    /// A proper request with invalid values.
    ValidationFailed,
    /// The idempotency key was used for another request.
    IdempotencyKeyReused,
    /// A change must say which state it is based on.
    PreconditionRequired,
    /// The caller has used up its share.
    RateLimited,
    /// A defect of the service.
    Internal,
    /// Too many requests are in progress.
    Overloaded,
    /// The database cannot be reached or is too busy.
    DatabaseUnavailable,
    /// The service is ending.
    ShuttingDown,
    /// The request took longer than it may.
    DeadlineExceeded,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 23] = [
        Self::MalformedRequest,
        Self::NoFieldsToUpdate,
        Self::InvalidCursor,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::RequestTimeout,
        Self::EmailTaken,
        Self::IdempotencyInProgress,
        Self::PreconditionFailed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::ValidationFailed,
        Self::IdempotencyKeyReused,
        Self::PreconditionRequired,
        Self::RateLimited,
        Self::Internal,
        Self::Overloaded,
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
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotAcceptable => "not_acceptable",
            Self::RequestTimeout => "request_timeout",
            Self::EmailTaken => "email_taken",
            Self::IdempotencyInProgress => "idempotency_in_progress",
            Self::PreconditionFailed => "precondition_failed",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::ValidationFailed => "validation_failed",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::PreconditionRequired => "precondition_required",
            Self::RateLimited => "rate_limited",
            Self::Internal => "internal",
            Self::Overloaded => "overloaded",
            Self::DatabaseUnavailable => "database_unavailable",
            Self::ShuttingDown => "shutting_down",
            Self::DeadlineExceeded => "deadline_exceeded",
        }
    }

    /// The code of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }

    /// Where the code is explained: the `type` of its problems.
    pub(crate) fn uri(self) -> String {
        format!("/problems/{}", self.as_str())
    }

    /// The status that goes with the code.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MalformedRequest | Self::NoFieldsToUpdate | Self::InvalidCursor => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::EmailTaken | Self::IdempotencyInProgress => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ValidationFailed | Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Overloaded | Self::DatabaseUnavailable | Self::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
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
            Self::Unauthenticated => "Unauthenticated",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::NotAcceptable => "Not acceptable",
            Self::RequestTimeout => "Request timeout",
            Self::EmailTaken => "Email taken",
            Self::IdempotencyInProgress => "Request in progress",
            Self::PreconditionFailed => "Precondition failed",
            Self::PayloadTooLarge => "Payload too large",
            Self::UnsupportedMediaType => "Unsupported media type",
            Self::ValidationFailed => "Validation failed",
            Self::IdempotencyKeyReused => "Idempotency key reused",
            Self::PreconditionRequired => "Precondition required",
            Self::RateLimited => "Rate limited",
            Self::Internal => "Internal server error",
            Self::Overloaded => "Overloaded",
            Self::DatabaseUnavailable => "Database unavailable",
            Self::ShuttingDown => "Shutting down",
            Self::DeadlineExceeded => "Deadline exceeded",
        }
    }
}
