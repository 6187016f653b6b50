//! Each rule on each engine, and what no rule may warn of.

mod upgrades;

use super::*;

/// What is found in SQL that is applied to a database with the tables `users` and `orders`.
fn found(sql: &str, engine: Engine) -> Vec<String> {
    let mut changes = Changes::new(engine);
    let findings = findings(sql, engine, &mut changes);
    findings.iter().map(Finding::what).collect()
}

/// Which engines warn of `expected`, and of nothing else.
fn warns(sql: &str, expected: &str, engines: &[Engine]) {
    for engine in Engine::ALL {
        let expected: &[&str] = if engines.contains(&engine) { &[expected] } else { &[] };
        assert_eq!(found(sql, engine), expected, "{engine}: {sql}");
    }
}

const EVERYWHERE: [Engine; 3] = Engine::ALL;

#[test]
fn what_is_dropped_is_warned_of_on_every_engine() {
    for sql in [
        "DROP TABLE users",
        "drop table if exists `users`",
        "DROP TABLE \"public\".\"users\" CASCADE",
    ] {
        warns(sql, "drops the table users", &EVERYWHERE);
    }
    for sql in [
        "ALTER TABLE users DROP COLUMN name",
        "ALTER TABLE `users` DROP `name`",
        "ALTER TABLE IF EXISTS ONLY \"users\" DROP COLUMN IF EXISTS \"name\" CASCADE",
        "ALTER TABLE users ADD COLUMN a INT, DROP COLUMN name, ADD COLUMN b DECIMAL(10, 2)",
    ] {
        warns(sql, "drops the column users.name", &EVERYWHERE);
    }
    assert_eq!(
        found("DROP TABLE users, orders", Engine::MySql),
        ["drops the table users", "drops the table orders"]
    );
}

#[test]
fn what_is_renamed_is_warned_of() {
    for sql in [
        "ALTER TABLE users RENAME TO people",
        "ALTER TABLE app.users RENAME AS people",
        "RENAME TABLE users TO people",
    ] {
        warns(sql, "renames the table users", &EVERYWHERE);
    }
    warns(
        "ALTER TABLE users SET SCHEMA archive",
        "renames the table users",
        &EVERYWHERE,
    );
    for sql in [
        "ALTER TABLE users RENAME COLUMN name TO full_name",
        "ALTER TABLE users RENAME name TO full_name",
    ] {
        warns(sql, "renames the column users.name", &EVERYWHERE);
    }
    assert_eq!(
        found(
            "ALTER TABLE users CHANGE COLUMN name full_name VARCHAR(100) NOT NULL",
            Engine::MySql
        ),
        [
            "renames the column users.name",
            "makes users.name NOT NULL",
            "changes or states again the type of users.name"
        ]
    );
}

#[test]
fn a_column_that_inserts_must_name_is_warned_of() {
    for sql in [
        "ALTER TABLE users ADD COLUMN age INT NOT NULL",
        "ALTER TABLE users ADD age INT NOT NULL DEFAULT NULL",
        "ALTER TABLE users ADD COLUMN IF NOT EXISTS `age` INT NOT NULL COMMENT 'DEFAULT 1'",
        "ALTER TABLE users ADD COLUMN (age INT NOT NULL, town VARCHAR(10))",
        "ALTER TABLE users ADD COLUMN age INT PRIMARY KEY",
    ] {
        warns(
            sql,
            "adds the column users.age, NOT NULL and without a DEFAULT",
            &EVERYWHERE,
        );
    }
}

#[test]
fn a_column_that_becomes_required_or_of_another_type_is_warned_of() {
    warns(
        "ALTER TABLE users ALTER COLUMN name SET NOT NULL",
        "makes users.name NOT NULL",
        &EVERYWHERE,
    );
    for sql in [
        "ALTER TABLE users ALTER name TYPE text USING name::text",
        "ALTER TABLE users ALTER COLUMN name SET DATA TYPE text",
        "ALTER TABLE users MODIFY name TEXT",
        "ALTER TABLE users MODIFY COLUMN name TEXT NULL",
        "ALTER TABLE users CHANGE name name TEXT",
    ] {
        warns(sql, "changes or states again the type of users.name", &EVERYWHERE);
    }
    warns(
        "ALTER TABLE users CONVERT TO CHARACTER SET utf8mb4",
        "changes or states again the type of users",
        &EVERYWHERE,
    );
    assert_eq!(
        found("ALTER TABLE users MODIFY name VARCHAR(10) NOT NULL", Engine::MySql),
        [
            "makes users.name NOT NULL",
            "changes or states again the type of users.name"
        ]
    );
}

#[test]
fn a_default_that_old_instances_rely_on_is_warned_of() {
    warns(
        "ALTER TABLE users ALTER COLUMN name DROP DEFAULT",
        "takes the DEFAULT of users.name away",
        &EVERYWHERE,
    );
    // Words of an expression, or of what happens to other rows, give no value.
    for sql in [
        "ALTER TABLE users ADD COLUMN age INT NOT NULL CHECK (CAST(age AS CHAR) <> '')",
        "ALTER TABLE users ADD COLUMN age INT NOT NULL CHECK (age <> DEFAULT(age))",
    ] {
        warns(
            sql,
            "adds the column users.age, NOT NULL and without a DEFAULT",
            &EVERYWHERE,
        );
    }
    // A type of MySQL, which is no ON DELETE SET DEFAULT.
    let of_type_set = "ALTER TABLE users ADD COLUMN flags SET('a','b') DEFAULT 'a' NOT NULL";
    assert!(found(of_type_set, Engine::MySql).is_empty());
    let of_reference = |default: &str| {
        let column = format!("owner_id BIGINT NOT NULL {default} REFERENCES owners (id) ON DELETE SET DEFAULT");
        found(&format!("ALTER TABLE users ADD COLUMN {column}"), Engine::Postgres)
    };
    assert_eq!(
        of_reference(""),
        [
            "adds the column users.owner_id, NOT NULL and without a DEFAULT",
            "adds a foreign key to users.owner_id"
        ]
    );
    assert_eq!(of_reference("DEFAULT 1"), ["adds a foreign key to users.owner_id"]);
}

