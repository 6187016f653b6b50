//! What every answer owes, whoever asked for what: checked in one place, against the OpenAPI document and the rules that
//! no single operation states.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use jsonschema::Validator;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::answer::Answer;

/// The codes of problems and the status of each, as promised to clients.
const CODES: [(&str, u16); 23] = [
    ("malformed_request", 400),
    ("no_fields_to_update", 400),
    ("invalid_cursor", 400),
    ("unauthenticated", 401),
    ("forbidden", 403),
    ("not_found", 404),
    ("method_not_allowed", 405),
    ("not_acceptable", 406),
    ("request_timeout", 408),
    ("email_taken", 409),
    ("idempotency_in_progress", 409),
    ("precondition_failed", 412),
    ("payload_too_large", 413),
    ("unsupported_media_type", 415),
    ("validation_failed", 422),
    ("idempotency_key_reused", 422),
    ("precondition_required", 428),
    ("rate_limited", 429),
    ("internal", 500),
    ("overloaded", 503),
    ("database_unavailable", 503),
    ("shutting_down", 503),
    ("deadline_exceeded", 504),
];

// ANCHOR: internals
/// What gives away how the service is built, in lower case. None of it belongs into an answer.
const INTERNALS: [&str; 14] = [
    "select ",
    "insert ",
    "update ",
    "delete from",
    "sqlx",
    "sea_orm",
    "sea-orm",
    "sqlstate",
    "constraint",
    ".rs",
    "::",
    "panick",
    "mysql",
    "postgres",
];
// ANCHOR_END: internals

/// An operation of the OpenAPI document.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) template: String,
    pub(crate) id: String,
    /// The documented bodies by status and content type; no content type where there is no body.
    answers: HashMap<u16, HashMap<String, Arc<Validator>>>,
}

/// The operations of the OpenAPI document, with their schemas compiled.
pub(crate) fn operations() -> &'static [Operation] {
    static OPERATIONS: OnceLock<Vec<Operation>> = OnceLock::new();
    OPERATIONS.get_or_init(|| compile(&document()))
}

/// The OpenAPI document.
pub(crate) fn document() -> Value {
    serde_json::from_str(&api::openapi_document("Async Starter API").to_json().unwrap()).unwrap()
}

/// Requires of an answer what it owes.
#[track_caller]
pub(crate) fn check(method: &str, target: &str, answer: &Answer) {
    let path = target.split('?').next().unwrap();
    let context = format!("{method} {target}: {answer}");
    check_headers(path, answer, &context);
    check_rate_limit(path, answer, &context);
    let content_type = answer.header("content-type");
    if method == "HEAD" || [204, 304].contains(&answer.status) {
        assert!(answer.body.is_empty(), "a body where there is none: {context}");
    } else if content_type == Some("application/problem+json") {
        check_problem(path, answer, &context);
    } else {
        // Health tells what ails it in a document of its own.
        let is_health = path.starts_with("/health") && answer.status == 503;
        assert!(answer.status < 400 || is_health, "not a problem: {context}");
    }
    let as_got = if method == "HEAD" { "GET" } else { method };
    let operation = operations()
        .iter()
        .filter(|operation| operation.method == as_got && fits(&operation.template, path))
        .min_by_key(|operation| operation.template.contains('{'));
    let Some(operation) = operation else { return };
    let is_other_path = operations()
        .iter()
        .any(|other| other.template == path && other.template != operation.template);
    if is_other_path {
        // `/users/batch` would fit `/users/{id}`, and is not one.
        assert_eq!(answer.status, 405, "{context}");
        return;
    }
    let documented = operation.answers.get(&answer.status);
    let documented = documented.unwrap_or_else(|| panic!("an undocumented status: {context}"));
    let Some(content_type) = content_type else {
        assert!(documented.is_empty(), "the documented body is missing: {context}");
        return;
    };
    let validator = documented.get(content_type);
    let validator = validator.unwrap_or_else(|| panic!("an undocumented content type: {context}"));
    if method != "HEAD" {
        let body = match content_type {
            "application/json" | "application/problem+json" => answer.json(),
            _ => {
                check_users(content_type, answer);
                Value::String(answer.text().to_owned())
            }
        };
        let faults: Vec<_> = validator.iter_errors(&body).map(|error| error.to_string()).collect();
        assert!(faults.is_empty(), "against the schema: {faults:?} {context}");
    }
}

