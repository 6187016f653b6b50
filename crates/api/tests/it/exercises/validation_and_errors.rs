//! Validation and errors.

use persistence::test_db::TestDatabase;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Request, TestApp, USERS};

// ANCHOR: exercise-1
/// Two to twenty ASCII letters and digits, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Nickname(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NicknameFault {
    Length,
    Character,
}

impl Nickname {
    fn parse(text: &str) -> Result<Self, NicknameFault> {
        let trimmed = text.trim();
        if !(2..=20).contains(&trimmed.chars().count()) {
            return Err(NicknameFault::Length);
        }
        if !trimmed.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(NicknameFault::Character);
        }
        Ok(Self(trimmed.to_ascii_lowercase()))
    }
}

pub(crate) async fn a_nickname_that_parses_obeys_its_rules(_: TestDatabase) {
    assert_eq!(Nickname::parse(" Ann7 "), Ok(Nickname("ann7".to_owned())));
    assert_eq!(Nickname::parse("a"), Err(NicknameFault::Length));
    assert_eq!(Nickname::parse("田中"), Err(NicknameFault::Character));
    proptest!(|(text in "\\s?[a-zA-Z0-9é_]{0,22}\\s?")| {
        if let Ok(nickname) = Nickname::parse(&text) {
            prop_assert!((2..=20).contains(&nickname.0.len()));
            prop_assert!(nickname.0.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
            // What was stored once reads back as itself.
            prop_assert_eq!(Nickname::parse(&nickname.0), Ok(nickname));
        }
    });
}
// ANCHOR_END: exercise-1

// ANCHOR: exercise-2
pub(crate) async fn every_part_of_a_request_is_read_before_any_is_refused(db: TestDatabase) {
    let app = TestApp::start(&db);
    let body = json!({"name": "a\u{7}b", "email": "nobody", "role": "admin"});
    let request = Request::new("PATCH", format!("{USERS}/first?dry_run=1")).json(&body);
    app.send(request).await.has_faults(&[
        ("/email", "format"),
        ("/name", "control_character"),
        ("/role", "unknown_field"),
        ("path/id", "format"),
        ("query/dry_run", "unknown_field"),
    ]);
}
// ANCHOR_END: exercise-2
