//! How the engines write SQL and change tables, for those who examine a step without executing it.

use sea_orm::DbBackend;

use super::Engine;

/// What is a comment, a string or a name to one engine and something else to another.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent peculiarities, and no states"
)]
pub(crate) struct Syntax {
    /// A backslash in a string takes the next character as it is.
    pub(crate) backslash_escapes: bool,
    /// `#` begins a comment, and `--` does so only before a space.
    pub(crate) mysql_comments: bool,
    /// A comment may hold comments.
    pub(crate) nested_comments: bool,
    /// `$tag$ … $tag$` is a string.
    pub(crate) dollar_strings: bool,
    /// `[…]` is a name.
    pub(crate) bracketed_names: bool,
}

impl Engine {
    /// All engines.
    pub(crate) const ALL: [Self; 3] = [Self::Sqlite, Self::MySql, Self::Postgres];

    /// What statements are made for.
    pub(crate) fn backend(self) -> DbBackend {
        match self {
            Self::Sqlite => DbBackend::Sqlite,
            Self::MySql => DbBackend::MySql,
            Self::Postgres => DbBackend::Postgres,
        }
    }

    /// How statements are read.
    pub(crate) fn syntax(self) -> Syntax {
        Syntax {
            backslash_escapes: self == Self::MySql,
            mysql_comments: self == Self::MySql,
            nested_comments: self == Self::Postgres,
            dollar_strings: self == Self::Postgres,
            bracketed_names: self == Self::Sqlite,
        }
    }

    /// Whether writers wait for as long as an index is built. `InnoDB` lets them go on. In SQLite they wait for every other
    /// writer anyway.
    pub(crate) fn blocks_writers_while_indexing(self) -> bool {
        match self {
            Self::Postgres => true,
            Self::Sqlite | Self::MySql => false,
        }
    }
}
