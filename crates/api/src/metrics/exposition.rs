//! The two forms in which metrics are told: `OpenMetrics`, and the older text format of Prometheus.
//!
//! <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md> and
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::fmt::{self, Write};

use actix_web::http::header::{Accept, Quality, QualityItem};
use prometheus_client::{encoding::text, registry::Registry};

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposition {
    /// `OpenMetrics` 1.0, for those who ask for it by name.
    OpenMetrics,
    /// Prometheus text 0.0.4, which everybody reads.
    PrometheusText,
}

impl Exposition {
    /// The form that a client wants most among those that it names.
    pub(super) fn wanted(accept: &Accept) -> Self {
        let acceptable = |item: &&QualityItem<_>| item.quality > Quality::ZERO;
        let wanted = Accept(accept.iter().filter(acceptable).cloned().collect());
        let form = |media_type: &str| match media_type {
            "application/openmetrics-text" => Some(Self::OpenMetrics),
            "text/plain" => Some(Self::PrometheusText),
            _ => None,
        };
        wanted
            .ranked()
            .iter()
            .find_map(|media_type| form(media_type.essence_str()))
            .unwrap_or(Self::PrometheusText)
    }

    /// The content type of the form.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::PrometheusText => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// All metrics of `registry` in this form.
    pub(super) fn render(self, registry: &Registry) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, registry)?;
        match self {
            Self::OpenMetrics => Ok(text),
            Self::PrometheusText => to_prometheus_text(&text),
        }
    }
}

/// The samples are written alike in both. What is said about them differs: the older format names a counter as its sample
/// does, with `_total`, and knows neither units nor an end mark.
fn to_prometheus_text(open_metrics: &str) -> Result<String, fmt::Error> {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = "";
    for line in open_metrics.lines() {
        let words: Vec<_> = line.splitn(4, ' ').collect();
        match *words.as_slice() {
            ["#", "HELP", _, words] => help = words,
            ["#", "TYPE", name, kind] => {
                let suffix = if kind == "counter" { "_total" } else { "" };
                writeln!(text, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}")?;
            }
            ["#", "UNIT", ..] | ["#", "EOF"] => {}
            _ => writeln!(text, "{line}")?,
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use actix_web::{http::header::Header, test::TestRequest};
    use prometheus_client::{
        metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
        registry::Unit,
    };

    use super::*;

    fn wanted(accept: &str) -> Exposition {
        let request = TestRequest::get().insert_header(("accept", accept)).to_http_request();
        Exposition::wanted(&Accept::parse(&request).unwrap())
    }

    #[test]
    fn open_metrics_is_for_those_who_ask_for_it_first() {
        // As Prometheus 3 asks.
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        for accept in [prometheus, "application/openmetrics-text"] {
            assert_eq!(wanted(accept), Exposition::OpenMetrics, "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/html,*/*;q=0.8",
            "text/plain",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.4,text/plain;q=0.5",
        ] {
            assert_eq!(wanted(accept), Exposition::PrometheusText, "{accept}");
        }
    }

    #[test]
    fn both_forms_are_as_their_specifications_have_them() {
        let mut registry = Registry::default();
        let counter = Counter::<u64>::default();
        counter.inc();
        registry.register("requests", "How many", counter);
        registry.register("temperature", "How warm", Gauge::<i64>::default());
        registry.register_with_unit("wait", "How long", Unit::Seconds, Histogram::new([0.5]));
        assert_eq!(
            Exposition::OpenMetrics.render(&registry).unwrap(),
            "# HELP requests How many.\n# TYPE requests counter\nrequests_total 1\n\
             # HELP temperature How warm.\n# TYPE temperature gauge\ntemperature 0\n\
             # HELP wait_seconds How long.\n# TYPE wait_seconds histogram\n# UNIT wait_seconds seconds\n\
             wait_seconds_sum 0.0\nwait_seconds_count 0\nwait_seconds_bucket{le=\"0.5\"} 0\n\
             wait_seconds_bucket{le=\"+Inf\"} 0\n# EOF\n"
        );
        assert_eq!(
            Exposition::PrometheusText.render(&registry).unwrap(),
            "# HELP requests_total How many.\n# TYPE requests_total counter\nrequests_total 1\n\
             # HELP temperature How warm.\n# TYPE temperature gauge\ntemperature 0\n\
             # HELP wait_seconds How long.\n# TYPE wait_seconds histogram\n\
             wait_seconds_sum 0.0\nwait_seconds_count 0\nwait_seconds_bucket{le=\"0.5\"} 0\n\
             wait_seconds_bucket{le=\"+Inf\"} 0\n"
        );
    }
}
