//! What is wrong with one place of a request.

use std::borrow::Cow;

use domain::{Rule, Violation};
use serde::Serialize;
use utoipa::ToSchema;

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

// ANCHOR: fault
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
// ANCHOR_END: fault

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
    pub(crate) fn order(&self) -> Vec<(usize, String)> {
        self.pointer
            .split('/')
            .map(|segment| (segment.parse().unwrap_or(usize::MAX), segment.to_owned()))
            .collect()
    }
}
