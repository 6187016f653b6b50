//! Solutions of the exercises in the book, by chapter.

pub(crate) mod what_async_is;
