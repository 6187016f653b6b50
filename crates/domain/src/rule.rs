//! How a parser of this crate says no: which rule was broken, and a message for the person who typed the value.

use std::fmt;

/// The kind of rule that a value broke. Clients branch on it, so a kind is never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Too short or too long, in the unit that the message names.
    Length,
    /// Not of the required form.
    Format,
    /// Contains a control character.
    ControlCharacter,
    /// A number outside its range.
    Range,
}

/// A broken rule. The message says what is accepted and never repeats the value, so it can be shown and logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    rule: Rule,
    message: &'static str,
}

impl Violation {
    pub(crate) const fn new(rule: Rule, message: &'static str) -> Self {
        Self { rule, message }
    }

    /// The kind of rule that was broken.
    #[must_use]
    pub const fn rule(self) -> Rule {
        self.rule
    }

    /// What is accepted, such as `must be 1 to 100 characters`.
    #[must_use]
    pub const fn message(self) -> &'static str {
        self.message
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message)
    }
}

impl std::error::Error for Violation {}
