//! What every answer owes its caller, whatever happened on the way.
//!
//! - [`edge`], the outermost: request id, process time, security headers, the deadline, rendering of problems, the log line
//! - [`gate`]: paths and methods that do not exist, and the end of the process

mod edge;
mod gate;

pub(crate) use edge::edge;
pub(crate) use gate::gate;
