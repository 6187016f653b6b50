//! The body of a change: what is accepted is what another JSON parser and the domain make of it, and a refusal is bounded.
#![no_main]

use api::fuzzing::read_patch;
use domain::{Email, UserName};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

/// The most faults that a refusal lists, and what each takes beside the name of its member.
const MAX_LISTED_FAULTS: usize = 10_000;
const MAX_FAULT_BYTES: usize = 120;

/// What a refusal takes beside its faults.
const MAX_FRAME_BYTES: usize = 1000;

fuzz_target!(|body: &[u8]| {
    let parsed: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
    match read_patch(body) {
        Ok(changes) => {
            let members = parsed.as_ref().expect("what is accepted is a JSON object");
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            assert!(
                members.keys().all(|name| name == "name" || name == "email"),
                "{members:?}"
            );
            assert_eq!(
                changes.name().cloned(),
                text("name").and_then(|text| UserName::parse(text).ok())
            );
            assert_eq!(
                changes.email().cloned(),
                text("email").and_then(|text| Email::parse(text).ok())
            );
            assert!(changes.name().is_some() || changes.email().is_some());
        }
        Err(refusal) => {
            assert!([400, 422].contains(&refusal.status), "{}", refusal.status);
            let faults = (body.len() / 4 + 2).min(MAX_LISTED_FAULTS);
            let longest = 4 * body.len() + faults * MAX_FAULT_BYTES + MAX_FRAME_BYTES;
            assert!(refusal.body.len() <= longest, "{} bytes", refusal.body.len());
            let document: Value = serde_json::from_slice(&refusal.body).expect("a refusal is JSON");
            assert_eq!(document["status"], refusal.status);
            let has_errors = document["errors"].as_array().is_some_and(|errors| !errors.is_empty());
            assert!(refusal.status == 400 || has_errors || document["code"] == "no_fields_to_update");
        }
    }
    // Without the members that are given twice, which the other parser does not see.
    let Some(members) = parsed else { return };
    let is_right = |(name, value): (&String, &Value)| match (name.as_str(), value.as_str()) {
        ("name", Some(text)) => UserName::parse(text).is_ok(),
        ("email", Some(text)) => Email::parse(text).is_ok(),
        _ => false,
    };
    let written = serde_json::to_vec(&members).unwrap_or_default();
    let is_right = !members.is_empty() && members.iter().all(is_right);
    assert_eq!(read_patch(&written).is_ok(), is_right, "{members:?}");
});
