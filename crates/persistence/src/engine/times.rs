//! Reading and writing times.
//!
//! SQLite has no type for them and keeps text. The driver writes it by a format that it interprets anew for each time, and
//! reads it in three attempts, of which the last is right: nearly a quarter of what a list of users cost. Here the one form
//! in which times are written stands in code, for the statements that handle many: inserts, lists and look-ups by id. What
//! else has a time in it, such as an update, goes through the driver, so both must agree to the byte.

use std::ops::Range;

use domain::Timestamp;
use sea_orm::{
    DbBackend, DbErr, QueryResult, Value,
    prelude::{Date, DateTime},
    sqlx::Row,
};

use super::Engine;

/// The time in the column at `index`, in UTC.
///
/// # Errors
/// When the column holds no time.
pub(crate) fn read_time(row: &QueryResult, index: usize) -> Result<DateTime, DbErr> {
    let written = row
        .try_as_sqlite_row()
        .and_then(|row| row.try_get::<&str, _>(index).ok())
        .and_then(parse);
    match written {
        Some(time) => Ok(time),
        // Another engine, or a row written by hand, in one of the forms that only the driver knows.
        None => row.try_get_by_index(index),
    }
}

/// A time, in UTC, as a value of a statement.
pub(crate) fn time_value(backend: DbBackend, time: Timestamp) -> Value {
    match Engine::of_backend(backend) {
        Engine::Sqlite => text(time).into(),
        Engine::MySql | Engine::Postgres => time.to_utc().naive_utc().into(),
    }
}

/// The time just as the driver writes it, because texts are what is compared: `2026-11-23 03:05:13.123456`, with three digits
/// for the fraction where they are enough, or none and no point.
fn text(time: Timestamp) -> String {
    let spaced = time.to_rfc_3339().replace('T', " ");
    let text = spaced.trim_end_matches('Z');
    let shorter = text.strip_suffix(".000000").or_else(|| text.strip_suffix("000"));
    shorter.unwrap_or(text).to_owned()
}

/// Reads `2026-11-23 03:05:13.123456`, with one to nine digits for the fraction, or none and no point.
fn parse(text: &str) -> Option<DateTime> {
    let text = text.as_bytes();
    let separators = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];
    if separators
        .iter()
        .any(|&(at, separator)| text.get(at) != Some(&separator))
    {
        return None;
    }
    let part = |range: Range<usize>| number(text.get(range)?);
    let date = Date::from_ymd_opt(part(0..4)?.try_into().ok()?, part(5..7)?, part(8..10)?)?;
    let nanoseconds = match text.get(19..)? {
        [] => 0,
        [b'.', digits @ ..] => {
            let missing = 9_usize.checked_sub(digits.len())?;
            number(digits)? * 10_u32.pow(missing.try_into().ok()?)
        }
        _ => return None,
    };
    date.and_hms_nano_opt(part(11..13)?, part(14..16)?, part(17..19)?, nanoseconds)
}

/// The number that one to nine digits make.
fn number(digits: &[u8]) -> Option<u32> {
    if !(1..=9).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        Some(number * 10 + digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_driver_writes_is_read_as_the_driver_reads_it() {
        // The driver writes a fraction with 3, 6 or 9 digits, or none.
        for text in [
            "0001-01-01 00:00:00",
            "1969-12-31 23:59:59.999999",
            "2024-02-29 12:34:56.5",
            "2026-11-23 03:05:13.123",
            "2026-11-23 03:05:13.123456",
            "2026-11-23 03:05:13.000001",
            "2026-11-23 03:05:13.123456789",
            "9999-12-31 23:59:59.999999",
        ] {
            let expected = DateTime::parse_from_str(text, "%F %T%.f").unwrap();
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn times_are_written_as_the_driver_writes_them() {
        for micros in [
            -62_135_596_800_000_000,
            -1,
            0,
            1,
            999_000,
            1_000_000,
            1_120_000,
            253_402_300_799_999_999,
        ] {
            let time = Timestamp::from_unix_micros(micros).unwrap();
            let expected = time.to_utc().naive_utc().format("%F %T%.f").to_string();
            assert_eq!(text(time), expected);
            assert_eq!(parse(&expected), Some(time.to_utc().naive_utc()));
        }
    }

    #[test]
    fn every_other_text_is_left_to_the_driver() {
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T03:05:13",
            "2026-11-23 03:05",
            "2026-11-23 03:05:13.",
            "2026-11-23 03:05:13.1234567890",
            "2026-11-23 03:05:13Z",
            "2026-11-23 03:05:13.123456Z",
            "2026-11-23 03:05:13+00:00",
            "2026-02-30 03:05:13",
            "2026-11-23 24:05:13",
            "2026-11-23 +3:05:13",
            "+026-11-23 03:05:13",
            "12026-11-23 03:05:13",
            "２０２６-11-23 03:05:13",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
