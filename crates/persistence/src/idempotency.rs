//! The table of idempotency keys in SQL: which keys were used, for which request, and what was answered.
//!
//! A key is claimed by inserting its row in the transaction that does the work, so the two are committed together or not at
//! all, and the primary key makes others wait until that is decided.

use domain::Timestamp;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};

use crate::{Executor, PersistenceError, engine, entity::idempotency_key};

/// A hash in hexadecimal digits, as the database holds it: 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HexHash(String);

impl HexHash {
    /// The hash of 256 bits, such as SHA-256 gives.
    #[must_use]
    pub fn new(hash: [u8; 32]) -> Self {
        let digits = |byte: u8| [byte >> 4, byte & 0xf].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0'));
        Self(hash.into_iter().flat_map(digits).collect())
    }
}

/// What was answered to the request that used a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The request that used the key.
    pub request: HexHash,
    /// The answer, in the form in which it was handed in.
    pub answer: Vec<u8>,
    /// From when on the key counts as unused.
    pub expires_at: Timestamp,
}

/// Idempotency keys over any pool or transaction. What is said of [`UserRepository`](crate::UserRepository) about futures
/// that are dropped holds here as well.
#[derive(Debug)]
pub struct IdempotencyRepository<'a, E: Executor>(&'a E);

impl<'a, E: Executor> IdempotencyRepository<'a, E> {
    /// The repository over `executor`.
    #[must_use]
    pub fn new(executor: &'a E) -> Self {
        Self(executor)
    }

    /// Claims a key for a request, until `expires_at`; false when it is claimed already. While another transaction holds
    /// the key and has not ended, this waits for its end.
    ///
    /// After `false` on PostgreSQL the transaction can only be rolled back.
    ///
    /// # Errors
    /// When the database is unavailable or refuses, or the wait is over its limit.
    // ANCHOR: claim
    pub async fn claim(
        &self,
        key: &HexHash,
        request: &HexHash,
        expires_at: Timestamp,
    ) -> Result<bool, PersistenceError> {
        let row = idempotency_key::ActiveModel {
            key_hash: Set(key.0.clone()),
            request_hash: Set(request.0.clone()),
            answer: Set(Vec::new()),
            expires_at: Set(expires_at.to_utc().naive_utc()),
        };
        let inserted = idempotency_key::Entity::insert(row)
            .exec_without_returning(self.0.inner())
            .await;
        match inserted {
            Ok(_) => Ok(true),
            Err(refused) if engine::is_unique_violation(&refused) => Ok(false),
            Err(failed) => Err(self.0.writing_ended_with(failed.into())),
        }
    }
    // ANCHOR_END: claim

    /// Keeps the answer to the request that claimed `key` in this transaction.
    ///
    /// # Errors
    /// When the database is unavailable or refuses, or the key is not claimed.
    pub async fn keep_answer(&self, key: &HexHash, answer: Vec<u8>) -> Result<(), PersistenceError> {
        let updated = idempotency_key::Entity::update_many()
            .filter(idempotency_key::Column::KeyHash.eq(&key.0))
            .col_expr(idempotency_key::Column::Answer, Expr::val(answer))
            .exec(self.0.inner())
            .await;
        let updated = updated.map_err(|error| self.0.writing_ended_with(error.into()))?;
        if updated.rows_affected == 1 {
            Ok(())
        } else {
            Err(PersistenceError::Other(DbErr::RecordNotUpdated))
        }
    }

    /// What was answered to the request that used `key`, expired or not.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn find(&self, key: &HexHash) -> Result<Option<KeptAnswer>, PersistenceError> {
        let row = idempotency_key::Entity::find_by_id(key.0.clone())
            .one(self.0.inner())
            .await?;
        Ok(row.map(|row| KeptAnswer {
            request: HexHash(row.request_hash),
            answer: row.answer,
            // A time beyond all that we write was written by somebody else: the key has had its day.
            expires_at: Timestamp::try_from(row.expires_at.and_utc()).unwrap_or_else(|_| Timestamp::now()),
        }))
    }

    /// Forgets `key` if it expired by `now`; somebody else may have done so, and may have claimed it again.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn forget_expired(&self, key: &HexHash, now: Timestamp) -> Result<(), PersistenceError> {
        idempotency_key::Entity::delete_many()
            .filter(idempotency_key::Column::KeyHash.eq(&key.0))
            .filter(idempotency_key::Column::ExpiresAt.lte(now.to_utc().naive_utc()))
            .exec(self.0.inner())
            .await?;
        Ok(())
    }

    /// Forgets at most `limit` keys that expired by `now`, the oldest first, and returns how many those were.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn sweep(&self, now: Timestamp, limit: u64) -> Result<u64, PersistenceError> {
        let has_expired = idempotency_key::Column::ExpiresAt.lte(now.to_utc().naive_utc());
        // Not every engine knows DELETE with LIMIT.
        let keys: Vec<String> = idempotency_key::Entity::find()
            .select_only()
            .column(idempotency_key::Column::KeyHash)
            .filter(has_expired.clone())
            .order_by_asc(idempotency_key::Column::ExpiresAt)
            .limit(limit)
            .into_tuple()
            .all(self.0.inner())
            .await?;
        if keys.is_empty() {
            return Ok(0);
        }
        let deleted = idempotency_key::Entity::delete_many()
            .filter(idempotency_key::Column::KeyHash.is_in(keys))
            .filter(has_expired)
            .exec(self.0.inner())
            .await?;
        Ok(deleted.rows_affected)
    }
}
