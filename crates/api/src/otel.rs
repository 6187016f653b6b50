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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_web::{
        dev::Service,
        test::{TestRequest, init_service},
    };
    use opentelemetry::{
        Value,
        trace::{SpanKind, TracerProvider},
    };
    use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
    use persistence::test_db::{TestDatabase, TestEngine};
    use service::{DatabaseRuntime, HealthService, UserService, UserServiceOptions};
    use tokio::runtime::Handle;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::{ApiOptions, AppState, Lifecycle, build_app};

    const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// The spans that are exported of a GET for `path`, those that end first first.
    async fn spans_of(path: &str, traceparent: Option<&str>) -> Vec<SpanData> {
        let db = TestDatabase::create(TestEngine::Sqlite).await;
        let runtime = DatabaseRuntime::new(Handle::current());
        let users = UserService::new(db.database().clone(), runtime.clone(), UserServiceOptions::default());
        let health = HealthService::new(db.database().clone(), runtime);
        let state = AppState::new(users, health, ApiOptions::default(), Lifecycle::default()).unwrap();
        let app = init_service(build_app(state)).await;

        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        // While there is but one subscriber, `tracing` asks only the thread that comes first to a span whether anybody wants it,
        // which may be the thread of another test; and remembers the answer.
        let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
        // The database works on this thread as well, so one default is enough.
        let subscriber = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        let mut request = TestRequest::get().uri(path);
        if let Some(traceparent) = traceparent {
            request = request.insert_header(("traceparent", traceparent));
        }
        // A problem travels as an error.
        drop(app.call(request.to_request()).await);
        drop(subscriber);
        // The thread of the SQLite driver lets go of its span only after it gave the answer, and what is open is not exported.
        for _ in 0..1000 {
            let spans = exporter.get_finished_spans().unwrap();
            if spans.iter().any(|span| span.span_kind == SpanKind::Server) {
                let inner = ["handler", "database"];
                let ours = |span: &SpanData| inner.contains(&&*span.name) || span.span_kind == SpanKind::Server;
                return spans.into_iter().filter(ours).collect();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no span of the request was exported");
    }

    fn attribute(span: &SpanData, name: &str) -> Option<Value> {
        let mut found = span
            .attributes
            .iter()
            .filter(|attribute| attribute.key.as_str() == name);
        let value = found.next().map(|attribute| attribute.value.clone());
        assert!(found.next().is_none(), "{name} twice: {span:?}");
        value
    }

    #[actix_web::test]
    async fn a_request_continues_the_trace_of_its_caller() {
        let spans = spans_of("/api/v1/users?email=ann@example.com", Some(CALLER)).await;
        let request = spans.iter().find(|span| span.span_kind == SpanKind::Server).unwrap();
        assert_eq!(
            request.span_context.trace_id().to_string(),
            "4bf92f3577b34da6a3ce929d0e0e4736"
        );
        assert_eq!(request.parent_span_id.to_string(), "00f067aa0ba902b7");
        assert!(request.parent_span_is_remote);
        assert_eq!(request.name, "GET /api/v1/users");
        assert_eq!(attribute(request, "http.request.method"), Some("GET".into()));
        assert_eq!(attribute(request, "http.route"), Some("/api/v1/users".into()));
        assert_eq!(attribute(request, "http.response.status_code"), Some(200.into()));
        assert_eq!(
            attribute(request, "trace_id"),
            Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
            "the log names the trace under which it is exported"
        );
        assert_eq!(request.status, Status::Unset);
        let named = |name| spans.iter().find(|span| span.name == name).unwrap();
        let (handler, database) = (named("handler"), named("database"));
        assert_eq!(handler.parent_span_id, request.span_context.span_id());
        assert_eq!(database.parent_span_id, handler.span_context.span_id());
        assert!(!format!("{spans:?}").contains("ann@example.com"), "{spans:?}");
    }

    #[actix_web::test]
    async fn a_request_of_no_trace_begins_one() {
        let spans = spans_of("/api/v1/users/17", None).await;
        let request = spans.iter().find(|span| span.span_kind == SpanKind::Server).unwrap();
        assert_eq!(request.parent_span_id, SpanId::INVALID);
        let trace_id = request.span_context.trace_id().to_string();
        assert_eq!(attribute(request, "trace_id"), Some(trace_id.into()));
        assert_eq!(attribute(request, "http.route"), Some("/api/v1/users/{id}".into()));
        assert_eq!(attribute(request, "http.response.status_code"), Some(404.into()));
        assert_eq!(
            request.status,
            Status::Unset,
            "what the caller did wrong is no error of the service"
        );
    }

    #[actix_web::test]
    async fn a_server_error_is_an_error_of_the_span() {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::error_span!("request");
            assert!(begin(&span, None, "GET", "/api/v1/users").is_some());
            end(&span, StatusCode::SERVICE_UNAVAILABLE);
        });
        let spans = exporter.get_finished_spans().unwrap();
        assert_eq!(spans[0].status, Status::error(""));
        assert_eq!(attribute(&spans[0], "error.type"), Some("503".into()));
    }
}
