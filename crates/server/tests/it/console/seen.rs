//! Looking at requests as the console shows them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{Answer, Server};

pub(super) const ATTEMPTS: usize = 600;
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// The request with this id, with all its steps, once nothing about it changes any more.
async fn shown(server: &Server, request_id: &str) -> Value {
    for _ in 0..ATTEMPTS {
        let list = server.get("/console/requests").await.body;
        let requests = list["requests"].as_array().unwrap();
        if let Some(found) = requests.iter().find(|request| request["request_id"] == request_id) {
            let detail = server.get(&format!("/console/requests/{}", found["number"])).await.body;
            if is_over(&detail) {
                return detail;
            }
        }
        sleep(PAUSE).await;
    }
    panic!("the console never showed {request_id}");
}

/// Whether a request has been answered and nothing goes on for it. The thread of the SQLite driver lets go of a span some time after
/// it has answered.
fn is_over(request: &Value) -> bool {
    let parts = request["batches"].as_array().unwrap().iter().chain([request]);
    let mut steps = parts.flat_map(|part| part["steps"].as_array().unwrap());
    !request["status"].is_null() && steps.all(|step| !step["duration_us"].is_null())
}

pub(super) async fn shown_of(server: &Server, answer: &Answer) -> Value {
    shown(server, answer.header("x-request-id")).await
}

pub(super) fn steps<'a>(of: &'a Value, kind: &str) -> Vec<&'a Value> {
    let steps = of["steps"].as_array().unwrap();
    steps.iter().filter(|step| step["kind"] == kind).collect()
}

pub(super) fn span<'a>(of: &'a Value, name: &str) -> &'a Value {
    let found = steps(of, "span").into_iter().find(|step| step["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {of}"))
}

/// When a step ends, in microseconds from the beginning of its request.
pub(super) fn end(step: &Value) -> i64 {
    step["start_us"].as_i64().unwrap() + step["duration_us"].as_i64().unwrap_or_else(|| panic!("{step}"))
}

pub(super) fn is_within(inner: &Value, outer: &Value) -> bool {
    inner["start_us"].as_i64() >= outer["start_us"].as_i64() && end(inner) <= end(outer)
}

pub(super) async fn create(server: &Server, name: &str, email: &str) -> Answer {
    let user = json!({ "name": name, "email": email });
    let created = server.send("POST", "/api/v1/users", Some(user)).await;
    assert_eq!(created.status, 201, "{created:?}");
    created
}
