//! What is kept of a request: its head, its end, and the steps between. A batch that several requests share has steps of its
//! own, which all of them show.
//!
//! Everything is bounded: of each request or batch so many steps and so much text are kept, and the rest is counted.

use std::{
    sync::{Arc, Mutex},
    time::SystemTime,
};

use serde::Serialize;

use super::lock;

// ANCHOR: bounds
/// The most steps of one request or batch.
const MAX_STEPS: usize = 300;
/// The most bytes of one statement or value.
const MAX_TEXT_BYTES: usize = 2000;
/// The most bytes of text of all steps together.
const MAX_TEXT_BYTES_IN_ALL: usize = 64 * 1024;
/// The most batches that a request shows. An import takes part in none, other requests in one or two.
const MAX_BATCHES: usize = 16;
// ANCHOR_END: bounds

/// What is known of a request when it begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) request_id: String,
    pub(super) method: String,
    /// The path with names for its variable parts.
    pub(super) route: String,
}

/// How a request ended.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) status: u16,
    /// The code of the problem that it was answered with.
    pub(super) problem: Option<String>,
    /// From the head of the request to the head of its answer.
    pub(super) duration_micros: u64,
}

/// A request.
#[derive(Debug)]
pub(super) struct Recording {
    number: u64,
    head: Head,
    began_at: SystemTime,
    began_micros: u64,
    end: Mutex<Option<End>>,
    steps: Steps,
    batches: Mutex<Vec<Arc<Batch>>>,
}

/// A statement that several requests share.
#[derive(Debug)]
pub(super) struct Batch {
    /// `read_batch` or `write_batch`.
    name: &'static str,
    steps: Steps,
    members: Mutex<Vec<Member>>,
}

/// Whoever shares a batch.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) number: u64,
    pub(super) request_id: String,
}

/// Steps in the order in which they were noted.
#[derive(Debug, Default)]
pub(super) struct Steps(Mutex<Noted>);

#[derive(Clone, Debug, Default)]
pub(super) struct Noted {
    pub(super) steps: Vec<Step>,
    /// Steps that found no room.
    pub(super) left_out: u64,
    text_bytes: usize,
}

/// Something that happened for a request.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The position, among the steps of the same request or batch, of the span that this happened within.
    pub(super) parent: Option<usize>,
    pub(super) began_micros: u64,
    /// Absent while it goes on.
    pub(super) ended_micros: Option<u64>,
    /// When work on a span last paused.
    pub(super) left_micros: Option<u64>,
    pub(super) what: What,
}

