//! Moving many users in or out, whatever their number: nothing here grows with it.
//!
//! Both directions work in chunks. While one chunk is on its way to or from the database, the next is gathered or the one
//! before is handed on; never more than that, so whoever is slower sets the pace. In what form users travel is not known here.

mod export;
mod import;

pub use export::Export;
pub use import::{Import, ImportProgress, ImportReport, ImportStopped, Rejected, Rejection};

use persistence::Database;

use crate::{Counters, DatabaseRuntime, Freshness, Retries, UserService, user_count::UserCount, users::Reading};

/// What an import or an export works with.
pub(crate) struct Resources {
    pub(crate) database: Database,
    pub(crate) runtime: DatabaseRuntime,
    pub(crate) counters: Counters,
    pub(crate) retries: Retries,
    pub(crate) reading: Reading,
    pub(crate) count: UserCount,
}

impl UserService {
    /// Starts an import. `R` is whatever describes a row that cannot be read.
    #[must_use]
    pub fn import<R>(&self) -> Import<R> {
        Import::new(self.resources())
    }

    /// Starts an export of all users. Nothing is read before it is asked for. Each page is as fresh as `freshness` says.
    #[must_use]
    pub fn export(&self, freshness: Freshness) -> Export {
        Export::new(self.resources(), freshness)
    }
}
