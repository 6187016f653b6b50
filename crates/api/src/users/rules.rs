//! The rules of the domain in the shape that `validator` attributes call. No rule is written here: each is asked for.

use std::borrow::Cow;

use domain::{Email, UserBatch, UserName, Violation};
use validator::ValidationError;

use super::dto::CreateUsers;
use crate::problem::FaultCode;

/// The parameter by which an error says that it is about another place than the one it is noted at.
pub(crate) const POINTER: &str = "pointer";

pub(super) fn name(text: &str) -> Result<(), ValidationError> {
    UserName::parse(text).map(|_| ()).map_err(to_validation_error)
}

pub(super) fn email(text: &str) -> Result<(), ValidationError> {
    Email::parse(text).map(|_| ()).map_err(to_validation_error)
}

/// A rule about the form as a whole, because `validator` cannot hold errors of a list and of its items under one name.
pub(super) fn batch(form: &CreateUsers) -> Result<(), ValidationError> {
    let Some(users) = &form.users else { return Ok(()) };
    UserBatch::check_len(users.len()).map_err(|violation| {
        let mut error = to_validation_error(violation);
        error.add_param(POINTER.into(), &"/users");
        error
    })
}

fn to_validation_error(violation: Violation) -> ValidationError {
    let code = match FaultCode::from(violation.rule()) {
        FaultCode::Length => "length",
        FaultCode::ControlCharacter => "control_character",
        FaultCode::Range => "range",
        _ => "format",
    };
    ValidationError::new(code).with_message(Cow::Borrowed(violation.message()))
}

/// The code of a fault that one of these functions found.
pub(crate) fn fault_code(code: &str) -> FaultCode {
    match code {
        "length" => FaultCode::Length,
        "control_character" => FaultCode::ControlCharacter,
        "range" => FaultCode::Range,
        _ => FaultCode::Format,
    }
}
