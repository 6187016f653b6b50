//! Ratios are taken within a round.

use super::{figures, key};
use crate::lab::rows::rows;

// ANCHOR: a-slow-round
#[test]
fn a_round_on_a_machine_that_is_busy_elsewhere_changes_no_ratio() {
    let keys = [key("read", 1), key("read", 8), key("create", 1), key("create", 8)];
    let quiet = [1000.0, 3000.0, 100.0, 400.0];
    let round = |speed: f64| quiet.map(|per_second| figures(per_second * speed)).to_vec();
    let rows = rows(&keys, &[round(1.0), round(0.25), round(1.0)]);
    for (row, expected) in rows.iter().zip([1.0, 3.0, 1.0, 4.0]) {
        let ratios = [row.ratio.min, row.ratio.median, row.ratio.max];
        assert!(ratios.iter().all(|ratio| (ratio - expected).abs() < 1e-3), "{row:?}");
    }
    // The throughput itself shows it: its rounds lie far apart.
    assert!(rows[1].requests_per_second.min < 0.5 * rows[1].requests_per_second.median);
}
// ANCHOR_END: a-slow-round
