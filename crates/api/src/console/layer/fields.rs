//! The fields of spans and events: those that mean something to the console, and which of the others it may keep.

use std::{fmt, mem, time::Duration};

use service::RETRYING;
use tracing::field::{Field, Visit};

use super::{
    super::{
        micros,
        recording::{End, Head, What},
    },
    REQUEST,
};

const MESSAGE: &str = "message";

/// What is kept of events besides what they say. Everything else stays out of the console: causes and errors, because those of a
/// database may repeat a value or an address; who called; files and hosts.
const KEPT: [&str; 12] = [
    "attempt",
    "code",
    "committed_chunks",
    "created",
    "limit",
    "members",
    "outcome",
    "patience",
    "received",
    "rejected",
    "trace_id",
    "users",
];

/// Microseconds, of seconds as the driver tells them.
fn micros_of(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds).map_or(0, micros)
}

/// The fields of a span or an event: those with a meaning here, and the others as text.
#[derive(Default)]
pub(super) struct Fields {
    message: String,
    /// How long a statement or a wait took.
    seconds: f64,
    /// How long somebody waited for a connection and got none.
    seconds_in_vain: Option<f64>,
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

    pub(super) fn head(mut self) -> Head {
        Head {
            request_id: self.take("request_id").unwrap_or_default(),
            method: self.take("method").unwrap_or_default(),
            route: self.take("route").unwrap_or_default(),
        }
    }

    /// The end of a request, if this tells of one.
    pub(super) fn end(&mut self) -> Option<End> {
        let (REQUEST, Some(status), Some(duration_ms)) = (&*self.message, self.status, self.duration_ms) else {
            return None;
        };
        Some(End {
            status: u16::try_from(status).unwrap_or_default(),
            problem: self.take("code"),
            duration_micros: micros_of(duration_ms / 1000.0),
        })
    }

    /// How long a statement or a wait took.
    pub(super) fn took_micros(&self) -> u64 {
        micros_of(self.seconds)
    }

    /// How long somebody waited for a connection in vain, if this tells of that.
    pub(super) fn waited_in_vain_micros(&self) -> Option<u64> {
        self.seconds_in_vain.map(micros_of)
    }

    /// The event that this is.
    pub(super) fn event(mut self, level: &'static str) -> What {
        let message = mem::take(&mut self.message);
        What::Event {
            level,
            fields: self.kept(&message),
            message,
        }
    }

    /// What is kept of a span.
    pub(super) fn of_span(self) -> Vec<(&'static str, String)> {
        self.kept("")
    }

    fn kept(self, message: &str) -> Vec<(&'static str, String)> {
        // The reason for a repetition is a word of ours; others by that name may be of anybody.
        let is_kept = |name| KEPT.contains(&name) || (name == "reason" && message == RETRYING);
        self.others.into_iter().filter(|(name, _)| is_kept(name)).collect()
    }

    /// The driver repeats a statement of a few words in its summary and nowhere else.
    pub(super) fn statement(&mut self) -> What {
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
            "waited_in_vain_secs" => self.seconds_in_vain = Some(value),
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
