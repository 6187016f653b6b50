//! Column types and collations.

use sea_orm::{
    DbBackend,
    sea_query::{ColumnDef, Expr, Table, TableCreateStatement},
};

use super::Engine;

/// A new table. MySQL's default character set depends on how the server was set up, so it is always named.
pub(crate) fn new_table(backend: DbBackend, name: &'static str) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name);
    match Engine::of_backend(backend) {
        Engine::MySql => table.character_set("utf8mb4").collate("utf8mb4_bin"),
        Engine::Sqlite | Engine::Postgres => &mut table,
    };
    table
}

// ANCHOR: string-column
/// A text column that is compared byte for byte, so that equality, order and uniqueness are the same on every engine.
pub(crate) fn string_column(backend: DbBackend, name: &'static str, max_chars: u32) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.not_null();
    match Engine::of_backend(backend) {
        // SQLite compares text byte for byte unless told otherwise.
        Engine::Sqlite => column.string_len(max_chars),
        Engine::MySql => column.custom(format!(
            "varchar({max_chars}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        )),
        Engine::Postgres => column.custom(format!("varchar({max_chars}) COLLATE \"C\"")),
    };
    column
}
// ANCHOR_END: string-column

// ANCHOR: timestamp-column
/// A column for a UTC time in microseconds.
///
/// The types carry no time zone: everything stored is UTC. A zoned type would cost more than it gives. The MySQL driver
/// sends zoned times as `TIMESTAMP`, of which MariaDB makes NULL from the year 2038 on, and SQLite would hold two spellings
/// of a time, the driver's and that of `CURRENT_TIMESTAMP`, which do not sort together.
pub(crate) fn timestamp_column(backend: DbBackend, name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.not_null();
    match Engine::of_backend(backend) {
        // SQLite keeps times as text, in which digits that end in zeros may be missing: text order is time order.
        Engine::Sqlite => column.custom("datetime_text"),
        Engine::MySql => column.custom("datetime(6)"),
        Engine::Postgres => column.custom("timestamp(6)"),
    };
    column
}
// ANCHOR_END: timestamp-column

/// A column for the UTC time at which something was written. The default serves rows inserted by hand; the program always
/// gives a value. On MySQL it is that of the session's time zone, by default that of the machine; the driver's sessions are in UTC.
/// TiDB takes no other default for a time.
pub(crate) fn written_at_column(backend: DbBackend, name: &'static str) -> ColumnDef {
    let mut column = timestamp_column(backend, name);
    match Engine::of_backend(backend) {
        Engine::Sqlite => column.default(Expr::cust("strftime('%Y-%m-%d %H:%M:%f', 'now')")),
        Engine::MySql => column.default(Expr::custom_keyword("CURRENT_TIMESTAMP(6)")),
        Engine::Postgres => column.default(Expr::cust("CURRENT_TIMESTAMP AT TIME ZONE 'UTC'")),
    };
    column
}

/// A column for bytes, up to 16 MiB.
pub(crate) fn bytes_column(backend: DbBackend, name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.not_null();
    match Engine::of_backend(backend) {
        Engine::Sqlite => column.blob(),
        // BLOB alone ends at 64 KiB.
        Engine::MySql => column.custom("mediumblob"),
        Engine::Postgres => column.custom("bytea"),
    };
    column
}
