//! How spans and events become recordings.
//!
//! The span `request`, which the edge opens, is a recording; every span below it is a step of that, or of the batch that it
//! is part of. A span of a batch belongs to the request that is first in it, and *follows from* those of the others, which
//! is what `tracing` has for work with more than one cause.
//!
//! Statements and waits for a connection are events that the driver emits when they are over and that say how long they
//! took, so they are placed at the time at which they must have begun.

use std::{fmt, mem, sync::Arc, thread, time::Duration};

use tracing::{
    Event, Id, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Record},
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

use super::{
    Console,
    recording::{Batch, End, Head, Recording, Step, Steps, What},
};

/// The span that the edge opens for a request, and the event that tells its end.
const REQUEST: &str = "request";
const MESSAGE: &str = "message";
const STATEMENT_TARGET: &str = "sqlx::query";
const WAIT_TARGET: &str = "sqlx::pool::acquire";

/// The console does not watch itself.
const OWN_ROUTE: &str = "/console";

/// The names of this crate and of the layers below it, as `tracing` knows them.
const LAYERS: [&str; 3] = [
    "async_starter_api",
    "async_starter_service",
    "async_starter_persistence",
];

/// Listens for a console.
pub(super) struct Listener(Console);

/// Where a span has its place: kept with the span itself.
#[derive(Clone)]
struct Place {
    recording: Arc<Recording>,
    /// The batch that the span is part of.
    batch: Option<Arc<Batch>>,
    /// The step that the span is; nothing where there was no room for it.
    step: Option<usize>,
}

impl Place {
    fn steps(&self) -> &Steps {
        match &self.batch {
            Some(batch) => batch.steps(),
            None => self.recording.steps(),
        }
    }
}

impl Listener {
    pub(super) fn new(console: Console) -> Self {
        Self(console)
    }

    /// Listens to what concerns requests and nothing else: what nobody listens to costs next to nothing.
    pub(super) fn filtered<S>(self) -> impl Layer<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        // ANCHOR: filtered
        let what = LAYERS.into_iter().map(|layer| (layer, LevelFilter::DEBUG));
        let what = what.chain([
            (STATEMENT_TARGET, LevelFilter::DEBUG),
            (WAIT_TARGET, LevelFilter::TRACE),
        ]);
        self.with_filter(Targets::new().with_targets(what))
        // ANCHOR_END: filtered
    }

    fn begin_request(&self, fields: Fields) -> Option<Place> {
        let head = fields.head();
        if head.route.starts_with(OWN_ROUTE) {
            return None;
        }
        let recording = self.0.begin(head);
        Some(Place {
            step: recording.steps().note(Step {
                parent: None,
                began_micros: recording.began_micros(),
                ended_micros: None,
                left_micros: None,
                what: What::Span {
                    name: REQUEST,
                    fields: Vec::new(),
                },
            }),
            recording,
            batch: None,
        })
    }

    /// The place of a span within another.
    fn place_below(&self, parent: Place, name: &'static str, fields: Fields) -> Place {
        let place = if name.ends_with("_batch") {
            let batch = Arc::new(Batch::new(name));
            parent.recording.join(&batch);
            Place {
                batch: Some(batch),
                step: None,
                ..parent
            }
        } else {
            parent
        };
        let step = place.steps().note(Step {
            parent: place.step,
            began_micros: self.0.now_micros(),
            ended_micros: None,
            left_micros: None,
            what: What::Span {
                name,
                fields: fields.others,
            },
        });
        Place { step, ..place }
    }

    // ANCHOR: over
    /// A step that is over, and took so many seconds.
    fn over(&self, place: &Place, seconds: f64, what: What) -> Step {
        let now = self.0.now_micros();
        Step {
            parent: place.step,
            began_micros: now.saturating_sub(micros_of(seconds)),
            ended_micros: Some(now),
            left_micros: None,
            what,
        }
    }
    // ANCHOR_END: over
}

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Listener {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let name = attributes.metadata().name();
        let parent = span.parent().and_then(|parent| place_of(&parent));
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let place = match parent {
            Some(parent) => Some(self.place_below(parent, name, fields)),
            None if name == REQUEST => self.begin_request(fields),
            // What is done for no request, such as migrations.
            None => None,
        };
        if let Some(place) = place {
            span.extensions_mut().insert(place);
            self.0.changed();
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let place = context.span(id).and_then(|span| place_of(&span));
        if let Some(place) = place
            && let Some(step) = place.step
        {
            let mut fields = Fields::default();
            values.record(&mut fields);
            place.steps().add_fields(step, fields.others);
        }
    }

    // ANCHOR: follows
    fn on_follows_from(&self, id: &Id, follows: &Id, context: Context<'_, S>) {
        let batch = context.span(id).and_then(|span| place_of(&span));
        let member = context.span(follows).and_then(|span| place_of(&span));
        if let (Some(Place { batch: Some(batch), .. }), Some(member)) = (batch, member) {
            member.recording.join(&batch);
            self.0.changed();
        }
    }
    // ANCHOR_END: follows

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let is_wait = metadata.target() == WAIT_TARGET;
        if is_wait {
            self.0.look_at_pools();
        }
        let scope = context.event_scope(event);
        let Some(place) = scope.and_then(|mut scope| scope.find_map(|span| place_of(&span))) else {
            return;
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let step = if is_wait {
            self.over(&place, fields.seconds, What::Wait)
        } else if metadata.target() == STATEMENT_TARGET {
            self.over(&place, fields.seconds, fields.statement())
        } else if let Some(end) = fields.end() {
            place.recording.finish(end);
            self.0.changed();
            return;
        } else {
            let now = self.0.now_micros();
            Step {
                parent: place.step,
                began_micros: now,
                ended_micros: Some(now),
                left_micros: None,
                what: What::Event {
                    level: metadata.level().as_str(),
                    message: fields.message,
                    fields: fields.others,
                },
            }
        };
        place.steps().note(step);
        self.0.changed();
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if is_thread_of_driver() {
            return;
        }
        let place = context.span(id).and_then(|span| place_of(&span));
        if let Some(place) = place
            && let Some(step) = place.step
        {
            place.steps().leave(step, self.0.now_micros());
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let place = context
            .span(&id)
            .and_then(|span| span.extensions_mut().remove::<Place>());
        if let Some(place) = place
            && let Some(step) = place.step
        {
            place.steps().close(step, self.0.now_micros());
            self.0.changed();
        }
    }
}

/// The place of a span; a copy, so that nothing of the span stays locked.
fn place_of<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<Place> {
    span.extensions().get::<Place>().cloned()
}

/// Whether this is a thread on which the driver of SQLite works. It enters the span of whoever asked, and leaves it some time
/// after the answer.
fn is_thread_of_driver() -> bool {
    thread::current()
        .name()
        .is_some_and(|name| name.starts_with("sqlx-sqlite-worker"))
}

/// Microseconds, of seconds as the driver tells them.
fn micros_of(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds).map_or(0, super::micros)
}

