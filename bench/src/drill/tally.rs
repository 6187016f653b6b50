//! What became of the requests of a drill, and how soon all was well again after a fault.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::sleep;

/// How often it is looked whether all is well.
const PROBE: Duration = Duration::from_millis(10);
/// This long nothing may fail before all counts as well.
const CALM: Duration = Duration::from_millis(700);
/// Kinds of wrong behaviour that are kept, each with its number.
const KINDS_KEPT: usize = 40;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    /// 2xx.
    Success,
    /// 4xx.
    Refused,
    /// 503.
    Unavailable,
    /// 504.
    DeadlineExceeded,
    /// Any other status, 500 among them.
    Other,
    /// The connection broke before the end of the answer.
    Broken,
    /// There was no connection, so nothing was sent.
    NotConnected,
    /// The client waited no longer.
    Silent,
}

impl End {
    pub(super) const ALL: [Self; 8] = [
        Self::Success,
        Self::Refused,
        Self::Unavailable,
        Self::DeadlineExceeded,
        Self::Other,
        Self::Broken,
        Self::NotConnected,
        Self::Silent,
    ];

    /// The name for people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::Refused => "4xx",
            Self::Unavailable => "503",
            Self::DeadlineExceeded => "504",
            Self::Other => "other",
            Self::Broken => "broken",
            Self::NotConnected => "not connected",
            Self::Silent => "silent",
        }
    }

    /// Whether the client has to be told that the service is not well.
    pub(super) fn is_failure(self) -> bool {
        !matches!(self, Self::Success | Self::Refused)
    }
}

/// How the service came back after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recovery {
    /// From the end of the fault to the first success of a request that was sent after it.
    pub(super) to_first_success: Option<Duration>,
    /// From the end of the fault to the last failure.
    pub(super) to_last_failure: Duration,
    /// Whether nothing failed any more in the end.
    pub(super) is_calm: bool,
}

/// Counts the requests of all clients.
#[derive(Debug, Default)]
pub(super) struct Tally(RefCell<Counts>);

#[derive(Debug, Default)]
struct Counts {
    ends: BTreeMap<End, u64>,
    longest: Duration,
    /// The beginnings of the requests that are on their way.
    in_flight: BTreeMap<u64, Instant>,
    next_request: u64,
    last_failure: Option<Instant>,
    successes_since_failure: u64,
    /// The end of the last fault, and the first success after it.
    mark: Option<Instant>,
    first_success: Option<Instant>,
    wrong: BTreeMap<String, u64>,
}

/// A request that is on its way.
#[derive(Debug)]
pub(super) struct Sent {
    number: u64,
    begin: Instant,
}

impl Tally {
    /// A request is sent.
    pub(super) fn sent(&self) -> Sent {
        let mut counts = self.0.borrow_mut();
        let number = counts.next_request;
        counts.next_request += 1;
        let begin = Instant::now();
        counts.in_flight.insert(number, begin);
        Sent { number, begin }
    }

    /// It ended; how long it took.
    pub(super) fn ended(&self, sent: &Sent, end: End) -> Duration {
        let mut counts = self.0.borrow_mut();
        let now = Instant::now();
        let elapsed = now - sent.begin;
        counts.in_flight.remove(&sent.number);
        *counts.ends.entry(end).or_default() += 1;
        counts.longest = counts.longest.max(elapsed);
        if end.is_failure() {
            counts.last_failure = Some(now);
            counts.successes_since_failure = 0;
        } else {
            counts.successes_since_failure += 1;
            if counts.first_success.is_none() && counts.mark.is_some_and(|mark| sent.begin >= mark) {
                counts.first_success = Some(now);
            }
        }
        elapsed
    }

    /// Something happened that must not happen, whatever breaks.
    pub(super) fn wrong(&self, what: String) {
        let mut counts = self.0.borrow_mut();
        if counts.wrong.len() < KINDS_KEPT || counts.wrong.contains_key(&what) {
            *counts.wrong.entry(what).or_default() += 1;
        }
    }

