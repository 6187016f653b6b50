//! `cargo xtask openapi`: `docs/openapi.json`, the contract that clients read, is written from the code.

use anyhow::Result;

use crate::generated::{Action, Generated};
use crate::product;

const DOCUMENT: Generated = Generated {
    path: "docs/openapi.json",
    dump_command: "cargo xtask openapi dump",
};
const PRINT: &[&str] = &["openapi"];

/// Writes or checks `docs/openapi.json`.
pub(crate) fn run(action: Action) -> Result<()> {
    DOCUMENT.act(action, &product::printed(PRINT)?)
}

/// Checks `docs/openapi.json` with the binary that the tests were run with.
pub(crate) fn check_after_tests() -> Result<()> {
    DOCUMENT.act(Action::Check, &product::printed_after_tests(PRINT)?)
}
