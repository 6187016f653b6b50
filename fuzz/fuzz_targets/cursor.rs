//! Cursors, as the query of a list has them: one that opens was sealed by us, for this filter, and has one spelling.
//!
//! The first bytes of the input make a position and say what to do with its cursor; the rest is text.
#![no_main]

use api::fuzzing::Seal;
use domain::{Cursor, Email, Timestamp, UserFilter, UserId};
use libfuzzer_sys::fuzz_target;

const EVERYBODY: UserFilter = UserFilter { email: None };

fuzz_target!(|input: &[u8]| {
    let seal = Seal::new(b"a key of the service, 32 bytes or more");
    let other = Seal::new(b"another key of the service, also long");
    let text = String::from_utf8_lossy(input);
    // As it comes.
    if let Some(position) = seal.open(&text, &EVERYBODY) {
        assert_eq!(seal.seal(position, &EVERYBODY), text);
    }
    check_query(&seal, &text);
    // Behind a tag that is right.
    let signed = seal.sign(input);
    if let Some(position) = seal.open(&signed, &EVERYBODY) {
        assert_eq!(seal.seal(position, &EVERYBODY), signed, "a position has one cursor");
    }
    assert_eq!(other.open(&signed, &EVERYBODY), None, "another key");
    check_sealed(&seal, &other, input);
});

/// A query of whatever kind is read in bounds.
fn check_query(seal: &Seal, query: &str) {
    match seal.read_query(query) {
        Ok((email, Some(position))) => {
            let cursor = seal.seal(position, &UserFilter { email });
            assert!(query.contains("cursor="), "{cursor}");
        }
        Ok(_) => {}
        Err(refusal) => {
            assert!([400, 422].contains(&refusal.status), "{}", refusal.status);
            assert!(
                refusal.body.len() <= 2000 + query.len() * 80,
                "{} bytes",
                refusal.body.len()
            );
        }
    }
}

/// A cursor that we seal opens to its position, and neither for another filter nor when a bit of it has changed.
fn check_sealed(seal: &Seal, other: &Seal, input: &[u8]) {
    let Some((head, rest)) = input.split_first_chunk::<18>() else {
        return;
    };
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0_i64, |number, byte| (number << 8) | i64::from(*byte))
    };
    let (created_at, id, at, bit) = (&head[..8], &head[8..16], head[16], head[17]);
    let (Ok(created_at), Ok(id)) = (Timestamp::from_unix_micros(number(created_at)), UserId::new(number(id))) else {
        return;
    };
    let position = Cursor { created_at, id };
    let email = std::str::from_utf8(rest).ok().and_then(|text| Email::parse(text).ok());
    let filter = UserFilter { email };
    let cursor = seal.seal(position, &filter);
    assert_eq!(seal.open(&cursor, &filter), Some(position));
    assert_eq!(other.open(&cursor, &filter), None, "another key");
    if filter != EVERYBODY {
        assert_eq!(seal.open(&cursor, &EVERYBODY), None, "another filter");
    }
    let email = filter
        .email
        .as_ref()
        .map(|email| email.as_str().replace('+', "%2B").replace('%', "%25"));
    let query = match email {
        Some(email) if !email.contains(['&', '#', '%']) => format!("cursor={cursor}&email={email}"),
        _ => return,
    };
    assert_eq!(
        seal.read_query(&query).ok(),
        Some((filter.email.clone(), Some(position))),
        "{query}"
    );
    let mut damaged = cursor.clone().into_bytes();
    let at = usize::from(at) % damaged.len();
    damaged[at] ^= 1 << (bit % 7);
    if let Ok(damaged) = String::from_utf8(damaged) {
        assert_eq!(seal.open(&damaged, &filter), None, "{damaged} for {cursor}");
    }
}
