//! What the chapter `docs/en/first-query.md` lets its reader write, compiled and tested as it stands there.
//!
//! The files below `src`, `examples` and `tests` in this folder are those that the reader creates in the same places of the
//! crate. They must not be part of the crate, or there would be nothing to write, so they are compiled against a stand-in for
//! it: this file is to them what `src/lib.rs` is, with a repository that lends the real one what it needs. The `.diff` files
//! are the edits of files that exist. `cargo xtask walk` does all of it to the crate itself.
#![expect(
    clippy::unwrap_used,
    clippy::missing_errors_doc,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    reason = "a test fails by panicking, nobody sees the public items of the stand-in, and not all of them are needed"
)]

extern crate async_starter_persistence as the_crate;
extern crate self as async_starter_persistence;
extern crate self as persistence;

use std::process::ExitCode;

pub use repository::UserRepository;
pub use the_crate::*;

#[path = "../../src/entity.rs"]
mod entity;
mod exercises;
#[path = "examples/newcomers.rs"]
mod newcomers;
#[path = "tests/it/recent.rs"]
mod recent;
mod repository;
#[path = "../it/support.rs"]
mod support;

fn main() -> ExitCode {
    test_db::main(on_every_engine![
        recent::users_since_a_time_come_newest_first_and_include_the_time_itself,
        exercises::the_users_of_a_day_are_those_from_its_start_to_before_the_next,
        exercises::a_count_knows_no_limit,
        exercises::a_domain_is_text_and_no_pattern,
    ])
}
