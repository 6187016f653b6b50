//! Beats: a number that each process which asks replicas keeps writing to the primary, in SQL and in memory. What they are for
//! stands in `replicas`.

use std::{collections::VecDeque, time::Instant};

use domain::Timestamp;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};

use crate::{Executor, PersistenceError, entity::replication_beat};

/// Beats, on a connection.
#[derive(Debug)]
pub(crate) struct BeatRepository<'a, E: Executor>(&'a E);

impl<'a, E: Executor> BeatRepository<'a, E> {
    /// The beats that `executor` sees.
    pub(crate) fn new(executor: &'a E) -> Self {
        Self(executor)
    }

    /// Writes the beat of an instance over its last one. Two statements the first time; nobody else writes that row.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) async fn write(&self, instance: i64, beat: i64, now: Timestamp) -> Result<(), PersistenceError> {
        let written_at = now.to_utc().naive_utc();
        let updated = replication_beat::Entity::update_many()
            .filter(replication_beat::Column::Instance.eq(instance))
            .col_expr(replication_beat::Column::Beat, Expr::val(beat))
            .col_expr(replication_beat::Column::WrittenAt, Expr::val(written_at))
            .exec(self.0.inner())
            .await?;
        if updated.rows_affected == 0 {
            let row = replication_beat::ActiveModel {
                instance: Set(instance),
                beat: Set(beat),
                written_at: Set(written_at),
            };
            replication_beat::Entity::insert(row)
                .exec_without_returning(self.0.inner())
                .await?;
        }
        Ok(())
    }

    /// The last beat of an instance that this connection sees.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) async fn find(&self, instance: i64) -> Result<Option<i64>, PersistenceError> {
        let row = replication_beat::Entity::find_by_id(instance)
            .one(self.0.inner())
            .await?;
        Ok(row.map(|row| row.beat))
    }

    /// Forgets instances whose last beat was written before `oldest`.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) async fn forget(&self, oldest: Timestamp) -> Result<(), PersistenceError> {
        replication_beat::Entity::delete_many()
            .filter(replication_beat::Column::WrittenAt.lt(oldest.to_utc().naive_utc()))
            .exec(self.0.inner())
            .await?;
        Ok(())
    }
}

/// So many beats are remembered: as old as a replica can be seen to be. That is half an hour with a `REPLICA_MAX_LAG` of a second,
/// and three minutes with the least one, of which the beats are 20 ms apart; past it the age of a replica is unknown.
const REMEMBERED: usize = 10_000;

/// The last beats, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Beats {
    last: i64,
    written: VecDeque<(i64, Instant)>,
}

impl Beats {
    /// The next number.
    pub(crate) fn next(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    /// Notes a beat that has been written, and when its writing began.
    pub(crate) fn note(&mut self, beat: i64, began: Instant) {
        if self.written.len() == REMEMBERED {
            self.written.pop_front();
        }
        self.written.push_back((beat, began));
    }

    /// When the writing of a beat began, if it is remembered.
    pub(crate) fn began(&self, beat: i64) -> Option<Instant> {
        let position = self.written.binary_search_by_key(&beat, |(known, _)| *known).ok()?;
        self.written.get(position).map(|(_, began)| *began)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_beat_is_remembered_until_many_have_come_after_it() {
        let (mut beats, start) = (Beats::default(), Instant::now());
        for age in 0..10_002_u32 {
            let beat = beats.next();
            // One that could not be written is left out.
            if beat != 5000 {
                beats.note(beat, start + SECOND * age);
            }
        }
        assert_eq!(beats.began(10_002), Some(start + SECOND * 10_001));
        assert_eq!(beats.began(4999), Some(start + SECOND * 4998));
        assert_eq!(beats.began(5000), None, "never written");
        assert_eq!(beats.began(2), Some(start + SECOND));
        assert_eq!(beats.began(1), None, "forgotten");
        assert_eq!(beats.began(10_003), None, "not ours");
    }
}
