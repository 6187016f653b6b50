//! How spans and events become recordings.
//!
//! The span `request`, which the edge opens, is a recording; every span below it is a step of that, or of the batch that it
//! is part of. A span of a batch belongs to the request that is first in it, and *follows from* those of the others, which
//! is what `tracing` has for work with more than one cause.
//!
//! Statements and waits for a connection are events that the driver emits when they are over and that say how long they
//! took, so they are placed at the time at which they must have begun.

mod fields;

use std::{sync::Arc, thread};

use tracing::{
    Event, Id, Subscriber,
    span::{Attributes, Record},
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

use self::fields::Fields;
use super::{
    Console, ROOT,
    recording::{Batch, Recording, Step, Steps, What},
};

/// The span that the edge opens for a request, and the event that tells its end.
const REQUEST: &str = "request";
const STATEMENT_TARGET: &str = "sqlx::query";
const WAIT_TARGET: &str = "sqlx::pool::acquire";

/// The names of this crate and of the layers below it, as `tracing` knows them.
const LAYERS: [&str; 3] = [
    "async_starter_api",
    "async_starter_service",
    "async_starter_persistence",
];

/// The spans that are over once the answer is on its way, whoever enters them later: a batch works within the span of the
/// request that is first in it, and goes on when that has its answer.
const OVER_WITH_ANSWER: [&str; 2] = [REQUEST, "handler"];

/// Listens for a console.
struct Listener(Console);

/// Where a span has its place: kept with the span itself.
#[derive(Clone)]
struct Place {
    recording: Arc<Recording>,
    /// The batch that the span is part of.
    batch: Option<Arc<Batch>>,
    /// The step that the span is; nothing where there was no room for it.
    step: Option<usize>,
    /// The step that whatever happens within is part of: the span itself, or what is around it.
    nearest: Option<usize>,
    is_over_with_answer: bool,
}

impl Place {
    fn steps(&self) -> &Steps {
        match &self.batch {
            Some(batch) => batch.steps(),
            None => self.recording.steps(),
        }
    }
}

/// Listens for `console` to what concerns requests, and to nothing else.
pub(super) fn listener<S>(console: &Console) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    // ANCHOR: filtered
    let layers = LAYERS.into_iter().map(|layer| (layer, LevelFilter::DEBUG));
    let drivers = [
        (STATEMENT_TARGET, LevelFilter::DEBUG),
        (WAIT_TARGET, LevelFilter::TRACE),
    ];
    Listener(console.clone()).with_filter(Targets::new().with_targets(layers.chain(drivers)))
    // ANCHOR_END: filtered
}

impl Listener {
    fn begin_request(&self, fields: Fields) -> Option<Place> {
        let head = fields.head();
        if head.route.starts_with(ROOT) {
            // The console does not watch itself.
            return None;
        }
        let recording = self.0.begin(head);
        let what = What::Span {
            name: REQUEST,
            fields: Vec::new(),
        };
        let step = recording
            .steps()
            .note(Step::begun(None, recording.began_micros(), what));
        Some(Place {
            recording,
            batch: None,
            step,
            nearest: step,
            is_over_with_answer: true,
        })
    }

    /// The place of a span within another.
    fn place_below(&self, parent: Place, name: &'static str, fields: Fields) -> Place {
        let place = if name.ends_with("_batch") {
            let batch = Arc::new(Batch::new(name));
            parent.recording.join(&batch);
            Place {
                batch: Some(batch),
                nearest: None,
                ..parent
            }
        } else {
            parent
        };
        let what = What::Span {
            name,
            fields: fields.of_span(),
        };
        let step = place
            .steps()
            .note(Step::begun(place.nearest, self.0.now_micros(), what));
        Place {
            step,
            nearest: step.or(place.nearest),
            is_over_with_answer: OVER_WITH_ANSWER.contains(&name),
            ..place
        }
    }

    // ANCHOR: over
    /// A step that is over, and took so long.
    fn over(&self, place: &Place, took_micros: u64, what: What) -> Step {
        let now = self.0.now_micros();
        Step {
            ended_micros: Some(now),
            ..Step::begun(place.nearest, now.saturating_sub(took_micros), what)
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
            place.steps().add_fields(step, fields.of_span());
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
        if let Some(end) = fields.end() {
            place.recording.finish(end);
            self.0.changed();
            return;
        }
        let step = if is_wait {
            self.over(&place, fields.took_micros(), What::Wait { in_vain: false })
        } else if let Some(waited) = fields.waited_in_vain_micros() {
            self.over(&place, waited, What::Wait { in_vain: true })
        } else if metadata.target() == STATEMENT_TARGET {
            self.over(&place, fields.took_micros(), fields.statement())
        } else {
            self.over(&place, 0, fields.event(metadata.level().as_str()))
        };
        place.steps().note(step);
        self.0.changed();
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let place = context.span(id).and_then(|span| place_of(&span));
        if let Some(place) = place
            && let Some(step) = place.step
            && !is_thread_of_driver()
            && !(place.is_over_with_answer && place.recording.end().is_some())
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
            // Whoever holds the last handle of a span decides when it closes. Where that is no work of the span, it was over when
            // work on it was last left.
            let is_late = is_thread_of_driver() || place.is_over_with_answer;
            place.steps().close(step, self.0.now_micros(), is_late);
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
