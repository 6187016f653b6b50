//! Writing together.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use persistence::Histogram;
use tokio::task::JoinHandle;

use super::{Failure, Gate, ONE_BATCH, another_runtime, ended, runtime, until};
use crate::{
    DatabaseRuntime,
    coalesce::{CoalescingOptions, WriteCoalescer, WriteTogether},
};

/// A table with a unique column, and the statements that were sent to it.
#[derive(Clone)]
struct Table(Arc<Inner>);

struct Inner {
    gate: Gate,
    rows: Mutex<Vec<&'static str>>,
    statements: Mutex<Vec<Vec<&'static str>>>,
}

/// Refused for what it is, and nothing that a look-up finds.
const POISON: &str = "poison";
/// Takes the connection with it.
const LOST: &str = "lost";
const PANICS: &str = "panics";

impl Table {
    fn new(rows: &[&'static str]) -> Self {
        Self(Arc::new(Inner {
            gate: Gate::closed(),
            rows: Mutex::new(rows.to_vec()),
            statements: Mutex::default(),
        }))
    }

    fn statements(&self) -> Vec<Vec<&'static str>> {
        self.0.statements.lock().unwrap().clone()
    }

    fn rows(&self) -> Vec<&'static str> {
        self.0.rows.lock().unwrap().clone()
    }
}

impl WriteTogether for Table {
    type Item = &'static str;
    type Key = &'static str;
    type Written = usize;
    type Error = Failure;

