//! Migrations: under concurrency, there and back again, and as a script.

use persistence::{
    Database, MigrationStatus, Migrations, UserRepository, mysql_script,
    test_db::{TestDatabase, TestEngine},
};

use crate::support::{EVERYBODY, at, insert, new_user};

pub(crate) async fn eight_processes_at_once_apply_each_step_once(db: TestDatabase) {
    let migrate = || async {
        let database = Database::open(&db.options().for_maintenance()).await.unwrap();
        let applied = Migrations::new(&database).up(None).await.unwrap();
        database.close().await.unwrap();
        applied
    };
    let applied = futures_util::future::join_all((0..8).map(|_| migrate())).await;
    assert_eq!(applied.concat(), steps(&db).await);
    let recorded = db
        .query(
            db.database().writer(),
            "SELECT version FROM seaql_migrations ORDER BY version",
        )
        .await;
    assert_eq!(recorded.concat(), steps(&db).await);
}

pub(crate) async fn up_down_up_leaves_the_same_schema(db: TestDatabase) {
    let migrations = Migrations::new(db.database());
    let all = migrations.up(None).await.unwrap();
    let schema = schema(&db).await;
    assert!(schema.len() > 6, "{schema:?}");
    assert_eq!(migrations.down(1).await.unwrap(), all[all.len() - 1..]);
    assert!(migrations.any_pending().await.unwrap());
    assert_eq!(migrations.down(u32::MAX).await.unwrap(), all[..all.len() - 1]);
    assert_eq!(migrations.up(Some(1)).await.unwrap(), all[..1]);
    assert_eq!(migrations.up(None).await.unwrap(), all[1..]);
    assert_eq!(self::schema(&db).await, schema);
    assert!(migrations.up(None).await.unwrap().is_empty());
}

pub(crate) async fn fresh_drops_everything_and_starts_again(db: TestDatabase) {
    let migrations = Migrations::new(db.database());
    migrations.up(None).await.unwrap();
    insert(&db, new_user("Ann", "ann@example.com")).await;
    db.execute("CREATE TABLE left_over (id INTEGER)").await;
    migrations.fresh().await.unwrap();
    assert_eq!(
        UserRepository::new(db.database().writer())
            .count(&EVERYBODY)
            .await
            .unwrap(),
        0
    );
    assert!(!schema(&db).await.iter().any(|line| line.contains("left_over")));
    assert!(!migrations.any_pending().await.unwrap());
}

pub(crate) async fn status_of_an_empty_database_reads_only(db: TestDatabase) {
    let status = Migrations::new(db.database()).status().await.unwrap();
    assert!(
        !status.is_empty() && status.iter().all(|step| !step.applied),
        "{status:?}"
    );
    assert!(schema(&db).await.is_empty());
}

/// The usual rollout: a new release migrates while instances of the old one still serve.
pub(crate) async fn a_step_of_a_newer_release_is_known_to_be_none_of_ours(db: TestDatabase) {
    let migrations = Migrations::new(db.database());
    migrations.up(None).await.unwrap();
    db.execute("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_newer', 1)")
        .await;
    assert!(!migrations.any_pending().await.unwrap());
    assert!(migrations.up(None).await.unwrap().is_empty());
    let status = migrations.status().await.unwrap();
    let newer = MigrationStatus {
        name: "m29991231_000001_newer".to_owned(),
        applied: true,
        known: false,
    };
    assert_eq!(status.last(), Some(&newer));
    assert!(migrations.down(1).await.is_err());
}

pub(crate) async fn entity_and_schema_agree(db: TestDatabase) {
    let columns: Vec<_> = columns(&db)
        .await
        .into_iter()
        .filter(|column| column[0] == "users")
        .map(|column| column[1].clone())
        .collect();
    assert_eq!(columns, ["id", "name", "email", "created_at", "updated_at", "version"]);
    // A row given nothing but its name and address by hand is a user: the defaults fit the entity.
    db.execute("INSERT INTO users (name, email) VALUES ('By hand', 'by-hand@example.com')")
        .await;
    let found = UserRepository::new(db.database().writer())
        .page(&EVERYBODY, 0, 10)
        .await
        .unwrap();
    assert_eq!((found.len(), found[0].version), (1, 1));
    let age = domain::Timestamp::now().unix_micros() - found[0].created_at.unix_micros();
    assert!((0..60_000_000).contains(&age.abs()), "{age} microseconds old");
    // And it sorts among the rows of the program by its time.
    let users = UserRepository::new(db.database().writer());
    users
        .insert(new_user("Earlier", "earlier@example.com"), at(0))
        .await
        .unwrap();
    users
        .insert(
            new_user("Later", "later@example.com"),
            domain::Timestamp::from_unix_micros(4_102_444_800_000_000).unwrap(),
        )
        .await
        .unwrap();
    let names = users
        .page(&EVERYBODY, 0, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|user| user.name.into_string());
    assert_eq!(names.collect::<Vec<_>>(), ["Later", "By hand", "Earlier"]);
}

