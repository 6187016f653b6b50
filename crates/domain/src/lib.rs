//! The users of async-starter and every rule about them, each rule exactly once.
//!
//! A value of a type in this crate is proof that its rules hold: fields are private and the only way in is a parser such
//! as [`Email::parse`]. All other layers pass these types around and never check the rules again.
//!
//! What must never be imported here: I/O, async, serde, an ORM, HTTP. The one thing read from outside is the system
//! clock, by [`Timestamp::now`].

mod cursor;
mod email;
mod page;
mod rule;
mod timestamp;
mod user;
mod user_batch;
mod user_name;

pub use cursor::Cursor;
pub use email::Email;
pub use page::{Page, PageNumber, PageRequest, PageSize, Slice, UserFilter};
pub use rule::{Rule, Violation};
pub use timestamp::Timestamp;
pub use user::{NewUser, NoChanges, Precondition, Revision, User, UserChanges, UserId};
pub use user_batch::UserBatch;
pub use user_name::UserName;
