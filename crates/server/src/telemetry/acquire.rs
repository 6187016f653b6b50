//! How long requests wait for a connection to the database. The driver tells of each by an event and in no other way.

use persistence::Histogram;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::Context,
    registry::LookupSpan,
};

const TARGET: &str = "sqlx::pool::acquire";
const SECONDS: &str = "acquired_after_secs";

/// Upper bounds in seconds: from a connection that lay ready to the usual time-out.
const BOUNDS: [f64; 13] = [
    0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// Where the times are noted.
pub(crate) fn acquire_times() -> Histogram {
    Histogram::new(&BOUNDS)
}

// ANCHOR: layer
/// A layer that notes in `times` what the driver tells.
pub(super) fn layer<S>(times: Histogram) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    AcquireTimes(times).with_filter(Targets::new().with_target(TARGET, LevelFilter::TRACE))
}
// ANCHOR_END: layer

struct AcquireTimes(Histogram);

impl<S: Subscriber> Layer<S> for AcquireTimes {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Seconds(&self.0));
    }
}

struct Seconds<'a>(&'a Histogram);

impl Visit for Seconds<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == SECONDS {
            self.0.observe(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
