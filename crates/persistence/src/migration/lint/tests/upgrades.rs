//! Steps of several releases, what they accept, and our own.

use sea_orm::{
    DbBackend,
    sea_query::{Expr, Table},
};

use super::super::{super::STEPS, *};
use crate::engine::timestamp_column;

fn step(name: &'static str, release: &'static str, up: fn(DbBackend) -> String) -> Step {
    Step {
        name,
        release,
        up,
        down: |_| String::new(),
        accepted: None,
    }
}

const CREATE_PETS: fn(DbBackend) -> String = |_| "CREATE TABLE pets (id BIGINT NOT NULL, name TEXT)".to_owned();
const INDEX_PETS: fn(DbBackend) -> String = |_| "CREATE UNIQUE INDEX ix_pets ON pets (name)".to_owned();
const DROP_NAME: fn(DbBackend) -> String = |_| "ALTER TABLE pets DROP COLUMN name".to_owned();

#[test]
fn a_table_that_the_same_upgrade_creates_is_nobodys_yet() {
    let steps = [
        step("create", "1.0.0", CREATE_PETS),
        step("index", "1.0.0", INDEX_PETS),
        step("rename", "1.0.0", |_| "ALTER TABLE pets RENAME TO animals".to_owned()),
        step("drop", "1.0.0", |_| "ALTER TABLE animals DROP COLUMN name".to_owned()),
    ];
    assert_eq!(examine(&steps, &Engine::ALL).warnings, []);
    assert_eq!(examine_releases(&steps).warnings, []);
    // A later release finds it in use.
    let mut later = steps;
    for step in &mut later[1..] {
        step.release = "1.1.0";
    }
    let lint = examine_releases(&later);
    let warned: Vec<_> = lint
        .warnings
        .iter()
        .map(|warning| (warning.step, warning.what.as_str()))
        .collect();
    assert_eq!(
        warned,
        [
            ("index", "makes values of pets unique"),
            ("index", "builds an index on pets"),
            ("rename", "renames the table pets"),
            ("drop", "drops the column animals.name"),
        ]
    );
    assert_eq!(lint.warnings[0].engines, Engine::ALL);
    assert_eq!(lint.warnings[1].engines, [Engine::Postgres]);
    assert_eq!(lint.warnings[1].statement, "CREATE UNIQUE INDEX ix_pets ON pets (name)");
    assert_eq!(lint.steps, 4);
}

#[test]
fn a_contract_is_accepted_once_its_expand_has_been_rolled_out() {
    let expand = step("expand", "1.1.0", |_| {
        "ALTER TABLE pets ADD COLUMN title TEXT".to_owned()
    });
    let mut contract = step("contract", "1.3.0", DROP_NAME);
    assert!(examine_releases(&[expand, contract]).has_warnings());
    contract.accepted = Some(Acceptance {
        because: "title has taken its place since 1.2.0",
        after: Some("expand"),
    });
    let verdicts = |lint: &MigrationLint| lint.warnings.iter().map(|warning| warning.verdict).collect::<Vec<_>>();
    for lint in [
        examine_releases(&[expand, contract]),
        examine(&[contract], &[Engine::MySql]),
    ] {
        assert_eq!(
            verdicts(&lint),
            [LintVerdict::Accepted("title has taken its place since 1.2.0")]
        );
        assert!(!lint.has_warnings());
    }
    // An upgrade that skips the releases between applies both at once, under instances that know the old name only.
    let skipped = examine(&[expand, contract], &[Engine::MySql]);
    assert_eq!(verdicts(&skipped), [LintVerdict::TooEarly { after: "expand" }]);
    assert!(skipped.has_warnings());
}

/// The steps that `docs/en/operating.md` tells the story of.
#[test]
fn the_worked_example_of_the_guide_is_judged_as_the_guide_says() {
    let add: fn(DbBackend) -> String = |backend| {
        let mut column = timestamp_column(backend, "changed_at");
        column.default(Expr::cust("'1970-01-01 00:00:00'"));
        backend
            .build(Table::alter().table("users").add_column(column))
            .to_string()
    };
    let fill: fn(DbBackend) -> String =
        |_| "UPDATE users SET changed_at = updated_at WHERE changed_at <> updated_at".to_owned();
    let drop: fn(DbBackend) -> String = |backend| {
        backend
            .build(Table::alter().table("users").drop_column("updated_at"))
            .to_string()
    };
    let expand = step("m20270110_000006_add_changed_at", "0.2.0", add);
    let migrate = step("m20270301_000007_fill_changed_at", "0.3.0", fill);
    let mut contract = step("m20270601_000008_drop_updated_at", "0.5.0", drop);
    let steps = [STEPS.as_slice(), &[expand, migrate, contract]].concat();
    let lint = examine_releases(&steps);
    assert_eq!(lint.warnings.len(), 1, "{lint:#?}");
    assert_eq!(lint.warnings[0].what, "drops the column users.updated_at");
    assert_eq!(lint.warnings[0].engines, Engine::ALL);
    contract.accepted = Some(Acceptance {
        because: "no release since 0.4.0 reads or writes it",
        after: Some(expand.name),
    });
    let steps = [STEPS.as_slice(), &[expand, migrate, contract]].concat();
    assert!(!examine_releases(&steps).has_warnings());
    let at_once = examine(&[expand, migrate, contract], &[Engine::Postgres]);
    assert!(at_once.has_warnings(), "{at_once:#?}");
    for text in [
        at_once.warnings[0].meanwhile,
        at_once.warnings[0].instead,
        at_once.warnings[0].statement.as_str(),
    ] {
        let guide = include_str!("../../../../../../docs/en/operating.md");
        assert!(guide.contains(text), "the guide does not have: {text}");
    }
}

#[test]
fn a_long_statement_is_cut_off_between_characters() {
    assert_eq!(excerpt("ALTER  TABLE\n  users"), "ALTER TABLE users");
    let long = excerpt(&"é".repeat(300));
    assert_eq!(long.chars().count(), EXCERPT_CHARS + 1);
}

#[test]
fn our_steps_break_no_rolling_upgrade() {
    let lint = examine_releases(&STEPS);
    assert_eq!(lint.steps, STEPS.len());
    let is_accepted = |warning: &&MigrationWarning| !matches!(warning.verdict, LintVerdict::Accepted(_));
    let warned: Vec<_> = lint.warnings.iter().filter(is_accepted).collect();
    assert!(
        warned.is_empty(),
        "`cargo xtask migrate lint` explains them: {warned:#?}"
    );
}

#[test]
fn our_steps_say_since_when_and_after_what() {
    let release = |text: &str| -> Vec<u64> { text.split('.').map(|part| part.parse().unwrap()).collect() };
    assert!(
        STEPS.is_sorted_by(|one, next| one.name < next.name && release(one.release) <= release(next.release)),
        "steps are in the order of their names and releases"
    );
    for (index, step) in STEPS.iter().enumerate() {
        let Some(Acceptance { because, after }) = step.accepted else {
            continue;
        };
        assert!(!because.is_empty(), "{}: no reason", step.name);
        if let Some(after) = after {
            assert!(
                STEPS[..index].iter().any(|earlier| earlier.name == after),
                "{}: no step {after}",
                step.name
            );
        }
    }
}
