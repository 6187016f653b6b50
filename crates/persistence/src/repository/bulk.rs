//! Inserting many users whose ids nobody asks for.

use domain::{NewUser, Timestamp};

use super::UserRepository;
use crate::{Executor, PersistenceError};

/// How many rows one statement inserts. Drivers keep a statement prepared by its text, so a few fixed sizes are prepared
/// once and used again, whatever the number of users. The largest stays far below every engine's limit of bound values.
const ROWS_PER_STATEMENT: [usize; 4] = [250, 50, 10, 1];

impl<E: Executor> UserRepository<'_, E> {
    /// Inserts users created at `now`, without telling their ids. Run it in a transaction: it takes several statements.
    ///
    /// # Errors
    /// [`PersistenceError::EmailTaken`] when another user has one of the addresses, or two of them are equal.
    pub async fn insert_unseen(&self, new_users: &[&NewUser], now: Timestamp) -> Result<(), PersistenceError> {
        let mut rest = new_users;
        for rows in ROWS_PER_STATEMENT {
            while let Some((head, tail)) = rest.split_at_checked(rows) {
                let insert = self.insertion(head.iter().map(|new_user| (*new_user, now)))?;
                self.execute(insert).await?;
                rest = tail;
            }
        }
        Ok(())
    }
}
