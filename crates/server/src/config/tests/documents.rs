//! The table of variables and what is derived from it: `.env.example`, the reference, the output of `config`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use api::CrossOrigin;

use super::{Scene, assert_contains, effective};
use crate::config::table::VARIABLES;
use crate::config::variable::{DefaultValue, find};
use crate::config::{Environment, reference_table};

const EXAMPLE: &str = include_str!("../../../../../.env.example");

/// All that follows the introduction of `.env.example`, as the table has it.
fn expected_example() -> String {
    let mut text = String::new();
    let mut group = "";
    for variable in VARIABLES {
        if variable.group != group {
            group = variable.group;
            write!(text, "\n# ===== {group} =====\n").unwrap();
        }
        let when = match variable.default {
            DefaultValue::Fixed(_) => String::new(),
            _ => format!("; default: {}", variable.default.described()),
        };
        let default = variable.default.text(Environment::Development);
        let quote = if default.contains(' ') { "'" } else { "" };
        let (name, meaning) = (variable.name, variable.meaning);
        write!(text, "\n# {meaning}{when}\n# {name}={quote}{default}{quote}\n").unwrap();
    }
    text
}

/// The lines of `.env.example` that set a variable once their `# ` is taken away.
fn assignments() -> Vec<&'static str> {
    EXAMPLE
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.split_once('=').is_some_and(|(name, _)| find(name).is_some()))
        .collect()
}

#[test]
fn the_example_file_says_what_the_table_says() {
    let expected = expected_example();
    assert!(
        EXAMPLE.ends_with(&expected),
        "`.env.example` must end with:\n{expected}"
    );
}

#[test]
fn the_example_file_has_each_variable_once_and_sets_none() {
    let active = dotenvy::from_read_iter(EXAMPLE.as_bytes()).count();
    assert_eq!(active, 0, "an assignment is not commented out");
    let named: Vec<&str> = assignments()
        .iter()
        .map(|line| line.split_once('=').unwrap().0)
        .collect();
    let known: Vec<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
    assert_eq!(named, known);
}

#[test]
fn a_copy_of_the_example_file_changes_nothing_commented_or_not() {
    let rows = |scene: &Scene| -> Vec<(&str, String)> {
        scene
            .accepted()
            .effective
            .into_iter()
            .map(|row| (row.name, row.value))
            .collect()
    };
    let without = rows(&Scene::new());
    let commented = Scene::new().dotenv(EXAMPLE);
    assert_eq!(rows(&commented), without);
    let uncommented = Scene::new().dotenv(&assignments().join("\n"));
    assert_eq!(rows(&uncommented), without);
    assert_eq!(uncommented.accepted().warnings, Vec::<String>::new());
    assert_eq!(effective(&uncommented.accepted(), "PORT").1, ".env");
}

#[test]
fn the_table_names_each_variable_once_and_groups_are_not_torn_apart() {
    let names: BTreeSet<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
    assert_eq!(names.len(), VARIABLES.len());
    let mut groups: Vec<&str> = VARIABLES.iter().map(|variable| variable.group).collect();
    groups.dedup();
    assert_eq!(groups.len(), groups.iter().collect::<BTreeSet<_>>().len());
}

#[test]
fn the_reference_has_a_row_for_each_variable_and_every_row_has_three_cells() {
    let reference = reference_table();
    for variable in VARIABLES {
        let start = format!("| `{}` | ", variable.name);
        let row = reference.lines().find(|line| line.starts_with(&start)).unwrap();
        assert_eq!(row.matches('|').count(), 4, "{row}");
        assert_contains(row, variable.meaning);
    }
    assert_contains(&reference, "| `SHUTDOWN_DRAIN` | `0` in development, else `5` |");
    assert_contains(&reference, "| `API_DOCS` | `false` in production, else `true` |");
    assert_contains(&reference, "| `WORKERS` | number of CPUs |");
    assert_contains(&reference, "| `SECRET_KEY` | unset |");
    assert_contains(&reference, "| `CONSOLE` | `true` in development, else `false` |");
}

#[test]
fn every_default_is_accepted_in_every_environment() {
    for environment in ["development", "staging", "production"] {
        Scene::new()
            .environment("ENVIRONMENT", environment)
            .environment("AUTH_MODE", "none")
            .config();
    }
}

#[test]
fn the_table_and_the_json_of_config_have_every_variable() {
    let loaded = Scene::new().dotenv("PORT=9000\nDEBUG=true").accepted();
    let (table, json) = (loaded.to_table(), loaded.to_json());
    assert_eq!(table.lines().count(), VARIABLES.len() + 1);
    assert_eq!(json["variables"].as_object().unwrap().len(), VARIABLES.len());
    assert_eq!(json["variables"]["PORT"]["value"], "9000");
    assert_eq!(json["variables"]["PORT"]["source"], ".env");
    assert_eq!(json["warnings"].as_array().unwrap().len(), 1);
    let row = table.lines().find(|line| line.starts_with("PORT ")).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["PORT", "9000", ".env"]);
}

#[test]
fn the_settings_file_of_the_original_works_with_warnings_only() {
    let loaded = Scene::new()
        .dotenv(
            r#"
ENVIRONMENT=development
DEBUG=True
SECRET_KEY="a-secret-key-for-development-only"
LOG_LEVEL=INFO
API_TITLE="User API"
CORS_ORIGINS=["http://localhost:3000","http://localhost:8080"]
PORT=8000
WORKERS=4
DB_HOST=localhost
DB_PORT=3306
DB_USER=testuser
DB_PASSWORD=testpass
DB_NAME=testdb
DB_POOL_MIN_SIZE=5
DB_POOL_MAX_SIZE=20
DB_POOL_RECYCLE=3600
DB_POOL_TIMEOUT=30
DB_MAX_OVERFLOW=10
"#,
        )
        .accepted();
    assert_eq!(loaded.config.http.workers, 4);
    assert_eq!(loaded.config.log.filter, "info");
    assert_eq!(loaded.config.api.title, "User API");
    let pages = ["http://localhost:3000", "http://localhost:8080"].map(str::to_owned);
    assert_eq!(loaded.config.api.cross_origin, CrossOrigin::Origins(pages.to_vec()));
    assert_eq!(loaded.config.database.acquire_timeout.as_secs(), 30);
    assert_eq!(
        effective(&loaded, "DATABASE_URL").0,
        "mysql://testuser:[redacted]@localhost:3306/testdb"
    );
    let warned: Vec<&str> = loaded
        .warnings
        .iter()
        .map(|warning| warning.split_once(' ').unwrap().0)
        .collect();
    assert_eq!(warned, ["DEBUG", "DB_MAX_OVERFLOW"]);
}
