//! `cargo xtask schema`: `init.sql`, which the MySQL container loads on its first boot, is written from the migrations.

use anyhow::Result;

use crate::generated::{Action, Generated};
use crate::product;

const INIT_SQL: Generated = Generated {
    path: "init.sql",
    dump_command: "cargo xtask schema dump",
};
const SCRIPT: &[&str] = &["migrate", "script"];

/// Writes or checks `init.sql`.
pub(crate) fn run(action: Action) -> Result<()> {
    INIT_SQL.act(action, &product::printed(SCRIPT)?)
}

/// Checks `init.sql` with the binary that the tests were run with.
pub(crate) fn check_after_tests() -> Result<()> {
    INIT_SQL.act(Action::Check, &product::printed_after_tests(SCRIPT)?)
}
