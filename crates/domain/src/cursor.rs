//! A place in the list of users.

use crate::{Timestamp, User, UserId};

/// A position in the list of users: right after the user with this time and id.
///
/// The list is ordered by `created_at`, then `id`, both descending, and no two users share both, so a walk by positions
/// repeats and skips nobody while others are inserted and deleted. How a position is written for clients, and how a forged
/// one is told from a real one, is the API's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When the last user before this position was created.
    pub created_at: Timestamp,
    /// That user's id.
    pub id: UserId,
}

impl From<&User> for Cursor {
    fn from(user: &User) -> Self {
        Self {
            created_at: user.created_at,
            id: user.id,
        }
    }
}
