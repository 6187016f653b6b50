//! How a position in the list is written for clients, and how a forged or damaged one is found out.
//!
//! A cursor is base64url (RFC 4648 section 5) of: a version byte, the position's time and id, 8 bytes of SHA-256 of the
//! filter it was issued for, and an HMAC-SHA-256 tag (RFC 2104) cut to 128 bits. The key is derived from `SECRET_KEY` by
//! HKDF (RFC 5869), so a cursor works on every instance. Without `SECRET_KEY` the key is derived from a fixed text: the
//! tag then detects damage only, which is enough, since a cursor grants nothing that the list does not.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{Cursor, Timestamp, UserFilter, UserId};
use hmac::Mac;
use sha2::{Digest, Sha256};

use crate::derived_key::DerivedKey;

/// The layout that follows; a later layout gets another number, and old cursors are told from it.
const VERSION: u8 = 1;
const LABEL: &[u8] = b"cursor";

const FILTER_HASH_BYTES: usize = 8;
const TAG_BYTES: usize = 16;

/// Seals and opens cursors.
#[derive(Clone, Debug)]
pub(crate) struct CursorSeal(DerivedKey);

/// A cursor that passed the test of its tag. Whether it fits the filter is still to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenedCursor {
    position: Cursor,
    filter_hash: [u8; FILTER_HASH_BYTES],
}

/// The cursor was not issued by this service, or for another filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidCursor;

impl CursorSeal {
    /// A seal under a key derived from `secret_key`.
    pub(crate) fn new(secret_key: Option<&[u8]>) -> Self {
        Self(DerivedKey::new(secret_key, LABEL))
    }

    // ANCHOR: seal
    /// The text of `position` in the list under `filter`.
    pub(crate) fn seal(&self, position: Cursor, filter: &UserFilter) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(position.created_at.unix_micros().to_be_bytes());
        bytes.extend(position.id.get().to_be_bytes());
        bytes.extend(filter_hash(filter));
        self.sign(bytes)
    }
    // ANCHOR_END: seal

    // ANCHOR: sign
    /// The text of `bytes` with their tag.
    pub(crate) fn sign(&self, mut bytes: Vec<u8>) -> String {
        let tag = self.0.mac().chain_update(&bytes).finalize().into_bytes();
        bytes.extend(tag.into_iter().take(TAG_BYTES));
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }
    // ANCHOR_END: sign

    /// The position that `text` seals, whatever its filter.
    pub(crate) fn open(&self, text: &str) -> Result<OpenedCursor, InvalidCursor> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let (content, tag) = bytes.split_last_chunk::<TAG_BYTES>().ok_or(InvalidCursor)?;
        self.0
            .mac()
            .chain_update(content)
            .verify_truncated_left(tag)
            .map_err(|_| InvalidCursor)?;

        let (version, content) = content.split_first().ok_or(InvalidCursor)?;
        let (created_at, content) = content.split_first_chunk().ok_or(InvalidCursor)?;
        let (id, filter_hash) = content.split_first_chunk().ok_or(InvalidCursor)?;
        if *version != VERSION {
            return Err(InvalidCursor);
        }
        let created_at = Timestamp::from_unix_micros(i64::from_be_bytes(*created_at)).map_err(|_| InvalidCursor)?;
        let id = UserId::new(i64::from_be_bytes(*id)).map_err(|_| InvalidCursor)?;
        let filter_hash = filter_hash.try_into().map_err(|_| InvalidCursor)?;
        Ok(OpenedCursor {
            position: Cursor { created_at, id },
            filter_hash,
        })
    }
}

impl OpenedCursor {
    /// The position, if the cursor was issued for `filter`.
    pub(crate) fn position_in(&self, filter: &UserFilter) -> Result<Cursor, InvalidCursor> {
        if self.filter_hash == filter_hash(filter) {
            Ok(self.position)
        } else {
            Err(InvalidCursor)
        }
    }
}

fn filter_hash(filter: &UserFilter) -> [u8; FILTER_HASH_BYTES] {
    // An address never is empty, so no filter and a filter cannot hash the same text.
    let digest = Sha256::digest(filter.email.as_ref().map_or("", |email| email.as_str()));
    let mut hash = [0; FILTER_HASH_BYTES];
    hash.iter_mut().zip(digest).for_each(|(byte, digest)| *byte = digest);
    hash
}

#[cfg(test)]
mod tests {
    use domain::Email;
    use proptest::prelude::*;

    use super::*;

    const EVERYBODY: UserFilter = UserFilter { email: None };

    fn cursor(micros: i64, id: i64) -> Cursor {
        Cursor {
            created_at: Timestamp::from_unix_micros(micros).unwrap(),
            id: UserId::new(id).unwrap(),
        }
    }

    #[test]
    fn a_cursor_fits_only_the_filter_it_was_issued_for() {
        let ann = UserFilter {
            email: Some(Email::parse("ann@example.com").unwrap()),
        };
        let seal = CursorSeal::new(None);
        let opened = seal.open(&seal.seal(cursor(1, 2), &ann)).unwrap();
        assert_eq!(opened.position_in(&ann), Ok(cursor(1, 2)));
        assert_eq!(opened.position_in(&EVERYBODY), Err(InvalidCursor));
    }

    #[test]
    fn a_cursor_opens_under_the_same_secret_only() {
        let text = CursorSeal::new(Some(b"one secret")).seal(cursor(1, 2), &EVERYBODY);
        assert!(CursorSeal::new(Some(b"one secret")).open(&text).is_ok());
        assert_eq!(CursorSeal::new(Some(b"another")).open(&text), Err(InvalidCursor));
        assert_eq!(CursorSeal::new(None).open(&text), Err(InvalidCursor));
    }

    proptest! {
        #[test]
        fn every_position_survives_the_round_trip(micros in 0..i64::MAX / 64, id in 1..=i64::MAX) {
            let seal = CursorSeal::new(None);
            let opened = seal.open(&seal.seal(cursor(micros, id), &EVERYBODY)).unwrap();
            prop_assert_eq!(opened.position_in(&EVERYBODY), Ok(cursor(micros, id)));
        }

        #[test]
        fn a_change_of_any_bit_is_found_out(position in 0..328_usize) {
            let seal = CursorSeal::new(None);
            let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(seal.seal(cursor(5, 7), &EVERYBODY)).unwrap();
            bytes[position / 8] ^= 1 << (position % 8);
            prop_assert_eq!(seal.open(&BASE64_URL_SAFE_NO_PAD.encode(bytes)), Err(InvalidCursor));
        }

        #[test]
        fn no_text_makes_it_fail_otherwise(text in any::<String>()) {
            prop_assert!(CursorSeal::new(None).open(&text).is_err());
        }
    }
}