/// What kind of step; as JSON it is what the page is told.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum What {
    /// A span: `handler`, `database`, `transaction`, `begin`, `commit` and whatever else the layers name.
    Span {
        name: &'static str,
        fields: Vec<(&'static str, String)>,
    },
    /// A wait for a connection.
    Wait {
        /// The time for it was over before there was one.
        in_vain: bool,
    },
    /// A statement of SQL, without its values.
    Statement {
        sql: String,
        rows_affected: u64,
        rows_returned: u64,
    },
    /// A line that would stand in a detailed log.
    Event {
        level: &'static str,
        message: String,
        fields: Vec<(&'static str, String)>,
    },
}

impl Recording {
    /// The position of the step that is the request itself.
    const ITSELF: usize = 0;

    pub(super) fn new(number: u64, head: Head, began_micros: u64, began_at: SystemTime) -> Self {
        Self {
            number,
            head,
            began_at,
            began_micros,
            end: Mutex::default(),
            steps: Steps::default(),
            batches: Mutex::default(),
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    pub(super) fn began_at(&self) -> SystemTime {
        self.began_at
    }

    pub(super) fn began_micros(&self) -> u64 {
        self.began_micros
    }

    pub(super) fn steps(&self) -> &Steps {
        &self.steps
    }

    /// How it ended; nothing while it is in progress.
    pub(super) fn end(&self) -> Option<End> {
        lock(&self.end).clone()
    }

    /// Its answer is on its way, whatever goes on for it.
    pub(super) fn finish(&self, end: End) {
        self.steps.end_at(Self::ITSELF, self.began_micros + end.duration_micros);
        *lock(&self.end) = Some(end);
    }

    pub(super) fn batches(&self) -> Vec<Arc<Batch>> {
        lock(&self.batches).clone()
    }

    /// Takes note that this request shares `batch`.
    pub(super) fn join(&self, batch: &Arc<Batch>) {
        let mut batches = lock(&self.batches);
        if batches.len() < MAX_BATCHES {
            batches.push(batch.clone());
        }
        drop(batches);
        lock(&batch.members).push(Member {
            number: self.number,
            request_id: self.head.request_id.clone(),
        });
    }
}

impl Batch {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            steps: Steps::default(),
            members: Mutex::default(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn steps(&self) -> &Steps {
        &self.steps
    }

    pub(super) fn members(&self) -> Vec<Member> {
        lock(&self.members).clone()
    }
}

impl Steps {
    /// Notes a step, and returns its position; nothing where there is no room left.
    pub(super) fn note(&self, mut step: Step) -> Option<usize> {
        let mut bytes = 0;
        step.what.for_each_text(|text| {
            shorten(text);
            bytes += text.len();
        });
        let mut noted = lock(&self.0);
        if noted.steps.len() == MAX_STEPS || noted.text_bytes + bytes > MAX_TEXT_BYTES_IN_ALL {
            noted.left_out += 1;
            return None;
        }
        noted.text_bytes += bytes;
        noted.steps.push(step);
        Some(noted.steps.len() - 1)
    }

    // ANCHOR: close
    /// Takes note that work on a span pauses, or is done.
    pub(super) fn leave(&self, position: usize, at_micros: u64) {
        if let Some(step) = lock(&self.0).steps.get_mut(position) {
            step.left_micros = Some(at_micros);
        }
    }

    /// Takes note that a span closed, unless its end is known already. Where that `is_late`, it ended when work on it, or on what
    /// is part of it, was last left: the driver of SQLite, for one, holds on to a span until its thread finds the time to let
    /// go of it.
    pub(super) fn close(&self, position: usize, at_micros: u64, is_late: bool) {
        let mut noted = lock(&self.0);
        let is_part = |(index, step): &(usize, &Step)| *index == position || step.parent == Some(position);
        let parts = noted.steps.iter().enumerate().filter(is_part);
        let left = parts
            .filter_map(|(_, step)| step.ended_micros.max(step.left_micros))
            .max();
        if let Some(step) = noted.steps.get_mut(position) {
            let end = left.filter(|_| is_late).unwrap_or(at_micros);
            step.ended_micros.get_or_insert(end);
        }
    }
    // ANCHOR_END: close

    /// Takes note of when a span ended, whenever it closes.
    pub(super) fn end_at(&self, position: usize, at_micros: u64) {
        if let Some(step) = lock(&self.0).steps.get_mut(position) {
            step.ended_micros = Some(at_micros);
        }
    }

    /// Adds what was learned about a span since it opened.
    pub(super) fn add_fields(&self, position: usize, more: Vec<(&'static str, String)>) {
        if let Some(step) = lock(&self.0).steps.get_mut(position)
            && let What::Span { fields, .. } = &mut step.what
        {
            for (name, mut value) in more {
                shorten(&mut value);
                match fields.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, known)) => *known = value,
                    None => fields.push((name, value)),
                }
            }
        }
    }

    /// What has been noted so far.
    pub(super) fn noted(&self) -> Noted {
        lock(&self.0).clone()
    }

    /// Looks at what has been noted so far, without a copy.
    pub(super) fn look<T>(&self, look: impl FnOnce(&[Step]) -> T) -> T {
        look(&lock(&self.0).steps)
    }
}

impl Step {
    /// A step that goes on.
    pub(super) fn begun(parent: Option<usize>, began_micros: u64, what: What) -> Self {
        Self {
            parent,
            began_micros,
            ended_micros: None,
            left_micros: None,
            what,
        }
    }
}

impl What {
    fn for_each_text(&mut self, mut look: impl FnMut(&mut String)) {
        match self {
            Self::Wait { .. } => {}
            Self::Statement { sql, .. } => look(sql),
            Self::Span { fields, .. } => {
                for (_, value) in fields {
                    look(value);
                }
            }
            Self::Event { message, fields, .. } => {
                look(message);
                for (_, value) in fields {
                    look(value);
                }
            }
        }
    }
}

/// Cuts a text that is too long, and says so.
fn shorten(text: &mut String) {
    if text.len() > MAX_TEXT_BYTES {
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
        text.push('…');
        text.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(sql: String) -> Step {
        let what = What::Statement {
            sql,
            rows_affected: 0,
            rows_returned: 0,
        };
        Step::begun(None, 1, what)
    }

    #[test]
    fn a_long_statement_is_cut_between_two_characters() {
        let steps = Steps::default();
        steps.note(statement("é".repeat(5000)));
        let noted = steps.noted();
        let What::Statement { sql, .. } = &noted.steps[0].what else {
            panic!("{noted:?}")
        };
        assert_eq!((sql.chars().count(), sql.ends_with("é…")), (1001, true));
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let many = Steps::default();
        for _ in 0..MAX_STEPS + 5 {
            many.note(statement("SELECT 1".to_owned()));
        }
        assert_eq!((many.noted().steps.len(), many.noted().left_out), (MAX_STEPS, 5));
        let long = Steps::default();
        for _ in 0..100 {
            long.note(statement("x".repeat(MAX_TEXT_BYTES)));
        }
        let kept = long.noted().steps.len();
        assert_eq!((kept, long.noted().left_out), (32, 68));
    }

    #[test]
    fn what_is_learned_later_of_a_span_takes_the_place_of_what_was_known() {
        let steps = Steps::default();
        let what = What::Span {
            name: "transaction",
            fields: vec![("outcome", "open".to_owned())],
        };
        let position = steps.note(Step::begun(None, 5, what));
        steps.add_fields(
            position.unwrap(),
            vec![("outcome", "committed".to_owned()), ("rows", "1".to_owned())],
        );
        steps.leave(position.unwrap(), 7);
        assert_eq!(steps.noted().steps[0].ended_micros, None, "work on it only pauses");
        steps.leave(position.unwrap(), 9);
        steps.close(position.unwrap(), 12, true);
        let noted = steps.noted();
        let What::Span { fields, .. } = &noted.steps[0].what else {
            panic!("{noted:?}")
        };
        assert_eq!(fields, &[("outcome", "committed".to_owned()), ("rows", "1".to_owned())]);
        assert_eq!(noted.steps[0].ended_micros, Some(9));
    }
}
