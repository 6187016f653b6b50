//! Where values come from, which of them wins, and what happens to names that nobody knows.

use super::{Scene, assert_contains, effective, with};

#[test]
fn each_layer_wins_over_the_one_below_and_is_named_as_the_source() {
    let scene = Scene::new();
    let check = |scene: &Scene, port: u16, source: &str| {
        let loaded = scene.accepted();
        assert_eq!(loaded.config.http.port, port);
        assert_eq!(effective(&loaded, "PORT"), (port.to_string(), source.to_owned()));
    };
    check(&scene, 8000, "default");
    let scene = scene.toml("port = 8001");
    check(&scene, 8001, "async-starter.toml");
    let scene = scene.dotenv("PORT=8002");
    check(&scene, 8002, ".env");
    let scene = scene.environment("PORT", "8003");
    check(&scene, 8003, "environment");
    let scene = scene.flag("PORT", "8004");
    check(&scene, 8004, "command line");
}

#[test]
fn three_mistakes_in_three_layers_are_reported_in_one_message() {
    let error = Scene::new()
        .toml("body_limit = \"huge\"")
        .dotenv("WORKERS=0")
        .environment("PORT", "70000")
        .refused();
    assert_eq!(error.problems.len(), 3);
    let text = error.to_string();
    assert_contains(
        &text,
        "PORT (environment): given `70000`; accepted: a whole number from 0 to 65535",
    );
    assert_contains(
        &text,
        "WORKERS (.env): given `0`; accepted: a whole number from 1 to 512",
    );
    assert_contains(&text, "BODY_LIMIT (async-starter.toml): given `huge`; accepted: bytes");
    assert_contains(&text, "3 problems");
}

#[test]
fn problems_of_a_layer_and_of_a_value_come_together() {
    let text = Scene::new()
        .flag("PROT", "1")
        .environment("LOG_FORMAT", "xml")
        .refused_text();
    assert_contains(&text, "PROT (command line)");
    assert_contains(&text, "LOG_FORMAT (environment)");
}

#[test]
fn a_mistyped_name_is_refused_with_the_name_that_was_meant() {
    let advice = "DB_POOL_MAXSIZE (SOURCE): unknown variable; did you mean `DB_POOL_MAX_SIZE`?";
    let in_file = Scene::new().toml("db_pool_maxsize = 5").refused_text();
    assert_contains(&in_file, &advice.replace("SOURCE", "async-starter.toml"));
    let in_dotenv = Scene::new().dotenv("DB_POOL_MAXSIZE=5").refused_text();
    assert_contains(&in_dotenv, &advice.replace("SOURCE", ".env"));
    let in_flags = Scene::new().flag("DB_POOL_MAXSIZE", "5").refused_text();
    assert_contains(&in_flags, &advice.replace("SOURCE", "command line"));
}

#[test]
fn a_name_unlike_any_other_is_refused_without_a_guess() {
    let text = Scene::new().toml("zzzzzz = 1").refused_text();
    assert_contains(&text, "ZZZZZZ (async-starter.toml): unknown variable");
    assert!(!text.contains("did you mean"), "{text}");
}

#[test]
fn an_unknown_name_of_our_families_in_the_process_environment_is_only_a_warning() {
    let loaded = with("DB_SERVICE_HOST", "10.0.0.1").accepted();
    let [warning] = loaded.warnings.as_slice() else {
        panic!("{:?}", loaded.warnings)
    };
    assert_contains(warning, "DB_SERVICE_HOST (environment): unknown variable");
}

#[test]
fn a_mistyped_name_outside_our_families_is_a_warning() {
    for scene in [
        with("ENVIRONEMNT", "production"),
        Scene::new().dotenv("ENVIRONEMNT=production"),
    ] {
        let loaded = scene.accepted();
        let [warning] = loaded.warnings.as_slice() else {
            panic!("{:?}", loaded.warnings)
        };
        assert_contains(warning, "did you mean `ENVIRONMENT`?");
    }
}

#[test]
fn variables_of_other_programs_are_left_alone() {
    let mut scene = Scene::new().dotenv("MYSQL_PORT=3307\nAPP_PORT=80\nMAX_MEMORY=1\nCLIENT_ID=7\nPORTAL=x\n");
    for name in [
        "PATH",
        "HOSTNAME",
        "PORTAL",
        "HOME",
        "OTEL_SERVICE_NAME",
        "DBUS_SESSION_BUS_ADDRESS",
        "LOGNAME",
    ] {
        scene = scene.environment(name, "anything");
    }
    assert_eq!(scene.accepted().warnings, Vec::<String>::new());
}

