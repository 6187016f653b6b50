//! What the log learns of a request: the span that everything belongs to which happens for it, and one line at its end.
//!
//! The span carries what is known from the start and repeated on each line; the line itself what is known at the end.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use tracing::{Span, field};

#[cfg(feature = "otel")]
use crate::otel;
use crate::{
    auth::Principal,
    metrics::method_label,
    middleware::RequestNotes,
    problem::{Code, Problem, error_chain},
    trace_context::{TraceId, TraceParent},
};

/// The span of a request.
pub(super) fn request_span(
    request_id: &str,
    parent: Option<TraceParent>,
    method: &Method,
    notes: &RequestNotes,
) -> Span {
    // ANCHOR: request-span
    let (method, route) = (method_label(method), notes.template());
    // As an error, so that a log of nothing but errors still tells which request each belongs to.
    let span = tracing::error_span!(
        "request",
        otel.name = field::Empty,
        otel.kind = "server",
        request_id,
        trace_id = field::Empty,
        method,
        route
    );
    // ANCHOR_END: request-span
    #[cfg(feature = "otel")]
    let exported = otel::begin(&span, parent, method, route);
    #[cfg(not(feature = "otel"))]
    let exported = None;
    let trace_id = exported
        .or(parent.map(|parent| parent.trace_id))
        .unwrap_or_else(TraceId::random);
    span.record("trace_id", field::display(trace_id));
    span
}

/// Logs what brought about a problem that is ours. Its text may not reach the caller.
pub(super) fn log_cause(problem: &Problem) {
    if let Some(cause) = problem.cause() {
        tracing::error!(
            code = problem.code().as_str(),
            cause = error_chain(cause),
            "request failed"
        );
    }
}

/// The line that every request gets, at the moment that the head of its answer is ready. What is a fault of ours is a
/// warning. What probes and scrapers ask, every second or so, is told at `debug` alone.
pub(super) fn log_answer(
    span: &Span,
    notes: &RequestNotes,
    status: StatusCode,
    problem: Option<Code>,
    elapsed: Duration,
) {
    #[cfg(feature = "otel")]
    otel::end(span, status);
    let principal = notes.principal();
    // Fields without a value are left out.
    let caller = principal.as_ref().map(Principal::fingerprint);
    let code = problem.map(Code::as_str);
    let duration_ms = (elapsed.as_secs_f64() * 1e6).round() / 1e3;
    let is_fault = status.is_server_error();
    let status = status.as_u16();
    span.in_scope(|| {
        if notes.is_probe() {
            tracing::debug!(status, code, duration_ms, caller, "request");
        } else if is_fault {
            tracing::warn!(status, code, duration_ms, caller, "request");
        } else {
            tracing::info!(status, code, duration_ms, caller, "request");
        }
    });
}
