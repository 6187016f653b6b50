//! How the span of a request looks in `OpenTelemetry`. Nothing of this has an effect unless spans are exported.
//!
//! Names are those of the semantic conventions for HTTP servers,
//! <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>. Neither the query nor who called belongs into a trace.

use actix_web::http::StatusCode;
use opentelemetry::trace::{
    SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId as ExportedTraceId, TraceState,
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::trace_context::{TraceId, TraceParent};

/// Makes `span` a part of the caller's trace, or the start of one. The trace that it is exported under; nothing where it is
/// not exported.
pub(crate) fn begin(span: &Span, parent: Option<TraceParent>, method: &'static str, route: &str) -> Option<TraceId> {
    if let Some(parent) = parent {
        let flags = if parent.is_sampled {
            TraceFlags::SAMPLED
        } else {
            TraceFlags::default()
        };
        let caller = SpanContext::new(
            ExportedTraceId::from(parent.trace_id.0),
            SpanId::from(parent.span_id),
            flags,
            true,
            TraceState::default(),
        );
        // It fails where nothing is exported.
        let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(caller));
    }
    span.record("otel.name", format!("{method} {route}"));
    span.set_attribute("http.request.method", method);
    span.set_attribute("http.route", route.to_owned());
    let context = span.context();
    let exported = context.span().span_context().clone();
    exported
        .is_valid()
        .then(|| TraceId(u128::from_be_bytes(exported.trace_id().to_bytes())))
}

/// Notes how the request ended.
pub(crate) fn end(span: &Span, status: StatusCode) {
    span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
    // What is the client's fault is no error of the server.
    if status.is_server_error() {
        span.set_attribute("error.type", status.as_str().to_owned());
        span.set_status(Status::error(""));
    }
}