/// Requires of a stream of users that each is one. The document can only say that it is text.
#[track_caller]
fn check_users(content_type: &str, answer: &Answer) {
    static USER: OnceLock<Validator> = OnceLock::new();
    let user = USER.get_or_init(|| {
        let document = document();
        let schema = json!({"$ref": "#/components/schemas/User", "components": document["components"]});
        jsonschema::draft202012::options().build(&schema).unwrap()
    });
    match content_type {
        "application/x-ndjson" => {
            assert!(answer.body.is_empty() || answer.body.ends_with(b"\n"));
            for line in answer.text().lines() {
                assert!(user.is_valid(&serde_json::from_str(line).unwrap()), "{line}");
            }
        }
        "text/csv; charset=utf-8" => {
            assert!(answer.text().starts_with("id,name,email,created_at,updated_at\r\n"));
            assert!(answer.text().ends_with("\r\n"));
        }
        other => panic!("{other} is not checked"),
    }
}

fn check_headers(path: &str, answer: &Answer, context: &str) {
    let expect = |name, expected| assert_eq!(answer.header(name), expected, "{name} of {context}");
    expect("x-content-type-options", Some("nosniff"));
    expect("x-frame-options", Some("DENY"));
    expect("referrer-policy", Some("no-referrer"));
    let may_be_kept = answer.header("etag").is_some();
    let caching = if may_be_kept { "private, no-cache" } else { "no-store" };
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    expect("cache-control", decoded.starts_with("/api/v1").then_some(caching));
    let request_id = answer.header("x-request-id").unwrap_or_default();
    let is_harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_id = (1..=128).contains(&request_id.len()) && request_id.bytes().all(is_harmless);
    assert!(is_id, "X-Request-ID of {context}");
    let seconds = answer.header("x-process-time").unwrap_or_default();
    let is_decimal =
        seconds.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && seconds.parse::<f64>().is_ok();
    assert!(is_decimal, "X-Process-Time of {context}");
    // RFC 9110 section 11.6.1 requires it of a 401; RFC 6750 section 3.1 names the scope that a 403 is for.
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert_eq!(
        challenge.starts_with("Bearer realm="),
        matches!(answer.status, 401 | 403),
        "WWW-Authenticate of {context}"
    );
    match answer.status {
        405 => assert!(answer.header("allow").is_some(), "Allow of {context}"),
        201 => assert_eq!(
            path == "/api/v1/users",
            answer.header("location").is_some(),
            "Location of {context}"
        ),
        _ => {}
    }
}

/// The fields of the rate limit, on all answers of the API or, where there is no limit, on none.
fn check_rate_limit(path: &str, answer: &Answer, context: &str) {
    let (policy, limit) = (answer.header("ratelimit-policy"), answer.header("ratelimit"));
    let parameters = |field: &str, names: [&str; 2]| {
        let mut parts = field.split(';');
        assert_eq!(parts.next(), Some("\"default\""), "{context}");
        let number = |name: &str| parts.next()?.strip_prefix(name)?.strip_prefix('=')?.parse::<u64>().ok();
        let numbers = names
            .map(number)
            .map(|it| it.unwrap_or_else(|| panic!("{field}: {context}")));
        assert_eq!(parts.next(), None, "{context}");
        numbers
    };
    if policy.is_some() {
        let is_known = operations().iter().any(|operation| fits(&operation.template, path));
        assert!(path.starts_with("/api/v1/") || !is_known, "a limit on {context}");
    }
    let quota = policy.map(|policy| parameters(policy, ["q", "w"]));
    let left = limit.map(|limit| parameters(limit, ["r", "t"]));
    if let Some([remaining, seconds]) = left {
        let [quota, window] = quota.unwrap_or_else(|| panic!("a limit without its policy: {context}"));
        assert!(remaining < quota && (1..=window).contains(&seconds), "{context}");
    }
    if answer.status == 429 {
        let [remaining, seconds] = left.unwrap_or_else(|| panic!("no limit on {context}"));
        assert_eq!(remaining, 0, "{context}");
        assert_eq!(answer.header("retry-after"), Some(&*seconds.to_string()), "{context}");
    }
}

