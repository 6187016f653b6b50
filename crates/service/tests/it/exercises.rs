//! Solutions to the exercises of the book, a module for each chapter. They are tests like all others.

pub(crate) mod coalescing;
pub(crate) mod from_python;
pub(crate) mod retries_and_idempotency;
pub(crate) mod streams;
pub(crate) mod what_async_is;
