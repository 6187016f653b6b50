//! Secrets arrive as typed, from each layer and from files, and are shown nowhere.

use secrecy::ExposeSecret;

use super::{Scene, assert_contains, assert_hides, effective, with};
use crate::config::reference_table;

const KEY: &str = "a-key-of-exactly-32-bytes-length";
const AWKWARD: [&str; 10] = [
    "0123",
    "true",
    "[x]",
    "{a=1}",
    "1.50",
    "-1",
    "  sp  ",
    "pa$$word$HOME${HOME}",
    "p@:/?#%41[]\\&=+ä",
    "\"quoted\"",
];

/// What a driver makes of the user part of an address.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[track_caller]
fn password_in_effect(scene: &Scene) -> String {
    let config = scene.config();
    let url = url::Url::parse(config.database.url.expose_secret()).unwrap();
    assert_eq!(url.host_str(), Some("127.0.0.1"));
    decoded(url.password().unwrap())
}

#[test]
fn a_password_arrives_as_typed_from_each_layer() {
    for password in AWKWARD {
        assert_eq!(
            password_in_effect(&with("DB_PASSWORD", password)),
            password,
            "environment"
        );
        assert_eq!(
            password_in_effect(&Scene::new().flag("DB_PASSWORD", password)),
            password,
            "flag"
        );
        let dotenv = format!("DB_PASSWORD='{password}'");
        assert_eq!(password_in_effect(&Scene::new().dotenv(&dotenv)), password, ".env");
        let toml = format!("db_password = '{password}'");
        assert_eq!(password_in_effect(&Scene::new().toml(&toml)), password, "settings file");
        let file = Scene::new()
            .file("password", password)
            .environment("DB_PASSWORD_FILE", "password");
        assert_eq!(password_in_effect(&file), password, "file");
    }
}

#[test]
fn a_password_in_dotenv_keeps_its_dollar_signs_without_quotes() {
    for password in ["pa$$word", "$HOME", "a${HOME}b", "end$"] {
        let scene = Scene::new().dotenv(&format!("DB_PASSWORD={password}"));
        assert_eq!(password_in_effect(&scene), password);
    }
    let warnings = Scene::new()
        .dotenv("DB_PASSWORD=a${HOME}b")
        .accepted()
        .warnings
        .concat();
    assert_contains(&warnings, "DB_PASSWORD (.env): `${…}` is not replaced");
}

#[test]
fn secrets_are_in_no_form_of_an_accepted_configuration() {
    let password = "hunter2-hunter2";
    for scene in [
        with("DB_PASSWORD", password),
        with("DATABASE_URL", &format!("mysql://app:{password}@db/app")),
        with("DATABASE_URL", &format!("postgres://app@db/app?password={password}")),
        Scene::new().file("p", password).environment("DB_PASSWORD_FILE", "p"),
        Scene::new().dotenv(&format!(
            "DATABASE_URL=mysql://app:{password}@db/app\nDB_PASSWORD={password}"
        )),
    ] {
        let scene = scene.environment("SECRET_KEY", KEY);
        let loaded = scene.accepted();
        let (table, json) = (loaded.to_table(), loaded.to_json());
        for secret in [password, KEY] {
            assert_hides(
                secret,
                &[&loaded, &scene.sources, &table, &json.to_string(), &loaded.warnings],
            );
        }
        assert_contains(&table, "[redacted]");
        assert_eq!(json["variables"]["SECRET_KEY"]["value"], "[redacted]");
        assert_eq!(json["variables"]["SECRET_KEY"]["source"], "environment");
    }
}

#[test]
fn secrets_are_in_no_form_of_a_refused_configuration() {
    let secret = "hunter2";
    let scenes = [
        with("SECRET_KEY", secret),
        with("DATABASE_URL", &format!("mysqll://app:{secret}@db/app")),
        with("DATABASE_URL", &format!("mysql://app:{secret}@db:port/app")),
        with("DATABASE_URL", &format!("mysql://app:12/{secret}@db/app")),
        with("DATABASE_URL", &format!("mysql://app:a#{secret}@db/app")),
        with("DATABASE_URL", &format!("postgres://app:1?{secret}@db/app")),
        with("DATABASE_URL", secret),
        with("DATABASE_REPLICA_URLS", &format!("mysql://app:{secret}@db/app")),
        with("RATE_LIMIT_STORE", &format!("redis://:a/{secret}@cache")),
        Scene::new().file("key", secret).environment("SECRET_KEY_FILE", "key"),
        Scene::new().dotenv(&format!("DB_PASSWORD={secret} and more")),
        Scene::new().dotenv(&format!("DB_PASSWORD='{secret}")),
        Scene::new().dotenv(secret),
        Scene::new().toml(&format!("db_password = \"{secret}")),
        Scene::new().toml(&format!("db_password = {secret}")),
        Scene::new().toml(&format!("secret_key = [[{{ a = \"{secret}\" }}]]")),
        Scene::new()
            .environment("DB_PASSWORD", secret)
            .environment("DB_PASSWORD_FILE", "somewhere"),
        Scene::new()
            .environment("DB_PASSWORD", secret)
            .environment("DB_PORT", "x"),
    ];
    for scene in scenes {
        let error = scene.refused();
        assert_hides(secret, &[&error, &error.to_string(), &scene.sources]);
    }
}

