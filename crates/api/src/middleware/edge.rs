//! The outermost middleware: all that is the same for every request.

use std::{
    error::Error as StdError,
    fmt::Write,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use futures_util::FutureExt;
use tokio::time::timeout;
use uuid::Uuid;

use super::gate::MatchedRoute;
use crate::{AppState, problem::Problem};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_PROCESS_TIME: HeaderName = HeaderName::from_static("x-process-time");

/// The longest request id that is taken from a client, in characters.
const MAX_REQUEST_ID_CHARS: usize = 128;

/// What is remembered of a request until its answer goes out.
struct Exchange {
    started: Instant,
    request_id: String,
    method: Method,
    path: String,
    is_draining: bool,
}

/// Runs a request and finishes its answer.
pub(crate) async fn edge(
    state: Data<AppState>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let exchange = Exchange {
        started: Instant::now(),
        request_id: request_id(request.headers()),
        method: request.method().clone(),
        path: request.path().to_owned(),
        is_draining: state.lifecycle().is_draining(),
    };
    // HEAD is GET without the body, which the HTTP layer leaves out by itself (RFC 9110 section 9.3.2).
    if request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    let outcome = run(request, next, state.options().request_timeout).await;
    match outcome {
        Ok(response) => {
            let problem = response.response().error().map(problem_of);
            let mut response = match problem {
                None => response.map_into_boxed_body(),
                Some(Ok(problem)) => {
                    let rendered = exchange.render(problem);
                    response.into_response(rendered)
                }
                Some(Err(foreign)) => {
                    let rendered = exchange.render(&foreign);
                    response.into_response(rendered)
                }
            };
            let route = response
                .request()
                .extensions()
                .get::<MatchedRoute>()
                .map(|route| route.0.clone());
            exchange.finish(response.status(), response.headers_mut(), route.as_deref());
            Ok(response)
        }
        // The request is gone with whatever failed, so the answer travels as an error.
        Err(error) => {
            let mut rendered = match problem_of(&error) {
                Ok(problem) => exchange.render(problem),
                Err(foreign) => exchange.render(&foreign),
            };
            let route = state
                .routes()
                .find(&exchange.path)
                .map(|route| route.template().to_owned());
            exchange.finish(rendered.status(), rendered.headers_mut(), route.as_deref());
            Err(InternalError::from_response(error, rendered).into())
        }
    }
}

/// Runs the request within its deadline. A panic becomes an error, and the server lives on.
async fn run<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
    deadline: Duration,
) -> Result<ServiceResponse<B>, Error> {
    let guarded = AssertUnwindSafe(next.call(request)).catch_unwind();
    match timeout(deadline, guarded).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Problem::internal("a handler panicked; the panic is in the log").into()),
        Err(_) => Err(Problem::deadline_exceeded().into()),
    }
}

/// The problem that an error is, or one made of it when it is not ours.
fn problem_of(error: &Error) -> Result<&Problem, Problem> {
    error
        .as_error::<Problem>()
        .ok_or_else(|| Problem::internal(error.to_string()))
}

/// The client's own id where it is harmless in a log, else a fresh one that sorts by time.
fn request_id(headers: &HeaderMap) -> String {
    let is_harmless = |id: &&str| {
        (1..=MAX_REQUEST_ID_CHARS).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let given = headers
        .get(X_REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(is_harmless);
    given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

impl Exchange {
    /// Renders a problem, and logs the cause of one that is ours: once, here.
    fn render(&self, problem: &Problem) -> HttpResponse {
        if let Some(cause) = problem.cause() {
            tracing::error!(
                request_id = self.request_id,
                code = problem.code().as_str(),
                cause = chain(cause),
                "request failed"
            );
        }
        problem.to_response(&self.path, &self.request_id)
    }

    /// Adds the headers that every answer carries, and writes the log line.
    fn finish(&self, status: StatusCode, headers: &mut HeaderMap, route: Option<&str>) {
        let elapsed = self.started.elapsed();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        if self.path.starts_with("/api/v1") {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if self.is_draining {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Ok(value) = HeaderValue::from_str(&self.request_id) {
            headers.insert(X_REQUEST_ID, value);
        }
        if let Ok(value) = HeaderValue::from_str(&format!("{:.6}", elapsed.as_secs_f64())) {
            headers.insert(X_PROCESS_TIME, value);
        }
        tracing::info!(
            method = %self.method,
            route = route.unwrap_or("unmatched"),
            status = status.as_u16(),
            duration_ms = elapsed.as_secs_f64() * 1000.0,
            request_id = self.request_id,
            "request"
        );
    }
}

/// An error and everything that brought it about, on one line.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Writing to a string cannot fail.
        write!(text, ": {error}").ok();
        source = error.source();
    }
    text
}