    /// What happened that must not happen, with its number.
    pub(super) fn all_wrong(&self) -> Vec<String> {
        let counts = self.0.borrow();
        let shown = |(what, times): (&String, &u64)| match times {
            1 => what.clone(),
            times => format!("{what} ({times} times)"),
        };
        counts.wrong.iter().map(shown).collect()
    }

    /// How many failed so far.
    pub(super) fn failures(&self) -> u64 {
        let counts = self.0.borrow();
        let failures = counts.ends.iter().filter(|(end, _)| end.is_failure());
        failures.map(|(_, count)| count).sum()
    }

    /// How many ended so.
    pub(super) fn count(&self, end: End) -> u64 {
        self.0.borrow().ends.get(&end).copied().unwrap_or_default()
    }

    /// The longest time to an answer.
    pub(super) fn longest(&self) -> Duration {
        self.0.borrow().longest
    }

    /// A fault ended: waits until `clients` clients are served again, and nothing fails any more, or until `patience` is
    /// over.
    pub(super) async fn recovery(&self, clients: usize, patience: Duration) -> Recovery {
        let mark = Instant::now();
        {
            let mut counts = self.0.borrow_mut();
            counts.mark = Some(mark);
            counts.first_success = None;
            counts.successes_since_failure = 0;
        }
        loop {
            let is_calm = self.0.borrow().is_calm(mark, clients);
            if is_calm || mark.elapsed() > patience + CALM {
                let counts = self.0.borrow();
                let last_failure = counts.last_failure.filter(|failure| *failure > mark);
                return Recovery {
                    to_first_success: counts.first_success.map(|success| success - mark),
                    to_last_failure: last_failure.map_or(Duration::ZERO, |failure| failure - mark),
                    is_calm,
                };
            }
            sleep(PROBE).await;
        }
    }
}

impl Counts {
    fn is_calm(&self, mark: Instant, clients: usize) -> bool {
        let since = self.last_failure.map_or(mark, |failure| failure.max(mark));
        let enough = u64::try_from(clients).unwrap_or(u64::MAX);
        since.elapsed() >= CALM
            && self.successes_since_failure >= enough
            // What was sent during the fault and has no answer yet may still fail.
            && self.in_flight.values().all(|begin| *begin >= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(tally: &Tally, end: End) {
        let sent = tally.sent();
        tally.ended(&sent, end);
    }

    #[tokio::test]
    async fn all_is_well_when_nothing_fails_any_more() {
        let tally = Tally::default();
        one(&tally, End::Broken);
        let served = async {
            sleep(Duration::from_millis(50)).await;
            one(&tally, End::Unavailable);
            loop {
                one(&tally, End::Success);
                sleep(Duration::from_millis(5)).await;
            }
        };
        let recovery = tokio::select! {
            recovery = tally.recovery(3, Duration::from_secs(20)) => recovery,
            () = served => unreachable!("it goes on"),
        };
        assert!(recovery.is_calm);
        assert!(recovery.to_last_failure >= Duration::from_millis(50), "{recovery:?}");
        assert!(
            recovery.to_first_success >= Some(Duration::from_millis(50)),
            "{recovery:?}"
        );
    }

    #[tokio::test]
    async fn a_request_without_an_answer_is_waited_for() {
        let tally = Tally::default();
        let _never_answered = tally.sent();
        let served = async {
            loop {
                one(&tally, End::Success);
                sleep(Duration::from_millis(5)).await;
            }
        };
        let recovery = tokio::select! {
            recovery = tally.recovery(1, Duration::from_millis(300)) => recovery,
            () = served => unreachable!("it goes on"),
        };
        assert!(!recovery.is_calm);
    }

    #[test]
    fn the_same_wrong_thing_is_told_once_with_its_number() {
        let tally = Tally::default();
        for what in ["a", "b", "a"] {
            tally.wrong(what.to_owned());
        }
        assert_eq!(tally.all_wrong(), ["a (2 times)", "b"]);
    }
}