fn check_problem(path: &str, answer: &Answer, context: &str) {
    let problem = answer.json();
    let members: Vec<_> = problem.as_object().unwrap().keys().map(String::as_str).collect();
    let code = problem["code"].as_str().unwrap_or_default();
    let mut expected = vec!["code", "detail", "instance", "request_id", "status", "title", "type"];
    let lists_faults = code == "validation_failed" || (code == "email_taken" && path == "/api/v1/users/batch");
    if lists_faults {
        expected.insert(2, "errors");
        assert_ne!(problem["errors"], json!([]), "{context}");
    }
    assert_eq!(members, expected, "members of {context}");
    assert!(CODES.contains(&(code, answer.status)), "code and status of {context}");
    assert_eq!(problem["type"], format!("/problems/{code}"), "{context}");
    assert_eq!(problem["status"], answer.status, "{context}");
    assert_eq!(
        problem["request_id"].as_str(),
        answer.header("x-request-id"),
        "{context}"
    );
    let instance = problem["instance"].as_str().unwrap();
    assert_eq!(instance, path, "instance of {context}");
    for member in ["title", "detail"] {
        assert!(
            problem[member].as_str().is_some_and(|text| !text.is_empty()),
            "{member} of {context}"
        );
    }
    let waits = matches!(code, "rate_limited" | "idempotency_in_progress") || answer.status == 503;
    assert_eq!(
        answer.header("retry-after").is_some(),
        waits,
        "Retry-After of {context}"
    );
    // The path is the caller's own.
    let said = answer.text().replacen(instance, "", 1).to_lowercase();
    for internal in INTERNALS {
        assert!(!said.contains(internal), "{internal:?} in {context}");
    }
}

/// Whether `path` is one that `template` describes.
fn fits(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.split('/'));
    template.clone().count() == path.clone().count()
        && template
            .zip(path)
            .all(|(pattern, segment)| pattern == segment || (pattern.starts_with('{') && !segment.is_empty()))
}

fn compile(document: &Value) -> Vec<Operation> {
    let mut validators: HashMap<String, Arc<Validator>> = HashMap::new();
    let mut validator = |schema: &Value| {
        let compile = || {
            // References lead to `#/components`, so the components go along.
            let whole = json!({"allOf": [schema], "components": document["components"]});
            let options = jsonschema::draft202012::options().should_validate_formats(true);
            Arc::new(
                options
                    .build(&whole)
                    .unwrap_or_else(|error| panic!("{error}: {schema}")),
            )
        };
        validators.entry(schema.to_string()).or_insert_with(compile).clone()
    };
    let mut operations = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let mut answers = HashMap::new();
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let bodies = answer["content"].as_object().into_iter().flatten();
                let bodies = bodies.map(|(content_type, body)| (content_type.clone(), validator(&body["schema"])));
                answers.insert(status.parse().unwrap(), bodies.collect());
            }
            operations.push(Operation {
                method: method.to_uppercase(),
                template: template.clone(),
                id: operation["operationId"].as_str().unwrap().to_owned(),
                answers,
            });
        }
    }
    operations
}
