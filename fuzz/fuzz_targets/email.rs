//! E-mail addresses: what is accepted is normal form, and every way in agrees.
#![no_main]

use api::fuzzing::{Seal, read_create, read_patch};
use domain::Email;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let parsed = Email::parse(text);
    if let Ok(email) = &parsed {
        let normal = email.as_str();
        assert_eq!(Email::parse(normal).as_ref(), Ok(email), "normal form is a fixed point");
        assert!(
            normal.eq_ignore_ascii_case(text.trim()),
            "nothing but blanks and case is lost"
        );
        assert!(normal.len() <= Email::MAX_CHARS);
        assert!(
            normal
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase())
        );
        assert!(
            !normal.contains([',', ';', '<', '>', '"', '(', ')', '\\']),
            "it can stand in a mail header"
        );
        assert_eq!(normal.matches('@').count(), 1);
        assert!(!format!("{email:?}").contains(normal), "logs show `Debug`");
    }
    let body = json!({"name": "Ann", "email": text}).to_string();
    let created = read_create(body.as_bytes()).map(|user| user.email);
    assert_eq!(created.ok(), parsed.clone().ok());
    let body = json!({"email": text}).to_string();
    let changed = read_patch(body.as_bytes()).map(|changes| changes.email().cloned());
    assert_eq!(changed.ok().flatten(), parsed.clone().ok());
    let escaped: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let filtered = Seal::new(&[]).read_query(&format!("email={escaped}"));
    assert_eq!(filtered.ok().and_then(|(email, _)| email), parsed.ok());
});
