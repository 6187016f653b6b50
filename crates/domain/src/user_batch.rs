//! Users that are created together, all or none.

use std::collections::HashSet;

use crate::{Email, NewUser, Rule, Violation};

/// 1 to 1000 users to be created together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserBatch(Vec<NewUser>);

impl UserBatch {
    /// The most users in one batch. Their statement stays far below every engine's limit of bound values.
    pub const MAX_USERS: usize = 1000;

    const LENGTH: Violation = Violation::new(Rule::Length, "must be 1 to 1000 users");

    /// Whether a batch may have this many users.
    ///
    /// # Errors
    /// [`Rule::Length`] when it may not.
    pub fn check_len(len: usize) -> Result<(), Violation> {
        if (1..=Self::MAX_USERS).contains(&len) {
            Ok(())
        } else {
            Err(Self::LENGTH)
        }
    }

    /// The batch of these users, in this order.
    ///
    /// # Errors
    /// [`Rule::Length`] when there are none or more than 1000.
    pub fn new(users: Vec<NewUser>) -> Result<Self, Violation> {
        Self::check_len(users.len())?;
        Ok(Self(users))
    }

    /// The users in input order.
    #[must_use]
    pub fn users(&self) -> &[NewUser] {
        &self.0
    }

    /// The positions, ascending from 0, of users whose address stands earlier in the batch, or is in `taken`.
    #[must_use]
    pub fn conflicts(&self, taken: &HashSet<Email>) -> Vec<usize> {
        let mut seen = HashSet::with_capacity(self.0.len());
        let mut conflicts = Vec::new();
        for (position, user) in self.0.iter().enumerate() {
            if !seen.insert(&user.email) || taken.contains(&user.email) {
                conflicts.push(position);
            }
        }
        conflicts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UserName;

    fn user(email: &str) -> NewUser {
        NewUser {
            name: UserName::parse("Ann").unwrap(),
            email: Email::parse(email).unwrap(),
        }
    }

    #[test]
    fn a_batch_holds_1_to_1000_users() {
        assert!(UserBatch::new(vec![]).is_err());
        assert!(UserBatch::new(vec![user("a@example.com"); 1000]).is_ok());
        assert!(UserBatch::new(vec![user("a@example.com"); 1001]).is_err());
    }

    #[test]
    fn the_later_of_two_equal_addresses_conflicts_and_a_taken_one_always_does() {
        let emails = [
            "a@example.com",
            "b@example.com",
            "A@example.com",
            "c@example.com",
            "b@example.com",
        ];
        let batch = UserBatch::new(emails.map(user).to_vec()).unwrap();
        assert_eq!(batch.conflicts(&HashSet::new()), [2, 4]);
        assert_eq!(
            batch.conflicts(&HashSet::from([Email::parse("c@example.com").unwrap()])),
            [2, 3, 4]
        );
        assert_eq!(
            batch.conflicts(&HashSet::from([Email::parse("b@example.com").unwrap()])),
            [1, 2, 4]
        );
    }
}
