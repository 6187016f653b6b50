//! The rules of the domain in the shape that `validator` attributes call. No rule is written here: each is asked for.

use std::borrow::Cow;

use domain::{Email, UserBatch, UserName, Violation};
use validator::ValidationError;

use super::dto::CreateUsers;
use crate::{extract::ELSEWHERE, problem::FaultCode};

// ANCHOR: rules
pub(super) fn name(text: &str) -> Result<(), ValidationError> {
    UserName::parse(text).map(|_| ()).map_err(to_validation_error)
}

pub(super) fn email(text: &str) -> Result<(), ValidationError> {
    Email::parse(text).map(|_| ()).map_err(to_validation_error)
}
// ANCHOR_END: rules

/// A rule about the form as a whole, because `validator` cannot hold errors of a list and of its items under one name.
pub(super) fn batch(form: &CreateUsers) -> Result<(), ValidationError> {
    let Some(users) = &form.users else { return Ok(()) };
    UserBatch::check_len(users.len()).map_err(|violation| {
        let mut error = to_validation_error(violation);
        error.add_param(ELSEWHERE.into(), &"/users");
        error
    })
}

fn to_validation_error(violation: Violation) -> ValidationError {
    let code = FaultCode::from(violation.rule()).as_str();
    ValidationError::new(code).with_message(Cow::Borrowed(violation.message()))
}
