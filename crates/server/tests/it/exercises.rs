//! Solutions of the exercises in the book, by chapter.

pub(crate) mod getting_started;
