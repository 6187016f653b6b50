//! What the page is told, as JSON. Times are in microseconds, names end in `_us`.

use std::{sync::Arc, time::SystemTime};

use serde::Serialize;
use service::RETRYING;

use super::{
    Console, micros,
    pools::Slice,
    recording::{Batch, Member, Recording, Step, What},
};

/// The requests that are remembered, the newest first.
#[derive(Serialize)]
pub(super) struct List {
    /// Which run of the program this is: numbers and versions count from 1 in each.
    instance: u64,
    /// Whoever has this version has everything.
    version: u64,
    requests: Vec<Summary>,
}

/// A line of the list.
#[derive(Serialize)]
struct Summary {
    number: u64,
    request_id: String,
    method: String,
    route: String,
    /// Microseconds since 1970.
    began_at_us: u64,
    /// Absent while it is in progress, like the three after it.
    status: Option<u16>,
    problem: Option<String>,
    duration_us: Option<u64>,
    /// Statements that were executed for it, those that it shared included.
    statements: usize,
    /// How long these took together.
    sql_us: u64,
    /// How long it waited for connections.
    wait_us: u64,
    /// How many requests shared the largest batch that it took part in; 0 where there was none.
    batch_members: usize,
    retries: usize,
}

/// A request with all its steps.
#[derive(Serialize)]
pub(super) struct Detail {
    #[serde(flatten)]
    summary: Summary,
    steps: Vec<StepView>,
    batches: Vec<BatchView>,
    /// Steps that found no room.
    left_out: u64,
}

#[derive(Serialize)]
struct BatchView {
    name: &'static str,
    members: Vec<MemberView>,
    steps: Vec<StepView>,
    left_out: u64,
}

#[derive(Serialize)]
struct MemberView {
    number: u64,
    request_id: String,
}

#[derive(Serialize)]
struct StepView {
    /// The position, in the same list, of the step that this is part of.
    parent: Option<usize>,
    /// From the beginning of the request; negative where a batch began before the request joined it, which does not happen
    /// but for the resolution of the clock.
    start_us: i64,
    duration_us: Option<u64>,
    #[serde(flatten)]
    what: What,
}

/// The pools over time.
#[derive(Serialize)]
pub(super) struct PoolsView {
    /// The time of the answer, on the clock of the slices.
    now_us: u64,
    /// When that clock began, in microseconds since 1970.
    epoch_us: u64,
    slices: Vec<Slice>,
}

impl List {
    pub(super) fn of(console: &Console, version: u64) -> Self {
        let requests: Vec<_> = console.requests().iter().rev().cloned().collect();
        let summary = |recording: &Arc<Recording>| {
            let batches = recording.batches();
            let mut sums = Sums::default();
            recording.steps().look(|steps| sums.add(steps));
            for batch in &batches {
                batch.steps().look(|steps| sums.add(steps));
            }
            Summary::of(recording, &batches, &sums)
        };
        Self {
            instance: console.instance(),
            version,
            requests: requests.iter().map(summary).collect(),
        }
    }
}

impl Summary {
    fn of(recording: &Recording, batches: &[Arc<Batch>], sums: &Sums) -> Self {
        let (head, end) = (recording.head(), recording.end());
        Self {
            number: recording.number(),
            request_id: head.request_id.clone(),
            method: head.method.clone(),
            route: head.route.clone(),
            began_at_us: unix_micros(recording.began_at()),
            status: end.as_ref().map(|end| end.status),
            duration_us: end.as_ref().map(|end| end.duration_micros),
            problem: end.and_then(|end| end.problem),
            statements: sums.statements,
            sql_us: sums.sql_us,
            wait_us: sums.wait_us,
            batch_members: batches.iter().map(|batch| batch.members().len()).max().unwrap_or(0),
            retries: sums.retries,
        }
    }
}

#[derive(Default)]
struct Sums {
    statements: usize,
    sql_us: u64,
    wait_us: u64,
    retries: usize,
}

impl Sums {
    fn add(&mut self, steps: &[Step]) {
        for step in steps {
            let took = step
                .ended_micros
                .map_or(0, |ended| ended.saturating_sub(step.began_micros));
            match &step.what {
                What::Statement { .. } => {
                    self.statements += 1;
                    self.sql_us += took;
                }
                What::Wait { .. } => self.wait_us += took,
                What::Event { message, .. } if message == RETRYING => self.retries += 1,
                What::Event { .. } | What::Span { .. } => {}
            }
        }
    }
}

impl Detail {
    /// All of it as it is at one moment, so that the sums are those of the steps.
    pub(super) fn of(recording: &Recording) -> Self {
        let began = recording.began_micros();
        let batches = recording.batches();
        let noted = recording.steps().noted();
        let mut sums = Sums::default();
        sums.add(&noted.steps);
        let mut batch_views = Vec::with_capacity(batches.len());
        for batch in &batches {
            let noted = batch.steps().noted();
            sums.add(&noted.steps);
            let member = |member: Member| MemberView {
                number: member.number,
                request_id: member.request_id,
            };
            batch_views.push(BatchView {
                name: batch.name(),
                members: batch.members().into_iter().map(member).collect(),
                steps: views(noted.steps, began),
                left_out: noted.left_out,
            });
        }
        Self {
            summary: Summary::of(recording, &batches, &sums),
            steps: views(noted.steps, began),
            batches: batch_views,
            left_out: noted.left_out,
        }
    }
}

impl PoolsView {
    pub(super) fn of(console: &Console, since_us: u64) -> Self {
        Self {
            now_us: console.now_micros(),
            epoch_us: console.instance(),
            slices: console.0.pools.since(since_us),
        }
    }
}

fn views(steps: Vec<Step>, began_micros: u64) -> Vec<StepView> {
    let view = |step: Step| StepView {
        parent: step.parent,
        start_us: step.began_micros.cast_signed() - began_micros.cast_signed(),
        duration_us: step.ended_micros.map(|ended| ended.saturating_sub(step.began_micros)),
        what: step.what,
    };
    steps.into_iter().map(view).collect()
}

impl Console {
    /// When this run of the program began, in microseconds since 1970.
    fn instance(&self) -> u64 {
        unix_micros(self.0.began_at)
    }
}

fn unix_micros(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, micros)
}
