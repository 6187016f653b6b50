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

/// The beats that may still be of use, oldest first.
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

    /// Notes a beat that has been written, and when its writing began. Forgets those that began before `oldest`.
    pub(crate) fn note(&mut self, beat: i64, began: Instant, oldest: Option<Instant>) {
        self.written.push_back((beat, began));
        while self
            .written
            .front()
            .is_some_and(|(_, began)| oldest.is_some_and(|oldest| *began < oldest))
        {
            self.written.pop_front();
        }
    }

    /// When the writing of a beat began, if it is still of use.
    pub(crate) fn began(&self, beat: i64) -> Option<Instant> {
        let known = self.written.iter().find(|(known, _)| *known == beat);
        known.map(|(_, began)| *began)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_beat_is_known_until_it_is_too_old() {
        let (mut beats, start) = (Beats::default(), Instant::now());
        for age in 0..10_u32 {
            let (beat, now) = (beats.next(), start + SECOND * age);
            beats.note(beat, now, now.checked_sub(SECOND * 3));
        }
        assert_eq!(beats.began(10), Some(start + SECOND * 9));
        assert_eq!(beats.began(7), Some(start + SECOND * 6));
        assert_eq!(beats.began(6), None, "forgotten");
        assert_eq!(beats.began(11), None, "not ours");
        assert_eq!(beats.written.len(), 4);
    }
}
