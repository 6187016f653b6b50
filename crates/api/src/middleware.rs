//! What every answer owes its caller, whatever happened on the way.
//!
//! - [`edge`], the outermost: request id, process time, security headers, the deadline, rendering of problems, the log line
//! - [`admission`]: whether a request is let in at all
//! - [`RequestNotes`]: what these and the handlers tell each other

mod admission;
mod edge;
mod framing;
mod notes;

pub(crate) use admission::admission;
pub(crate) use edge::edge;
#[cfg(feature = "fuzzing")]
pub(crate) use edge::request_id;
pub(crate) use notes::RequestNotes;
