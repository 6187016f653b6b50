//! Points in time, in the one precision that every engine can store.

use std::{fmt, time::Duration};

use chrono::{DateTime, Datelike, Timelike, Utc};

use crate::{Rule, Violation};

/// A point in time in UTC, in whole microseconds, from the year 1 to the year 9999.
///
/// Microseconds are what `DATETIME(6)` and `timestamp(6)` keep. Cutting finer digits off here, before a value is stored,
/// makes the value that was sent equal to the value that comes back on every engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// The first microsecond of the year 1, in microseconds from the Unix epoch.
    const MIN_MICROS: i64 = -62_135_596_800_000_000;
    /// The last microsecond of the year 9999, the last that RFC 3339 can write.
    const MAX_MICROS: i64 = 253_402_300_799_999_999;

    const RANGE: Violation = Violation::new(Rule::Range, "must be a time from the year 1 to the year 9999");

    /// The present, from the system clock.
    #[must_use]
    pub fn now() -> Self {
        // A clock outside the range is a broken machine: the epoch keeps the service answering.
        Self::from_unix_micros(Utc::now().timestamp_micros()).unwrap_or(Self(DateTime::UNIX_EPOCH))
    }

    /// The time `micros` microseconds after the Unix epoch (negative: before it).
    ///
    /// # Errors
    /// [`Rule::Range`] outside the years 1 to 9999.
    pub fn from_unix_micros(micros: i64) -> Result<Self, Violation> {
        if !(Self::MIN_MICROS..=Self::MAX_MICROS).contains(&micros) {
            return Err(Self::RANGE);
        }
        DateTime::from_timestamp_micros(micros).map(Self).ok_or(Self::RANGE)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub fn unix_micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// The time that much later, or the last that there is.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let later = self.unix_micros().saturating_add(micros).min(Self::MAX_MICROS);
        Self::from_unix_micros(later).unwrap_or(self)
    }

    /// This much earlier, but not before the first moment that can be represented.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let earlier = self.unix_micros().saturating_sub(micros).max(Self::MIN_MICROS);
        Self::from_unix_micros(earlier).unwrap_or(self)
    }

    /// RFC 3339 with six fractional digits and `Z`: `2026-11-23T03:05:13.123456Z`.
    ///
    /// A list has two of them for each user, so they are written digit by digit and not by a format.
    #[must_use]
    pub fn to_rfc_3339(self) -> String {
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let parts = [
            // From the year 1 on, so never negative.
            (0..4, self.0.year().unsigned_abs()),
            (5..7, self.0.month()),
            (8..10, self.0.day()),
            (11..13, self.0.hour()),
            (14..16, self.0.minute()),
            (17..19, self.0.second()),
            (20..26, self.0.timestamp_subsec_micros()),
        ];
        for (place, mut number) in parts {
            for digit in text.get_mut(place).unwrap_or_default().iter_mut().rev() {
                *digit += u8::try_from(number % 10).unwrap_or_default();
                number /= 10;
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The same time as a `chrono` value.
    #[must_use]
    pub fn to_utc(self) -> DateTime<Utc> {
        self.0
    }
}

/// Cuts digits finer than a microsecond off.
impl TryFrom<DateTime<Utc>> for Timestamp {
    type Error = Violation;

    fn try_from(time: DateTime<Utc>) -> Result<Self, Violation> {
        Self::from_unix_micros(time.timestamp_micros())
    }
}

/// As [`Timestamp::to_rfc_3339`].
impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_rfc_3339())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_written_with_six_digits_even_when_they_are_zero() {
        assert_eq!(
            Timestamp::from_unix_micros(0).unwrap().to_string(),
            "1970-01-01T00:00:00.000000Z"
        );
        assert_eq!(
            Timestamp::from_unix_micros(Timestamp::MAX_MICROS).unwrap().to_string(),
            "9999-12-31T23:59:59.999999Z"
        );
        assert_eq!(
            Timestamp::from_unix_micros(Timestamp::MIN_MICROS).unwrap().to_string(),
            "0001-01-01T00:00:00.000000Z"
        );
        assert!(Timestamp::from_unix_micros(Timestamp::MAX_MICROS + 1).is_err());
        assert!(Timestamp::from_unix_micros(Timestamp::MIN_MICROS - 1).is_err());
    }

    #[test]
    fn finer_digits_are_cut_off() {
        let nanos = DateTime::from_timestamp(1, 123_456_789).unwrap();
        assert_eq!(Timestamp::try_from(nanos).unwrap().unix_micros(), 1_123_456);
    }

    proptest! {
        #[test]
        fn times_are_written_as_rfc_3339(micros in Timestamp::MIN_MICROS..=Timestamp::MAX_MICROS) {
            let time = Timestamp::from_unix_micros(micros).unwrap();
            prop_assert_eq!(time.to_string(), time.0.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
        }

        #[test]
        fn microseconds_survive_the_round_trip(micros in Timestamp::MIN_MICROS..=Timestamp::MAX_MICROS) {
            prop_assert_eq!(Timestamp::from_unix_micros(micros).unwrap().unix_micros(), micros);
        }
    }
}
