//! What can go wrong while old and new instances run together, and what to do instead.

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hazard {
    DroppedTable,
    DroppedColumn,
    RenamedTable,
    RenamedColumn,
    RequiredColumn,
    NotNull,
    DroppedDefault,
    ColumnType,
    Unique,
    ForeignKey,
    Check,
    BlockingIndex,
    ConcurrentIndex,
    SeveralStatements,
}

/// A change of this kind, and to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) hazard: Hazard,
    table: String,
    column: Option<String>,
}

impl Finding {
    pub(super) fn of(hazard: Hazard, table: String, column: Option<String>) -> Self {
        Self { hazard, table, column }
    }

    /// The change in a few words.
    pub(super) fn what(&self) -> String {
        let table = &self.table;
        let column = match &self.column {
            Some(column) => format!("{table}.{column}"),
            None => table.clone(),
        };
        match self.hazard {
            Hazard::DroppedTable => format!("drops the table {table}"),
            Hazard::DroppedColumn => format!("drops the column {column}"),
            Hazard::RenamedTable => format!("renames the table {table}"),
            Hazard::RenamedColumn => format!("renames the column {column}"),
            Hazard::RequiredColumn => format!("adds the column {column}, NOT NULL and without a DEFAULT"),
            Hazard::NotNull => format!("makes {column} NOT NULL"),
            Hazard::DroppedDefault => format!("takes the DEFAULT of {column} away"),
            Hazard::ColumnType => format!("changes or states again the type of {column}"),
            Hazard::Unique => format!("makes values of {column} unique"),
            Hazard::ForeignKey => format!("adds a foreign key to {column}"),
            Hazard::Check => format!("adds a check to {table}"),
            Hazard::BlockingIndex => format!("builds an index on {table}"),
            Hazard::ConcurrentIndex => format!("builds an index on {table} CONCURRENTLY"),
            Hazard::SeveralStatements => "holds more than one statement".to_owned(),
        }
    }
}

impl Hazard {
    /// What goes wrong while old and new instances run together.
    pub(super) fn meanwhile(self) -> &'static str {
        match self {
            Self::DroppedTable => "old instances still use the table, and their requests fail",
            Self::DroppedColumn => {
                "old instances name the column whenever they read or insert, and their requests fail"
            }
            Self::RenamedTable | Self::RenamedColumn => "old instances use the old name, and their requests fail",
            Self::RequiredColumn => {
                "old instances insert rows without it, which the database refuses; where the table has rows, SQLite and \
                 PostgreSQL refuse the step itself"
            }
            Self::NotNull => {
                "old instances that write NULL, or do not know the column, are refused; the table is read or copied under \
                 a lock while the step runs"
            }
            Self::DroppedDefault => {
                "old instances that do not know the column insert rows without it, which the database refuses where it is \
                 NOT NULL"
            }
            Self::ColumnType => {
                "the table may be rewritten under a lock, and old instances read and write values of the old type"
            }
            Self::Unique => {
                "the step fails where values repeat, and old instances, which do not know of it, answer 500 for a value \
                 that is taken"
            }
            Self::ForeignKey | Self::Check => {
                "writes wait while all rows are checked, the step fails where one does not pass, and old instances, which \
                 do not know of it, answer 500 for what it refuses"
            }
            Self::BlockingIndex => "every write to the table waits until the index is built",
            Self::ConcurrentIndex => {
                "PostgreSQL refuses that in a transaction, in which all steps run: `migrate up` fails"
            }
            Self::SeveralStatements => {
                "MySQL and MariaDB commit each statement by itself: one that fails leaves the step half done, and it can be \
                 neither repeated nor reverted"
            }
        }
    }

    /// How the same is reached without that.
    pub(super) fn instead(self) -> &'static str {
        match self {
            Self::DroppedTable | Self::DroppedColumn => {
                "contract later: release code that neither reads nor writes it, and drop it in a release after that, with \
                 the reason in the step"
            }
            Self::RenamedTable | Self::RenamedColumn => {
                "expand: add the new name beside the old one and write to both; copy the rows; read the new one; drop the \
                 old one in a later release"
            }
            Self::RequiredColumn => {
                "expand: add it nullable or with a DEFAULT; write it, and fill the rows that lack it; make it NOT NULL in a \
                 later release"
            }
            Self::NotNull => {
                "make it NOT NULL when every running release writes it and every row has it, with the reason in the step"
            }
            Self::DroppedDefault => "drop it when every running release writes the column, with the reason in the step",
            Self::ColumnType => {
                "expand: add a column of the new type and write to both; copy the rows; read the new one; drop the old one \
                 in a later release. Where the server changes it in place (a longer VARCHAR), say so in the step"
            }
            Self::Unique => {
                "release code that knows what to answer, remove what repeats, and add it in a later release, with the reason \
                 in the step"
            }
            Self::ForeignKey | Self::Check => {
                "release code that obeys it, mend the rows that do not, and add it in a later release, with the reason in the \
                 step; on PostgreSQL as NOT VALID first, and VALIDATE in a step of its own"
            }
            Self::BlockingIndex | Self::ConcurrentIndex => {
                "before the rollout, execute CREATE INDEX CONCURRENTLY by hand; write CREATE INDEX IF NOT EXISTS in the \
                 step, which then finds it, with the reason"
            }
            Self::SeveralStatements => "make a step of each statement",
        }
    }
}
