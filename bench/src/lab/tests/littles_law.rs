//! Requests at once are throughput times latency.

use crate::lab::Experiment;
use crate::lab::record::Records;
use crate::report;

// ANCHOR: littles-law
#[test]
fn what_was_kept_obeys_littles_law() {
    let records = Records::read(&report::root()).unwrap();
    for run in records.runs() {
        for row in &run.experiments[&Experiment::Concurrency] {
            let at_once = row.requests_per_second.median * row.p50_micros / 1e6;
            let share = at_once / f64::from(u32::try_from(row.key.at).unwrap());
            // The law is about the mean, and the median lies below that: a few requests take much longer than most.
            assert!(share < 1.2, "{share} in {row:?}");
            if row.p99_micros < 4.0 * row.p50_micros {
                assert!(share > 0.6, "{share} in {row:?}");
            }
        }
    }
}
// ANCHOR_END: littles-law
