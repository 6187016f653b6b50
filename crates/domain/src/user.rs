//! A user, what makes a new one, and what may be changed.

use std::{fmt, num::NonZero};

use crate::{Email, Rule, Timestamp, UserName, Violation};

/// The number of a user: 1 to 2⁶³-1, given by the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(NonZero<i64>);

impl UserId {
    const FORMAT: Violation = Violation::new(Rule::Format, "must be a whole number such as 42");
    const RANGE: Violation = Violation::new(Rule::Range, "must be from 1 to 9223372036854775807");

    /// The id with this number.
    ///
    /// # Errors
    /// [`Rule::Range`] when `number` is zero or negative.
    pub fn new(number: i64) -> Result<Self, Violation> {
        match NonZero::new(number) {
            Some(number) if number.is_positive() => Ok(Self(number)),
            _ => Err(Self::RANGE),
        }
    }

    /// Reads the one spelling of an id: digits without a sign, a blank or a leading zero, so that a user has one address.
    ///
    /// # Errors
    /// [`Rule::Format`] when `text` is spelled otherwise, [`Rule::Range`] when the number is out of range.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Self::FORMAT);
        }
        match text.parse() {
            Ok(number) if number > 0 && text.starts_with('0') => Err(Self::FORMAT),
            Ok(number) => Self::new(number),
            Err(_) => Err(Self::RANGE),
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0.get()
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A user as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The number by which the user is addressed.
    pub id: UserId,
    /// What the user is called.
    pub name: UserName,
    /// Where the user is reached; no two users share it.
    pub email: Email,
    /// When the user was created.
    pub created_at: Timestamp,
    /// When the name or the address last changed; at first the time of creation.
    pub updated_at: Timestamp,
    /// 1 at first, one more with every change.
    pub version: i64,
}

impl User {
    /// The state in which the user is.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        Revision {
            id: self.id,
            created_at: self.created_at,
            version: self.version,
        }
    }
}

/// One state of one user: every change makes another. The time of creation is part of it because some databases give the
/// number of a deleted user to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Whose state it is.
    pub id: UserId,
    /// When the user was created.
    pub created_at: Timestamp,
    /// How many changes, counted from 1, led to the state.
    pub version: i64,
}

/// What somebody who asks for a change takes the user to be, so that a change made meanwhile is not overwritten unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The change is wanted whatever the state.
    None,
    /// The change is wanted only while the user is in one of these states; with an empty list never.
    OneOf(Vec<Revision>),
}

/// What is needed to create a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// What the user is called.
    pub name: UserName,
    /// Where the user is reached.
    pub email: Email,
}

/// A change of a user: at least one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserChanges {
    name: Option<UserName>,
    email: Option<Email>,
}

/// A change that changes nothing was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("No fields to update")]
pub struct NoChanges;

impl UserChanges {
    /// The change of the fields that are given; an absent one keeps its value.
    ///
    /// # Errors
    /// [`NoChanges`] when both are absent.
    pub fn new(name: Option<UserName>, email: Option<Email>) -> Result<Self, NoChanges> {
        if name.is_none() && email.is_none() {
            return Err(NoChanges);
        }
        Ok(Self { name, email })
    }

    /// The new name, if it is to change.
    #[must_use]
    pub fn name(&self) -> Option<&UserName> {
        self.name.as_ref()
    }

    /// The new address, if it is to change.
    #[must_use]
    pub fn email(&self) -> Option<&Email> {
        self.email.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        assert_eq!(UserId::parse("9223372036854775807").unwrap().get(), i64::MAX);
        for text in ["", "+1", "-1", " 1", "01", "1.0", "0x1", "１", "batch"] {
            assert_eq!(UserId::parse(text), Err(UserId::FORMAT), "{text:?}");
        }
        for text in ["0", "9223372036854775808", "99999999999999999999999999"] {
            assert_eq!(UserId::parse(text), Err(UserId::RANGE), "{text:?}");
        }
    }

    #[test]
    fn a_change_of_nothing_is_refused() {
        assert_eq!(UserChanges::new(None, None), Err(NoChanges));
    }

    proptest! {
        #[test]
        fn every_positive_number_is_an_id_and_prints_as_it_parses(number in 1..=i64::MAX) {
            let id = UserId::new(number).unwrap();
            prop_assert_eq!(UserId::parse(&id.to_string()), Ok(id));
        }

        #[test]
        fn no_other_number_is_an_id(number in i64::MIN..=0) {
            prop_assert!(UserId::new(number).is_err());
        }

        #[test]
        fn text_that_parses_prints_as_it_was(text in "[0-9+ -]{0,22}") {
            if let Ok(id) = UserId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