/// `init.sql` is the script, which a check of its own proves.
pub(crate) async fn the_script_makes_the_same_schema_as_the_migrations(db: TestDatabase) {
    if !matches!(db.engine(), TestEngine::MySql | TestEngine::MariaDb) {
        // The script is for MySQL and MariaDB; elsewhere the migrations are the only way.
        assert!(mysql_script().contains("utf8mb4_bin"));
        return;
    }
    Migrations::new(db.database()).up(None).await.unwrap();
    let (migrated, steps) = (schema(&db).await, steps(&db).await);
    for table in ["users", "idempotency_keys", "replication_beats", "seaql_migrations"] {
        db.execute(&format!("DROP TABLE {table}")).await;
    }
    db.execute(&mysql_script()).await;
    assert_eq!(schema(&db).await, migrated);
    assert_eq!(self::steps(&db).await, steps);
    assert!(!Migrations::new(db.database()).any_pending().await.unwrap());
    let mut users = UserRepository::new(db.database().writer())
        .page(&EVERYBODY, 0, 10)
        .await
        .unwrap();
    users.sort_by_key(|user| user.id);
    let emails: Vec<_> = users.iter().map(|user| user.email.as_str()).collect();
    assert_eq!(emails, ["alice@example.com", "bob@example.com", "charlie@example.com"]);
}

async fn steps(db: &TestDatabase) -> Vec<String> {
    let status = Migrations::new(db.database()).status().await.unwrap();
    assert!(
        status.iter().all(|MigrationStatus { applied, .. }| *applied),
        "{status:?}"
    );
    status.into_iter().map(|step| step.name).collect()
}

/// Everything the engine knows of tables, columns, collations and indexes, a line each.
async fn schema(db: &TestDatabase) -> Vec<String> {
    let indexes = match db.engine() {
        TestEngine::Sqlite => {
            "SELECT tbl_name, name, COALESCE(sql, '') FROM sqlite_master WHERE tbl_name NOT LIKE 'sqlite_%' ORDER BY 1, 2"
        }
        TestEngine::MySql | TestEngine::MariaDb => {
            "SELECT CAST(table_name AS CHAR), CAST(index_name AS CHAR), CAST(CONCAT_WS(' ', column_name, seq_in_index, non_unique) AS CHAR) \
             FROM information_schema.statistics WHERE table_schema = DATABASE() ORDER BY 1, 2, seq_in_index"
        }
        TestEngine::Postgres => {
            "SELECT CAST(tablename AS TEXT), CAST(indexname AS TEXT), indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
        }
    };
    let mut lines = columns(db).await;
    lines.extend(db.query(db.database().writer(), indexes).await);
    lines.into_iter().map(|line| line.join(" | ")).collect()
}

async fn columns(db: &TestDatabase) -> Vec<Vec<String>> {
    let sql = match db.engine() {
        TestEngine::Sqlite => {
            "SELECT m.name, c.name, c.type, CAST(c.\"notnull\" AS TEXT), COALESCE(c.dflt_value, '') \
             FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid"
        }
        TestEngine::MySql | TestEngine::MariaDb => {
            "SELECT CAST(c.table_name AS CHAR), CAST(c.column_name AS CHAR), CAST(c.column_type AS CHAR), CAST(c.is_nullable AS CHAR), \
             CAST(COALESCE(c.column_default, '') AS CHAR), CAST(COALESCE(c.collation_name, '') AS CHAR), CAST(c.extra AS CHAR), \
             CAST(t.table_collation AS CHAR), CAST(t.engine AS CHAR) \
             FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name) \
             WHERE c.table_schema = DATABASE() ORDER BY c.table_name, c.ordinal_position"
        }
        TestEngine::Postgres => {
            "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT), CAST(data_type AS TEXT), CAST(is_nullable AS TEXT), \
             CAST(COALESCE(column_default, '') AS TEXT), CAST(COALESCE(collation_name, '') AS TEXT), CAST(COALESCE(character_maximum_length, 0) AS TEXT) \
             FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
        }
    };
    db.query(db.database().writer(), sql).await
}
