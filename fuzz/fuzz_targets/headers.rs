//! Headers that the service parses itself. Each line of the input is a header: a letter that says which, and its value.
#![no_main]

use std::{net::IpAddr, sync::LazyLock};

use api::fuzzing::{Gate, Headers, Refusal};
use domain::{Revision, Timestamp, UserId};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 9] = [
    "if-match",
    "if-none-match",
    "accept",
    "idempotency-key",
    "authorization",
    "traceparent",
    "x-forwarded-for",
    "content-type",
    "x-request-id",
];

/// The formats of an export, and those of a page.
const OFFERS: [&[&str]; 2] = [
    &["application/x-ndjson", "text/csv"],
    &["text/html", "application/problem+json"],
];

static GATE: LazyLock<Gate> =
    LazyLock::new(|| Gate::new("a key of the service, 32 bytes or more").expect("the key is long enough"));

fuzz_target!(|input: &[u8]| {
    let lines: Vec<(&str, &[u8])> = input
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split_first())
        .map(|(which, value)| (NAMES[usize::from(*which) % NAMES.len()], value))
        .collect();
    let headers = Headers::new(lines.iter().copied());
    check_tags(&headers);
    check_accept(&headers);
    check_idempotency_key(&headers, &lines);
    for (_, value) in lines.iter().filter(|(name, _)| *name == "authorization") {
        check_token(value);
    }
    if let Some(parent) = headers.trace_parent() {
        let again = Headers::new([("traceparent", parent.as_bytes())]);
        assert_eq!(
            again.trace_parent(),
            Some(parent),
            "what is passed on is read as the same"
        );
    }
    check_client_address(&headers, &lines);
    if let Err(refusal) = headers.media_type() {
        check_refusal(&refusal, 415);
    }
    let id = headers.request_id();
    assert!(
        (1..=128).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)),
        "{id}"
    );
});

fn check_tags(headers: &Headers) {
    match headers.if_match() {
        Ok(Some(tags)) => {
            assert!(tags.rendered.len() <= 100 && tags.revisions.len() <= tags.rendered.len());
            let list = tags.rendered.join(", ");
            let again = Headers::new([("if-match", list.as_bytes())]).if_match();
            assert_eq!(again, Ok(Some(tags)), "{list}");
        }
        Ok(None) => {}
        Err(refusal) => check_refusal(&refusal, 400),
    }
    let id = UserId::new(1).expect("1 is an id");
    let created_at = Timestamp::from_unix_micros(100_000_000).expect("it is in the range");
    let revision = Revision {
        id,
        created_at,
        version: 1,
    };
    match headers.if_none_match(revision) {
        Ok(Some((tags, matches))) => {
            let ours = "\"1-5f5e100-1\"";
            let is_among = tags
                .iter()
                .any(|tag| tag == "*" || tag.trim_start_matches("W/") == ours);
            assert_eq!(matches, is_among, "{tags:?}");
            let list = tags.join(",");
            let again = Headers::new([("if-none-match", list.as_bytes())]).if_none_match(revision);
            assert_eq!(again, Ok(Some((tags, matches))), "{list}");
        }
        Ok(None) => {}
        Err(refusal) => check_refusal(&refusal, 400),
    }
}

fn check_accept(headers: &Headers) {
    for offer in OFFERS {
        let preferred = headers.preferred(offer);
        assert!(preferred.is_none_or(|preferred| offer.contains(&preferred)));
        // Nobody is offered less and then takes what was refused before.
        let alone: Vec<_> = offer.iter().filter_map(|one| headers.preferred(&[one])).collect();
        assert_eq!(preferred.is_some(), !alone.is_empty());
        assert!(preferred.is_none_or(|preferred| alone.contains(&preferred)));
    }
}

fn check_idempotency_key(headers: &Headers, lines: &[(&str, &[u8])]) {
    let hashes = |body: &[u8]| headers.idempotency_key(body);
    match hashes(b"one") {
        Ok(Some((key, fingerprint))) => {
            let another = hashes(b"two")
                .ok()
                .flatten()
                .expect("the body does not matter to the key");
            assert_eq!(another.0, key);
            assert_ne!(another.1, fingerprint, "another body is another request");
            let given = lines
                .iter()
                .filter(|(name, value)| *name == "idempotency-key" && value.is_ascii());
            assert!(given.count() >= 1);
        }
        Ok(None) => {}
        Err(refusal) => check_refusal(&refusal, 400),
    }
}

/// Nobody is let in without the token, whatever stands around it.
fn check_token(authorization: &[u8]) {
    let token = GATE.token();
    assert_eq!(GATE.subject(authorization), None, "nobody knows the key");
    // A right token with something of the input in or around it.
    let text = String::from_utf8_lossy(authorization);
    let at = authorization.first().map_or(0, |at| usize::from(*at) % token.len());
    let (before, behind) = token.split_at(at);
    for changed in [
        format!("{before}{text}{behind}"),
        format!("{text}{behind}"),
        format!("{before}{text}"),
    ] {
        if GATE.subject(format!("Bearer {changed}").as_bytes()).is_some() {
            assert_eq!(changed.trim_matches(' '), token, "a token has one spelling");
        }
    }
}

fn check_client_address(headers: &Headers, lines: &[(&str, &[u8])]) {
    let peer: IpAddr = "192.0.2.1".parse().expect("an address");
    assert_eq!(headers.client_address(peer, &[]), peer, "nobody is believed");
    let everybody = ["0.0.0.0/0", "::/0"].map(|network| network.parse().expect("a network"));
    let client = headers.client_address(peer, &everybody);
    if client != peer {
        let is_named = lines
            .iter()
            .any(|(name, value)| *name == "x-forwarded-for" && !value.is_empty());
        assert!(is_named, "{client}");
    }
}

/// A refusal tells nothing of what was sent, so it is short.
fn check_refusal(refusal: &Refusal, status: u16) {
    assert_eq!(refusal.status, status);
    assert!(refusal.body.len() < 600, "{} bytes", refusal.body.len());
}
