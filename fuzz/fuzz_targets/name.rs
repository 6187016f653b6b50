//! Names of users: what is accepted is normal form, and every way in agrees.
#![no_main]

use api::fuzzing::{read_create, read_patch};
use domain::UserName;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let parsed = UserName::parse(text);
    if let Ok(name) = &parsed {
        let normal = name.as_str();
        assert_eq!(
            UserName::parse(normal).as_ref(),
            Ok(name),
            "normal form is a fixed point"
        );
        assert_eq!(normal, text.trim());
        assert!((1..=UserName::MAX_CHARS).contains(&normal.chars().count()));
        assert!(!normal.contains(char::is_control));
        let shown = format!("{name:?}");
        assert!(shown.starts_with("UserName(") && shown.len() < 30, "logs show `Debug`");
    }
    let body = json!({"name": text, "email": "ann@example.com"}).to_string();
    let created = read_create(body.as_bytes()).map(|user| user.name);
    assert_eq!(created.ok(), parsed.clone().ok());
    let body = json!({"name": text}).to_string();
    let changed = read_patch(body.as_bytes()).map(|changes| changes.name().cloned());
    assert_eq!(changed.ok().flatten(), parsed.ok());
});
