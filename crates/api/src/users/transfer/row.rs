//! What one line of a file says.

use std::{borrow::Cow, fmt};

use domain::NewUser;
use serde::{Serialize, Serializer};
use service::Rejection;

use super::MAX_LINE_BYTES;
use crate::{
    extract::{JsonForm, check_form},
    json::{NotAnObject, ObjectReader, parse_members},
    problem::{Code, Fault, FaultCode},
    users::dto::CreateUser,
};

/// How many faults of one line its message tells. A line may hold thousands.
const MAX_TOLD_FAULTS: usize = 5;

/// A line of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// The physical line on which it begins, from 1.
    pub line: u64,
    /// The user on it, or why there is none.
    pub user: Result<NewUser, LineFault>,
}

/// Why a line cannot be read as a user. It is made for being shown, and does not repeat what the line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFault {
    /// The kind of fault, for programs.
    pub code: LineCode,
    /// What is accepted.
    pub message: Cow<'static, str>,
}

/// The kinds of faults that a line can have: what a member of a body can be accused of, and what a request can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineCode {
    /// A member or column is at fault.
    Field(FaultCode),
    /// The line as a whole is.
    Line(Code),
}

impl LineCode {
    /// Every code of a line in the answer to an import, as it is written.
    pub(crate) const ALL: [&'static str; 10] = [
        FaultCode::Required.as_str(),
        FaultCode::Type.as_str(),
        FaultCode::Length.as_str(),
        FaultCode::Format.as_str(),
        FaultCode::ControlCharacter.as_str(),
        FaultCode::UnknownField.as_str(),
        FaultCode::DuplicateField.as_str(),
        Code::EmailTaken.as_str(),
        Code::MalformedRequest.as_str(),
        Code::PayloadTooLarge.as_str(),
    ];

    /// The code as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Field(code) => code.as_str(),
            Self::Line(code) => code.as_str(),
        }
    }
}

impl Serialize for LineCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.message, self.code.as_str())
    }
}

impl From<Rejection<LineFault>> for LineFault {
    fn from(reason: Rejection<LineFault>) -> Self {
        match reason {
            Rejection::Unreadable(fault) => fault,
            Rejection::EmailTaken => Self::EMAIL_TAKEN,
        }
    }
}

impl LineFault {
    const EMAIL_TAKEN: Self = Self {
        code: LineCode::Line(Code::EmailTaken),
        message: Cow::Borrowed("Email already exists, or stands on an earlier line"),
    };

    pub(super) fn malformed(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: LineCode::Line(Code::MalformedRequest),
            message: message.into(),
        }
    }

    pub(super) fn too_long() -> Self {
        Self {
            code: LineCode::Line(Code::PayloadTooLarge),
            message: format!("must not be longer than {MAX_LINE_BYTES} bytes").into(),
        }
    }

    pub(super) fn not_utf8() -> Self {
        Self::malformed("must be UTF-8")
    }

    /// The fault of a line with these faults: the kind of the first, in the order in which a body would list them.
    fn of(mut faults: Vec<Fault>) -> Self {
        faults.sort_by_cached_key(Fault::order);
        let Some(first) = faults.first() else {
            return Self::malformed("cannot be read");
        };
        let code = LineCode::Field(first.code);
        let told = faults.iter().take(MAX_TOLD_FAULTS).map(|fault| {
            // The names of unknown members are the caller's own, and may be as long as the line.
            let member = fault.pointer.trim_start_matches('/');
            let member: String = member.chars().filter(|it| !it.is_control()).take(100).collect();
            format!("{member} {}", fault.message)
        });
        let mut message = told.collect::<Vec<_>>().join("; ");
        if let Some(more @ 1..) = faults.len().checked_sub(MAX_TOLD_FAULTS) {
            message = format!("{message}; and {more} more");
        }
        Self {
            code,
            message: message.into(),
        }
    }
}

/// Reads a line that is to hold one JSON object, by the rules for the body of a create.
pub(super) fn read_json(line: &[u8]) -> Result<NewUser, LineFault> {
    if std::str::from_utf8(line).is_err() {
        return Err(LineFault::not_utf8());
    }
    let members = parse_members(line).map_err(|fault| match fault {
        NotAnObject::OtherValue => LineFault::malformed("must be a JSON object"),
        NotAnObject::NotJson { column, .. } => LineFault::malformed(format!("is not valid JSON: see column {column}")),
    })?;
    let mut faults = Vec::new();
    let mut object = ObjectReader::new(members, String::new(), &mut faults);
    let form = CreateUser::read(&mut object);
    object.finish();
    check(form, faults)
}

/// Reads the columns of a line, by the same rules.
pub(super) fn read_columns(name: &[u8], email: &[u8]) -> Result<NewUser, LineFault> {
    let (Ok(name), Ok(email)) = (std::str::from_utf8(name), std::str::from_utf8(email)) else {
        return Err(LineFault::not_utf8());
    };
    check(CreateUser::new(name, email), Vec::new())
}

fn check(form: CreateUser, mut faults: Vec<Fault>) -> Result<NewUser, LineFault> {
    // Nearly all lines are right, and the form need not tell what would be wrong with them.
    if faults.is_empty()
        && let Some(new_user) = form.parse()
    {
        return Ok(new_user);
    }
    check_form(&form, &mut faults);
    Err(LineFault::of(faults))
}
