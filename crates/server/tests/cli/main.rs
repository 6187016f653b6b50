//! The program without a database server: its commands, its settings, and the embedded database of a developer.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod commands;
mod exercises;
mod first_start;
mod secrets;
mod settings;
#[path = "../support/mod.rs"]
mod support;
mod tokens;
mod transfer;
