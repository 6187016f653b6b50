//! The API on every engine.
fn main() {}