    fn key<'i>(item: &'i &'static str) -> &'i &'static str {
        item
    }

    /// Returns where each row is.
    async fn write(&self, items: &[&'static str]) -> Result<Vec<usize>, Failure> {
        self.0.statements.lock().unwrap().push(items.to_vec());
        self.0.gate.pass().await;
        assert!(!items.contains(&PANICS), "the table panics");
        if items.contains(&LOST) {
            return Err(Failure::Lost);
        }
        let mut rows = self.0.rows.lock().unwrap();
        if items.iter().any(|item| *item == POISON || rows.contains(item)) {
            return Err(Failure::Refused);
        }
        let first = rows.len();
        rows.extend(items);
        Ok((first..rows.len()).collect())
    }

    fn may_be_about_one_item(error: &Failure) -> bool {
        *error == Failure::Refused
    }

    async fn refused(&self, items: &[&'static str]) -> Result<Vec<(usize, Failure)>, Failure> {
        let rows = self.rows();
        let refused = items.iter().enumerate().filter(|(_, item)| rows.contains(item));
        Ok(refused.map(|(position, _)| (position, Failure::Refused)).collect())
    }
}

fn coalescer(table: &Table, runtime: DatabaseRuntime) -> WriteCoalescer<Table> {
    let options = CoalescingOptions {
        max_members: 50,
        ..ONE_BATCH
    };
    WriteCoalescer::new(table.clone(), runtime, options, Histogram::new(&[1.0]))
}

type Answer = JoinHandle<Result<usize, Failure>>;

/// Writes items and waits until all of them have joined.
async fn gather(writes: &WriteCoalescer<Table>, items: impl IntoIterator<Item = &'static str>) -> Vec<Answer> {
    let write = |item| {
        let writes = writes.clone();
        tokio::spawn(async move { writes.write(item).await })
    };
    let answers = items.into_iter().map(write).collect();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    answers
}

async fn outcomes(answers: Vec<Answer>) -> Vec<Result<usize, Failure>> {
    let mut outcomes = Vec::new();
    for answer in answers {
        outcomes.push(ended(answer).await);
    }
    outcomes
}

/// A coalescer one of whose statements is on its way, so that others gather.
async fn busy(table: &Table) -> (WriteCoalescer<Table>, Answer) {
    let writes = coalescer(table, runtime());
    let first = gather(&writes, ["first"]).await.remove(0);
    until(|| table.statements().len() == 1).await;
    (writes, first)
}

#[tokio::test]
async fn items_that_gathered_are_written_by_one_statement_and_each_gets_its_own_answer() {
    let table = Table::new(&[]);
    let (writes, first) = busy(&table).await;
    let answers = gather(&writes, ["a", "b", "c"]).await;
    table.0.gate.open();
    assert_eq!(ended(first).await, Ok(0));
    assert_eq!(outcomes(answers).await, [Ok(1), Ok(2), Ok(3)]);
    assert_eq!(table.rows(), ["first", "a", "b", "c"]);
    assert_eq!(table.statements().len(), 2);
}

#[tokio::test]
async fn of_items_with_the_same_key_one_is_written_and_the_others_are_refused() {
    let table = Table::new(&[]);
    let (writes, first) = busy(&table).await;
    let answers = gather(&writes, ["a", "a", "b", "a"]).await;
    table.0.gate.open();
    ended(first).await.unwrap();
    let refused = Err(Failure::Refused);
    assert_eq!(outcomes(answers).await, [Ok(1), refused, Ok(2), refused]);
    assert_eq!(
        table.statements(),
        [vec!["first"], vec!["a", "b"], vec!["a"], vec!["a"]]
    );
}

#[tokio::test]
async fn those_that_exist_are_found_out_and_the_others_written_by_one_more_statement() {
    let table = Table::new(&["a", "c"]);
    let (writes, first) = busy(&table).await;
    let answers = gather(&writes, ["a", "b", "c", "d"]).await;
    table.0.gate.open();
    ended(first).await.unwrap();
    let refused = Err(Failure::Refused);
    assert_eq!(outcomes(answers).await, [refused, Ok(3), refused, Ok(4)]);
    assert_eq!(
        table.statements(),
        [vec!["first"], vec!["a", "b", "c", "d"], vec!["b", "d"]]
    );
}

#[tokio::test]
async fn a_poisoned_item_among_good_ones_fails_alone() {
    let table = Table::new(&["c"]);
    let (writes, first) = busy(&table).await;
    let answers = gather(&writes, ["a", POISON, "b", "c"]).await;
    table.0.gate.open();
    ended(first).await.unwrap();
    let refused = Err(Failure::Refused);
    assert_eq!(outcomes(answers).await, [Ok(2), refused, Ok(3), refused]);
    assert_eq!(table.rows(), ["c", "first", "a", "b"]);
}

#[tokio::test]
async fn what_may_have_been_written_is_not_written_again() {
    let table = Table::new(&[]);
    let (writes, first) = busy(&table).await;
    let answers = gather(&writes, ["a", LOST, "b"]).await;
    table.0.gate.open();
    ended(first).await.unwrap();
    assert_eq!(outcomes(answers).await, [Err(Failure::Lost); 3]);
    assert_eq!(table.statements().len(), 2);
    assert_eq!(writes.write("c").await, Ok(1), "the next are not concerned");
}

#[tokio::test]
async fn who_gives_up_before_the_statement_is_built_is_not_written() {
    let table = Table::new(&[]);
    let (writes, first) = busy(&table).await;
    let mut answers = gather(&writes, ["a", "b", "c"]).await;
    let given_up = answers.remove(1);
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    table.0.gate.open();
    ended(first).await.unwrap();
    assert_eq!(outcomes(answers).await, [Ok(1), Ok(2)]);
    assert_eq!(table.rows(), ["first", "a", "c"]);
}

#[tokio::test]
async fn who_gives_up_while_the_guilty_are_sought_is_not_written_either() {
    let table = Table::new(&["a"]);
    let (writes, first) = busy(&table).await;
    let mut answers = gather(&writes, ["a", "b", "c"]).await;
    table.0.gate.let_through(1);
    until(|| table.statements().len() == 2).await;
    let given_up = answers.remove(1);
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    table.0.gate.open();
    ended(first).await.unwrap();
    assert_eq!(outcomes(answers).await, [Err(Failure::Refused), Ok(2)]);
    assert_eq!(table.rows(), ["a", "first", "c"]);
}

#[tokio::test]
async fn when_the_first_gives_up_it_is_written_and_those_behind_are_too() {
    let table = Table::new(&[]);
    let (writes, first) = busy(&table).await;
    let answers = gather(&writes, ["a", "b"]).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    table.0.gate.open();
    assert_eq!(outcomes(answers).await, [Ok(1), Ok(2)]);
    assert_eq!(table.rows(), ["first", "a", "b"]);
}

#[tokio::test]
async fn a_statement_that_does_not_come_back_holds_up_nobody_else_for_long() {
    let table = Table::new(&[]);
    let options = CoalescingOptions {
        patience: Duration::from_millis(20),
        ..ONE_BATCH
    };
    let writes = WriteCoalescer::new(table.clone(), runtime(), options, Histogram::new(&[1.0]));
    let stuck = gather(&writes, ["stuck"]).await.remove(0);
    let waiting = gather(&writes, ["a"]).await;
    until(|| table.statements().len() == 2).await;
    assert!(!stuck.is_finished());
    table.0.gate.open();
    for answer in waiting.into_iter().chain([stuck]) {
        ended(answer).await.unwrap();
    }
}

#[tokio::test]
async fn a_panic_goes_on_in_every_member_and_ends_with_its_batch() {
    let table = Table::new(&[]);
    let (writes, first) = busy(&table).await;
    let answers = gather(&writes, ["a", PANICS]).await;
    table.0.gate.open();
    ended(first).await.unwrap();
    for answer in answers {
        assert!(answer.await.unwrap_err().is_panic());
    }
    assert_eq!(writes.write("b").await, Ok(1));
}

#[tokio::test]
async fn when_the_runtime_stops_everybody_in_a_full_queue_is_told_and_nothing_more_is_written() {
    let own = another_runtime();
    let table = Table::new(&[]);
    let writes = coalescer(&table, DatabaseRuntime::new(own.handle().clone()));
    let mut answers = gather(&writes, ["first"]).await;
    until(|| table.statements().len() == 1).await;
    answers.extend(gather(&writes, ["a"; 500]).await);
    own.shutdown_background();
    assert_eq!(outcomes(answers).await, vec![Err(Failure::Stopped); 501]);
    assert_eq!(table.statements().len(), 1);
    assert_eq!(writes.write("b").await, Err(Failure::Stopped));
}

#[tokio::test]
async fn statements_have_one_of_a_few_sizes_and_nobody_is_left_behind() {
    let names: Vec<&'static str> = (0..77)
        .map(|number| &*Box::leak(format!("{number}").into_boxed_str()))
        .collect();
    let table = Table::new(&[]);
    let (writes, first) = busy(&table).await;
    let answers = gather(&writes, names).await;
    table.0.gate.open();
    ended(first).await.unwrap();
    assert!(outcomes(answers).await.iter().all(Result::is_ok));
    let sizes: Vec<_> = table.statements().iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, 48, 24, 4, 1], "at most 50 of the 77 at once");
}
