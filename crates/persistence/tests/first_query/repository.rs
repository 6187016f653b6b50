//! The stand-in for the repository: as the crate's own is built, with the one method besides the reader's that is needed here.

use domain::{NewUser, Timestamp, User};

use crate::{Executor, PersistenceError};

#[path = "src/repository/recent.rs"]
mod recent;

#[derive(Debug)]
pub struct UserRepository<'a, E: Executor>(pub(crate) &'a E);

impl<'a, E: Executor> UserRepository<'a, E> {
    pub fn new(executor: &'a E) -> Self {
        Self(executor)
    }

    pub async fn insert(&self, new_user: NewUser, now: Timestamp) -> Result<User, PersistenceError> {
        the_crate::UserRepository::new(self.0).insert(new_user, now).await
    }

    pub async fn count(&self, filter: &domain::UserFilter) -> Result<u64, PersistenceError> {
        the_crate::UserRepository::new(self.0).count(filter).await
    }
}