#[test]
fn constraints_on_rows_that_exist_are_warned_of() {
    for sql in [
        "ALTER TABLE users ADD CONSTRAINT uq UNIQUE (name)",
        "ALTER TABLE users ADD UNIQUE KEY uq (name)",
        "ALTER TABLE users ADD PRIMARY KEY (name)",
    ] {
        warns(sql, "makes values of users unique", &EVERYWHERE);
    }
    warns(
        "ALTER TABLE users ADD COLUMN code INT DEFAULT 1 UNIQUE",
        "makes values of users.code unique",
        &EVERYWHERE,
    );
    for sql in [
        "ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users (id)",
        "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users (id)",
        "ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users NOT VALID",
    ] {
        warns(sql, "adds a foreign key to orders", &EVERYWHERE);
    }
    warns(
        "ALTER TABLE orders ADD COLUMN user_id BIGINT REFERENCES users (id)",
        "adds a foreign key to orders.user_id",
        &EVERYWHERE,
    );
    warns(
        "ALTER TABLE users ADD CONSTRAINT c CHECK (name <> '')",
        "adds a check to users",
        &EVERYWHERE,
    );
}

#[test]
fn an_index_is_warned_of_where_it_holds_up_writers() {
    for sql in [
        "CREATE INDEX ix ON users (name)",
        "CREATE INDEX IF NOT EXISTS \"ix\" ON ONLY public.users USING btree (name)",
    ] {
        warns(sql, "builds an index on users", &[Engine::Postgres]);
    }
    warns(
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON users (name)",
        "builds an index on users CONCURRENTLY",
        &[Engine::Postgres],
    );
    for engine in [Engine::Sqlite, Engine::MySql] {
        assert_eq!(
            found("CREATE UNIQUE INDEX uq ON users (name)", engine),
            ["makes values of users unique"]
        );
    }
    assert_eq!(
        found("CREATE UNIQUE INDEX uq ON users (name)", Engine::Postgres),
        ["makes values of users unique", "builds an index on users"]
    );
}

#[test]
fn a_second_statement_is_warned_of_and_examined() {
    for engine in Engine::ALL {
        assert_eq!(
            found("ALTER TABLE users ADD COLUMN a INT; DROP TABLE orders;", engine),
            ["holds more than one statement", "drops the table orders"],
            "{engine}"
        );
    }
}

#[test]
fn what_harms_nobody_is_not_warned_of() {
    for sql in [
        "ALTER TABLE users ADD COLUMN drop_date DATE",
        "ALTER TABLE users ADD COLUMN \"drop column\" INT NULL",
        "ALTER TABLE users ADD COLUMN `unique` INT",
        "ALTER TABLE users ADD COLUMN note TEXT DEFAULT 'DROP COLUMN name; NOT NULL'",
        "ALTER TABLE users ADD COLUMN note TEXT /* NOT NULL; DROP TABLE users */",
        "-- DROP TABLE users;\nALTER TABLE users ADD COLUMN note TEXT -- NOT NULL",
        "ALTER TABLE users ADD COLUMN age INT NOT NULL DEFAULT 0",
        "ALTER TABLE users ADD COLUMN age INT DEFAULT (1 + 1) NOT NULL",
        "ALTER TABLE users ADD COLUMN age INT NULL DEFAULT (CASE WHEN 1 IS NOT NULL THEN 1 END)",
        "ALTER TABLE users ADD COLUMN age INT GENERATED ALWAYS AS (1) STORED NOT NULL",
        "ALTER TABLE users ADD COLUMN number BIGSERIAL NOT NULL",
        "ALTER TABLE users ADD INDEX ix (name)",
        "ALTER TABLE users ADD CONSTRAINT uq UNIQUE USING INDEX uq",
        "ALTER TABLE users ALTER COLUMN name SET DEFAULT 'x'",
        "ALTER TABLE users ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE users DROP INDEX ix",
        "ALTER TABLE users DROP CONSTRAINT c, DROP FOREIGN KEY fk, DROP PRIMARY KEY",
        "ALTER TABLE users RENAME INDEX a TO b",
        "ALTER TABLE users RENAME CONSTRAINT a TO b",
        "ALTER TABLE users VALIDATE CONSTRAINT c",
        "ALTER TABLE users DROP PARTITION p0",
        "ALTER TABLE users ENGINE = InnoDB",
        "CREATE TABLE pets (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(10) NOT NULL UNIQUE, user_id BIGINT REFERENCES users)",
        "CREATE UNLOGGED TABLE IF NOT EXISTS pets (id BIGINT NOT NULL)",
        "CREATE FUNCTION f RETURNS TABLE users",
        "CREATE OR REPLACE VIEW v AS SELECT 1 AS index ON users",
        "DROP INDEX ix",
        "UPDATE users SET name = 'DROP TABLE users' WHERE name = ''",
        "",
        "ALTER",
        "ALTER TABLE",
        "DROP TABLE",
        "ALTER TABLE users RENAME INDEX",
    ] {
        if sql == "DROP TABLE" {
            // Nothing that an engine takes; it must only not stop the lint.
            found(sql, Engine::Sqlite);
            continue;
        }
        warns(sql, "", &[]);
    }
}
