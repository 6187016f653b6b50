//! What the edge notes of every request.

use std::{sync::Arc, time::Duration};

use actix_web::http::{Method, StatusCode};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use crate::{Code, route_table::Route};

/// Upper bounds of the buckets, in seconds: from a cached answer to the longest time-out that is usual.
const DURATION_BOUNDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Requests by what they were for and how they ended.
#[derive(Debug)]
pub(crate) struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RequestLabels, Histogram, fn() -> Histogram>,
    problems: Family<ProblemLabels, Counter>,
    unmatched: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: Arc<str>,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProblemLabels {
    code: &'static str,
}

impl HttpMetrics {
    /// Empty metrics, which `registry` shows.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATION_BOUNDS)),
            problems: Family::default(),
            unmatched: Route::UNMATCHED.into(),
        };
        registry.register("http_requests", "Requests that were answered", metrics.requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time from the head of a request to the head of its answer",
            metrics.durations.clone(),
        );
        registry.register(
            "problems",
            "Answers that were problems, by their code; time-outs are deadline_exceeded and request_timeout",
            metrics.problems.clone(),
        );
        // A rate needs a value before the first event.
        for code in Code::ALL {
            drop(metrics.problems.get_or_create(&ProblemLabels { code: code.as_str() }));
        }
        metrics
    }

    /// Notes a request that was answered.
    pub(crate) fn answered(&self, method: &Method, route: Option<&Route>, status: StatusCode, duration: Duration) {
        let labels = RequestLabels {
            method: method_label(method),
            route: route.map_or_else(|| self.unmatched.clone(), Route::shared_template),
            status: status.as_u16(),
        };
        self.requests.get_or_create(&labels).inc();
        self.durations.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// Notes that an answer was a problem.
    pub(crate) fn problem(&self, code: Code) {
        self.problems
            .get_or_create(&ProblemLabels { code: code.as_str() })
            .inc();
    }
}

/// The method, if HTTP knows it (RFC 9110 section 9, RFC 5789). A client can make up any other.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "other",
    }
}