/// The fields of a span or an event: those with a meaning here, and the others as text.
#[derive(Default)]
struct Fields {
    message: String,
    /// How long a statement or a wait took.
    seconds: f64,
    summary: String,
    sql: String,
    rows_affected: u64,
    rows_returned: u64,
    status: Option<u64>,
    duration_ms: Option<f64>,
    others: Vec<(&'static str, String)>,
}

impl Fields {
    fn take(&mut self, name: &str) -> Option<String> {
        let found = self.others.iter().position(|(known, _)| *known == name)?;
        Some(self.others.swap_remove(found).1)
    }

    fn head(mut self) -> Head {
        Head {
            request_id: self.take("request_id").unwrap_or_default(),
            method: self.take("method").unwrap_or_default(),
            route: self.take("route").unwrap_or_default(),
        }
    }

    /// The end of a request, if this tells of one.
    fn end(&mut self) -> Option<End> {
        let (REQUEST, Some(status), Some(duration_ms)) = (&*self.message, self.status, self.duration_ms) else {
            return None;
        };
        Some(End {
            status: u16::try_from(status).unwrap_or_default(),
            problem: self.take("code"),
            duration_micros: micros_of(duration_ms / 1000.0),
        })
    }

    /// The driver repeats a statement of a few words in its summary and nowhere else.
    fn statement(&mut self) -> What {
        let sql = if self.sql.trim().is_empty() {
            mem::take(&mut self.summary)
        } else {
            self.sql.trim().to_owned()
        };
        What::Statement {
            sql,
            rows_affected: self.rows_affected,
            rows_returned: self.rows_returned,
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        match field.name() {
            "elapsed_secs" | "acquired_after_secs" => self.seconds = value,
            "duration_ms" => self.duration_ms = Some(value),
            name => self.others.push((name, value.to_string())),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "rows_affected" => self.rows_affected = value,
            "rows_returned" => self.rows_returned = value,
            "status" => self.status = Some(value),
            name => self.others.push((name, value.to_string())),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            MESSAGE => value.clone_into(&mut self.message),
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.sql),
            // These speak to the exporter of traces alone.
            name if name.starts_with("otel.") => {}
            name => self.others.push((name, value.to_owned())),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        self.record_str(field, &text);
    }
}

#[cfg(test)]
mod tests {
    use service::RETRYING;
    use tracing::Instrument;
    use tracing_subscriber::layer::SubscriberExt;

    use super::{super::view::List, *};

    fn request_span(route: &str) -> tracing::Span {
        tracing::error_span!("request", request_id = "a1", method = "GET", route)
    }

    /// What a console learns of `work`.
    async fn console_over(work: impl Future<Output = ()>) -> Console {
        let console = Console::new();
        // While there is but one subscriber, `tracing` asks only the thread that comes first to a span whether anybody wants
        // it, which may be the thread of another test; and remembers the answer.
        let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
        let subscriber = tracing_subscriber::registry().with(console.layer());
        let listening = tracing::subscriber::set_default(subscriber);
        work.await;
        drop(listening);
        console
    }

    #[tokio::test]
    async fn a_transaction_that_is_run_again_is_counted() {
        let work = async {
            for attempt in 1..=2 {
                tracing::debug!(message = RETRYING, attempt);
            }
        };
        // The span is made only where somebody listens.
        let console = console_over(async { work.instrument(request_span("/api/v1/users")).await }).await;
        let shown = serde_json::to_value(List::of(&console, 1)).unwrap();
        assert_eq!(shown["requests"][0]["retries"], 2, "{shown}");
    }

    #[tokio::test]
    async fn the_oldest_requests_make_place_and_the_console_itself_is_none() {
        let work = async {
            for _ in 0..205 {
                drop(request_span("/api/v1/users"));
            }
            drop(request_span("/console/requests"));
        };
        let console = console_over(work).await;
        let numbers: Vec<_> = console.requests().iter().map(|request| request.number()).collect();
        assert_eq!((numbers.len(), numbers[0], numbers[199]), (200, 6, 205));
        assert!(console.find(5).is_none() && console.find(6).is_some());
    }

    #[tokio::test]
    async fn what_is_done_for_no_request_is_not_kept() {
        let work = async {
            let _span = tracing::debug_span!("transaction").entered();
            tracing::debug!("nobody asked for this");
        };
        assert!(console_over(work).await.requests().is_empty());
    }
}
