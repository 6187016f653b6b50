//! The spans around an event, also where the log has filtered out the innermost.
//!
//! While work goes on in tasks, each span is entered within those around it, and a layer that does not want the innermost still
//! finds the others on the stack of the thread. The driver of SQLite works on threads of its own, and takes the innermost span
//! along and no other. If another layer wants that span and the log does not, the log would find none, and a statement in
//! the log would be nobody's. So where none is found the registry is asked, which knows what is around a span whoever wants it.

use std::sync::OnceLock;

use tracing::{Dispatch, Subscriber, dispatcher::WeakDispatch};
use tracing_subscriber::{
    Registry,
    registry::{Extensions, LookupSpan},
};

/// The way to the registry, once there is one. Weak, because the registry belongs to what holds this.
#[derive(Debug, Default)]
pub(super) struct Around(OnceLock<WeakDispatch>);

impl Around {
    /// Takes note of the subscriber that the layer has become a part of.
    pub(super) fn belong_to(&self, subscriber: &Dispatch) {
        // A layer is part of one subscriber.
        let _ = self.0.set(subscriber.downgrade());
    }

    /// Looks at what is kept with the current span and those around it, the innermost first.
    pub(super) fn each(&self, mut look: impl FnMut(&Extensions<'_>)) {
        let Some(subscriber) = self.0.get().and_then(WeakDispatch::upgrade) else {
            return;
        };
        let Some(registry) = subscriber.downcast_ref::<Registry>() else {
            return;
        };
        let current = registry.current_span();
        if let Some(span) = current.id().and_then(|id| registry.span(id)) {
            for span in span.scope() {
                look(&span.extensions());
            }
        }
    }
}
