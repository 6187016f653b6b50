//! What a soak comes to, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::sampler::Points;
use super::series::{Judgement, Series};

/// Everything about one soak.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) engine: &'static str,
    pub(super) engine_version: String,
    pub(super) product_version: String,
    pub(super) git_commit: String,
    pub(super) seconds: f64,
    pub(super) per_second: f64,
    /// Requests that were due, those whose client hung up included.
    pub(super) requests: u64,
    pub(super) latency_micros_p50: u128,
    pub(super) latency_micros_p99: u128,
    pub(super) latency_micros_max: u128,
    pub(super) processor_seconds: f64,
    /// Answers by what was asked and the status.
    pub(super) answers: BTreeMap<String, u64>,
    pub(super) surprises: u64,
    pub(super) first_surprises: Vec<String>,
    pub(super) at_rest_before: BTreeMap<Series, f64>,
    pub(super) at_rest_after: BTreeMap<Series, f64>,
    pub(super) judgements: Vec<Judgement>,
    /// Series that could be read and had too few points.
    pub(super) not_judged: Vec<Series>,
    pub(super) points: Points,
}

/// What must be as it was before the load when nothing is left to do.
const AT_REST: [Series; 3] = [Series::AliveTasks, Series::QueuedTasks, Series::RequestsInProgress];
/// By how many these may differ: a probe or a sweep may be under way.
const AT_REST_ALLOWED: f64 = 4.0;

impl Report {
    /// What is wrong, a line each; empty if the product stayed as it was.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for judgement in self.judgements.iter().filter(|judgement| !judgement.is_flat) {
            faults.push(format!(
                "{} did not stay flat: {:.1} and then {:.1}, a line that rises by {:.1}, allowed {:.1}",
                judgement.series.title(),
                judgement.median_of_second_fifth,
                judgement.median_of_last_fifth,
                judgement.rise_of_line,
                judgement.allowed_rise
            ));
        }
        for series in &self.not_judged {
            faults.push(format!(
                "{} has too few points to be judged: soak for longer",
                series.title()
            ));
        }
        for series in AT_REST {
            let (before, after) = (self.at_rest_before.get(&series), self.at_rest_after.get(&series));
            if let (Some(before), Some(after)) = (before, after)
                && after - before > AT_REST_ALLOWED
            {
                faults.push(format!(
                    "{} at rest: {before} before the load, {after} after it",
                    series.title()
                ));
            }
        }
        if self.surprises > 0 {
            let told = self.first_surprises.join("; ");
            faults.push(format!("{} answers that should not have come: {told}", self.surprises));
        }
        faults
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "\nsoak on {} {} for {:.0} minutes: {} requests, {:.0} a second; p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms; \
             the product was busy for {:.0} s\n\n",
            self.engine,
            self.engine_version,
            self.seconds / 60.0,
            self.requests,
            self.per_second,
            millis(self.latency_micros_p50),
            millis(self.latency_micros_p99),
            millis(self.latency_micros_max),
            self.processor_seconds
        );
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:30} {:>10} {:>10} {:>10} {:>10} {:>8} {:>8}",
            "", "2nd fifth", "last fifth", "line rises", "allowed", "min", "max"
        );
        for judgement in &self.judgements {
            let _ = writeln!(
                text,
                "{:30} {:>10.1} {:>10.1} {:>10.1} {:>10.1} {:>8.1} {:>8.1}  {}",
                judgement.series.title(),
                judgement.median_of_second_fifth,
                judgement.median_of_last_fifth,
                judgement.rise_of_line,
                judgement.allowed_rise,
                judgement.min,
                judgement.max,
                if judgement.is_flat { "flat" } else { "NOT FLAT" }
            );
        }
        let unseen = Series::ALL
            .into_iter()
            .filter(|series| !self.points.contains_key(series))
            .map(Series::title);
        for title in unseen {
            let _ = writeln!(text, "{title:30} cannot be seen from outside on this engine");
        }
        let tasks = |values: &BTreeMap<Series, f64>| values.get(&Series::AliveTasks).copied().unwrap_or_default();
        let _ = writeln!(
            text,
            "\ntasks at rest: {} before the load, {} after it",
            tasks(&self.at_rest_before),
            tasks(&self.at_rest_after)
        );
        let answers: Vec<_> = self
            .answers
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        let _ = writeln!(text, "answers: {}", answers.join(", "));
        match self.faults().as_slice() {
            [] => text.push_str("\nall of it stayed flat\n"),
            faults => faults.iter().for_each(|fault| {
                let _ = writeln!(text, "\nFAILED: {fault}");
            }),
        }
        text
    }
}

#[expect(clippy::cast_precision_loss, reason = "latencies stay far below 2^52 microseconds")]
fn millis(micros: u128) -> f64 {
    micros as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::super::series::{Point, judge};
    use super::*;

    fn report(memory: impl Fn(f64) -> f64) -> Report {
        let points: Vec<_> = (0..100)
            .map(|number| Point {
                second: f64::from(number),
                value: memory(f64::from(number)),
            })
            .collect();
        Report {
            engine: "SQLite",
            engine_version: "3".to_owned(),
            product_version: "0".to_owned(),
            git_commit: String::new(),
            seconds: 100.0,
            per_second: 200.0,
            requests: 20_000,
            latency_micros_p50: 1500,
            latency_micros_p99: 9000,
            latency_micros_max: 20_000,
            processor_seconds: 10.0,
            answers: BTreeMap::from([("get 200".to_owned(), 20_000)]),
            surprises: 0,
            first_surprises: Vec::new(),
            at_rest_before: BTreeMap::from([(Series::AliveTasks, 6.0)]),
            at_rest_after: BTreeMap::from([(Series::AliveTasks, 7.0)]),
            judgements: judge(Series::ResidentMemoryMib, &points, 100.0).into_iter().collect(),
            not_judged: Vec::new(),
            points: BTreeMap::from([(Series::ResidentMemoryMib, points)]),
        }
    }

    #[test]
    fn a_product_that_stays_as_it_was_has_no_faults() {
        let report = report(|second| 50.0 + second.sin());
        assert_eq!(report.faults(), Vec::<String>::new());
        assert!(report.text().contains("all of it stayed flat"), "{}", report.text());
        assert!(
            report.text().contains("prepared statements            cannot be seen"),
            "{}",
            report.text()
        );
    }

    #[test]
    fn what_grows_is_named() {
        let leak = report(|second| 50.0 + second / 5.0);
        assert!(
            leak.faults()[0].starts_with("resident memory, MiB did not stay flat"),
            "{:?}",
            leak.faults()
        );
        assert!(leak.text().contains("NOT FLAT"), "{}", leak.text());
        let mut left_over = report(|_| 50.0);
        left_over.at_rest_after.insert(Series::AliveTasks, 60.0);
        assert!(
            left_over.faults()[0].contains("6 before the load, 60 after it"),
            "{:?}",
            left_over.faults()
        );
        let mut wrong = report(|_| 50.0);
        (wrong.surprises, wrong.first_surprises) = (2, vec!["get: 500".to_owned()]);
        assert_eq!(wrong.faults(), ["2 answers that should not have come: get: 500"]);
    }
}