#[test]
fn a_password_in_the_address_of_a_collector_is_hidden() {
    let loaded = with("OTEL_EXPORTER_OTLP_ENDPOINT", "https://app:hunter2@traces").accepted();
    let shown = loaded.to_table() + &loaded.to_json().to_string() + &loaded.warnings.join(" ");
    assert!(shown.contains("@traces") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn the_effective_database_address_shows_all_but_the_password() {
    let show = |url: &str| effective(&with("DATABASE_URL", url).accepted(), "DATABASE_URL").0;
    assert_eq!(
        show("mariadb://app:pw@db:3307/app?charset=utf8mb4"),
        "mysql://app:[redacted]@db:3307/app?charset=utf8mb4"
    );
    assert_eq!(show("postgresql://app@db/app"), "postgres://app@db/app");
    assert_eq!(show("sqlite::memory:"), "sqlite::memory:");
    let parts = with("DB_PASSWORD", "pw").environment("DB_HOST", "db").accepted();
    assert_eq!(
        effective(&parts, "DATABASE_URL"),
        (
            "mysql://async_starter:[redacted]@db:3306/async_starter".to_owned(),
            "from DB_HOST, DB_PASSWORD".to_owned()
        )
    );
}

#[test]
fn a_secret_file_loses_one_line_end_and_nothing_else() {
    for (content, secret) in [
        ("pw\n", "pw"),
        ("pw\r\n", "pw"),
        ("pw\n\n", "pw\n"),
        (" pw \n", " pw "),
        ("pw", "pw"),
    ] {
        let scene = Scene::new()
            .file("secret", content)
            .environment("DB_PASSWORD_FILE", "secret");
        assert_eq!(password_in_effect(&scene), secret);
    }
}

#[test]
fn each_secret_can_come_from_a_file_and_says_so() {
    let loaded = Scene::new()
        .file("key", &format!("{KEY}\n"))
        .file("url", "mysql://app:pw@db/app\n")
        .dotenv("SECRET_KEY_FILE=key\nDATABASE_URL_FILE=url")
        .accepted();
    assert_eq!(loaded.config.api.secret_key.as_ref().unwrap().expose_secret(), KEY);
    assert_eq!(loaded.config.database.url.expose_secret(), "mysql://app:pw@db/app");
    assert_eq!(
        effective(&loaded, "SECRET_KEY"),
        ("[redacted]".to_owned(), "SECRET_KEY_FILE, .env".to_owned())
    );
    assert_eq!(
        effective(&loaded, "SECRET_KEY_FILE"),
        ("key".to_owned(), ".env".to_owned())
    );
}

#[test]
fn a_missing_secret_file_is_a_problem_that_names_the_variable() {
    let text = with("DB_PASSWORD_FILE", "/nowhere/password").refused_text();
    assert_contains(
        &text,
        "DB_PASSWORD_FILE (environment): given `/nowhere/password`; the file cannot be read",
    );
    assert_contains(
        &with("SECRET_KEY_FILE", "none").refused_text(),
        "SECRET_KEY_FILE (environment)",
    );
    assert_contains(
        &with("DATABASE_URL_FILE", "none").refused_text(),
        "DATABASE_URL_FILE (environment)",
    );
}

#[test]
fn an_empty_secret_file_is_a_lost_secret() {
    let text = Scene::new()
        .file("key", "\n")
        .environment("SECRET_KEY_FILE", "key")
        .refused_text();
    assert_contains(
        &text,
        "SECRET_KEY (SECRET_KEY_FILE, environment): given `[redacted]`; accepted: at least 32 bytes",
    );
}

#[test]
fn both_forms_of_a_secret_in_one_layer_are_refused() {
    let text = Scene::new()
        .file("key", KEY)
        .dotenv(&format!("SECRET_KEY={KEY}\nSECRET_KEY_FILE=key"))
        .refused_text();
    assert_contains(&text, "SECRET_KEY (.env): given together with `SECRET_KEY_FILE`");
    let emptied = Scene::new()
        .file("key", KEY)
        .dotenv("SECRET_KEY=\nSECRET_KEY_FILE=key")
        .config();
    assert_eq!(emptied.api.secret_key.unwrap().expose_secret(), KEY);
}

#[test]
fn a_higher_layer_wins_whichever_form_a_secret_has() {
    let (above, below) = ("the-key-of-the-higher-layer-12345", "the-key-of-the-lower-layer-123456");
    let key = |scene: Scene| scene.config().api.secret_key.unwrap().expose_secret().to_owned();
    let direct_above = Scene::new()
        .file("key", below)
        .dotenv("SECRET_KEY_FILE=key")
        .environment("SECRET_KEY", above);
    assert_eq!(key(direct_above), above);
    let file_above = Scene::new()
        .file("key", above)
        .dotenv(&format!("SECRET_KEY={below}"))
        .environment("SECRET_KEY_FILE", "key");
    assert_eq!(key(file_above), above);
    let unread = Scene::new()
        .dotenv("SECRET_KEY_FILE=missing")
        .environment("SECRET_KEY", above);
    assert_eq!(key(unread), above);
}

#[test]
fn a_secret_key_has_32_bytes_or_is_not_there() {
    assert!(with("SECRET_KEY", "").config().api.secret_key.is_none());
    assert!(with("SECRET_KEY", KEY).config().api.secret_key.is_some());
    assert_contains(
        &with("SECRET_KEY", &KEY[1..]).refused_text(),
        "at least 32 bytes (this has 31)",
    );
}

#[test]
fn the_reference_table_has_no_secrets_to_hide() {
    assert!(!reference_table().contains("[redacted]"));
}