#[test]
fn what_kubernetes_says_about_a_service_called_db_does_not_select_mysql() {
    let loaded = with("DB_PORT", "tcp://10.0.0.1:3306").accepted();
    assert_contains(&effective(&loaded, "DATABASE_URL").0, "sqlite:");
    assert_contains(&loaded.warnings.concat(), "DB_PORT (environment)");
}

#[test]
fn the_settings_file_takes_names_in_any_case_and_values_of_any_kind() {
    let config = Scene::new()
        .toml("PORT = 9000\ndb_statement_timeout = 0.5\nApi_Docs = false\nlog_level = \"DEBUG\"\nkeep_alive = 3.0")
        .config();
    assert_eq!(config.http.port, 9000);
    assert_eq!(config.database.statement_timeout.unwrap().as_millis(), 500);
    assert!(!config.api.docs);
    assert_eq!(config.log.filter, "debug");
    assert_eq!(config.http.keep_alive.as_secs(), 3);
}

#[test]
fn a_list_in_the_settings_file_becomes_comma_separated() {
    let loaded = Scene::new()
        .toml("cors_origins = [\"https://a.example\", \"https://b.example\"]")
        .accepted();
    assert_eq!(
        effective(&loaded, "CORS_ORIGINS").0,
        "https://a.example,https://b.example"
    );
}

#[test]
fn the_settings_file_has_no_sections_and_no_name_twice() {
    assert_contains(
        &Scene::new().toml("[database]\nport = 1").refused_text(),
        "the file has no sections",
    );
    assert_contains(&Scene::new().toml("port = 1\nPORT = 2").refused_text(), "given twice");
}

#[test]
fn a_settings_file_that_is_asked_for_must_exist_and_replaces_the_usual_one() {
    let mut scene = Scene::new().toml("port = 1").file("other.toml", "port = 2");
    scene.sources.config_file = Some("other.toml".into());
    assert_eq!(
        effective(&scene.accepted(), "PORT"),
        ("2".to_owned(), "other.toml".to_owned())
    );
    scene.sources.config_file = Some("missing.toml".into());
    assert_contains(&scene.refused_text(), "missing.toml: cannot be read");
}

#[test]
fn dotenv_is_not_read_where_it_is_not_wanted() {
    let mut scene = Scene::new().dotenv("PORT=9999\nDB_NONSENSE=1");
    scene.sources.read_dotenv = false;
    assert_eq!(scene.config().http.port, 8000);
}

#[test]
fn dotenv_takes_comments_quotes_a_byte_order_mark_and_a_repeated_name() {
    let loaded = Scene::new()
        .dotenv("\u{feff}PORT=9000 # why\nexport API_TITLE='My \"API\"'\r\nPORT=9001\n# HOST=1.2.3.4\nKEEP_ALIVE=1 ")
        .accepted();
    assert_eq!(loaded.config.http.port, 9001);
    assert_eq!(loaded.config.api.title, "My \"API\"");
    assert_eq!(loaded.config.http.host, "127.0.0.1");
    assert_contains(&loaded.warnings.concat(), "PORT (.env): given twice");
}

#[test]
fn dotenv_leaves_the_environment_of_the_process_alone() {
    let _ = Scene::new().dotenv("ASYNC_STARTER_TEST_MARK=1").accepted();
    assert!(std::env::vars().all(|(name, _)| name != "ASYNC_STARTER_TEST_MARK"));
}

#[test]
fn defaults_that_depend_on_the_environment_follow_the_last_layer_that_sets_it() {
    let development = Scene::new()
        .dotenv("ENVIRONMENT=staging")
        .environment("ENVIRONMENT", "development")
        .config();
    assert_eq!(development.http.shutdown_drain.as_secs(), 0);
    assert!(development.api.docs && development.database.auto_migrate);
    let staging = Scene::new().flag("ENVIRONMENT", "staging").config();
    assert_eq!(staging.http.shutdown_drain.as_secs(), 5);
    assert!(staging.api.docs && !staging.database.auto_migrate);
    let production = with("ENVIRONMENT", "Production")
        .environment("AUTH_MODE", "none")
        .config();
    assert!(!production.api.docs && !production.database.auto_migrate);
    let asked_for = with("ENVIRONMENT", "staging")
        .dotenv("API_DOCS=off\nSHUTDOWN_DRAIN=1")
        .config();
    assert!(!asked_for.api.docs);
    assert_eq!(asked_for.http.shutdown_drain.as_secs(), 1);
}

#[test]
fn an_unknown_environment_is_refused_and_hides_no_other_problem() {
    let text = with("ENVIRONMENT", "prod").environment("PORT", "x").refused_text();
    assert_contains(
        &text,
        "ENVIRONMENT (environment): given `prod`; accepted: `development`, `staging` or `production`",
    );
    assert_contains(&text, "PORT (environment)");
}
