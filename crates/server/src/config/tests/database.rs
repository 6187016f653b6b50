//! The address of the database, given whole or in parts, and the sizes of its pools.

use secrecy::ExposeSecret;

use super::{Scene, assert_contains, effective, with};

#[track_caller]
fn url_in_effect(scene: &Scene) -> String {
    scene.config().database.url.expose_secret().to_owned()
}

#[test]
fn without_any_setting_the_database_is_a_sqlite_file() {
    assert_eq!(url_in_effect(&Scene::new()), "sqlite://async-starter.db?mode=rwc");
}

#[test]
fn any_part_selects_mysql_and_the_others_have_defaults() {
    let user = "mysql://async_starter";
    for (name, value, url) in [
        ("DB_HOST", "db", format!("{user}@db:3306/async_starter")),
        ("DB_PORT", "3307", format!("{user}@127.0.0.1:3307/async_starter")),
        ("DB_USER", "me", "mysql://me@127.0.0.1:3306/async_starter".to_owned()),
        ("DB_PASSWORD", "pw", format!("{user}:pw@127.0.0.1:3306/async_starter")),
        ("DB_NAME", "users", format!("{user}@127.0.0.1:3306/users")),
    ] {
        assert_eq!(url_in_effect(&with(name, value)), url);
        assert_eq!(
            url_in_effect(&with(name, "")),
            "sqlite://async-starter.db?mode=rwc",
            "{name} emptied"
        );
    }
}

#[test]
fn parts_from_several_layers_make_one_address_in_which_nothing_is_misread() {
    let scene = Scene::new()
        .toml("db_host = \"::1\"\ndb_name = \"a/b?c%41\"")
        .dotenv("DB_USER='us@er:%40'")
        .environment("DB_PASSWORD", "p@:/?#%41");
    assert_eq!(
        url_in_effect(&scene),
        "mysql://us%40er%3A%2540:p%40%3A%2F%3F%23%2541@[::1]:3306/a%2Fb%3Fc%2541"
    );
}

#[test]
fn parts_that_cannot_be_meant_are_refused() {
    for (name, value) in [
        ("DB_HOST", "db:3306"),
        ("DB_HOST", "mysql://db"),
        ("DB_HOST", "my db"),
        ("DB_PORT", "0"),
        ("DB_PORT", "65536"),
        ("DB_NAME", ".."),
    ] {
        assert_contains(
            &with(name, value).refused_text(),
            &format!("{name} (environment): given `{value}`"),
        );
    }
}

#[test]
fn the_whole_address_wins_over_parts_even_of_a_higher_layer() {
    let loaded = Scene::new()
        .dotenv("DATABASE_URL=postgres://db/app")
        .flag("DB_HOST", "other")
        .accepted();
    assert_eq!(loaded.config.database.url.expose_secret(), "postgres://db/app");
    assert_contains(&loaded.warnings.concat(), "DATABASE_URL (.env): wins over DB_HOST");
}

#[test]
fn an_address_may_name_the_hosts_of_a_cluster() {
    for (given, expected) in [
        (
            "mysql://u:p@a:3306,b,[::1]:7/app?x=y",
            "mysql://u:p@a:3306,b,[::1]:7/app?x=y",
        ),
        ("mariadb://u:p,q@a, b/app", "mysql://u:p,q@a,b/app"),
        ("postgresql://u@a:1,b:2/app", "postgres://u@a:1,b:2/app"),
    ] {
        assert_eq!(url_in_effect(&with("DATABASE_URL", given)), expected);
    }
    for given in [
        "mysql://u:secret@a,,b/app",
        "mysql://u:secret@a:3306,/app",
        "postgres://u:secret@a,,b/app",
        "mysql://u:secret@a:3306,b:99999/app",
        "mysql://u:secret@a,b",
    ] {
        let refused = with("DATABASE_URL", given).refused_text();
        assert_contains(&refused, "DATABASE_URL (environment)");
        assert!(!refused.contains("secret"), "{refused}");
    }
}

#[test]
fn the_hosts_of_a_cluster_are_shown_and_their_password_is_not() {
    let loaded = with("DATABASE_URL", "mysql://u:se,cret@a:3306,b/app").accepted();
    let (shown, _) = effective(&loaded, "DATABASE_URL");
    assert_eq!(shown, "mysql://u:[redacted]@a:3306,b/app");
}

#[test]
fn addresses_of_the_three_engines_are_accepted() {
    for (given, expected) in [
        ("mysql://u:p@db/app", "mysql://u:p@db/app"),
        ("mariadb://u:p@db:3307/app", "mysql://u:p@db:3307/app"),
        ("MySQL://u@db/app", "mysql://u@db/app"),
        ("postgres://u:p@db/app", "postgres://u:p@db/app"),
        ("postgresql://db/app", "postgres://db/app"),
        (
            "postgres:///app?host=/run/postgresql",
            "postgres:///app?host=/run/postgresql",
        ),
        ("sqlite:app.db", "sqlite:app.db"),
        (
            "sqlite:///var/app.db?mode=ro&cache=private",
            "sqlite:///var/app.db?mode=ro&cache=private",
        ),
        ("sqlite::memory:", "sqlite::memory:"),
    ] {
        assert_eq!(url_in_effect(&with("DATABASE_URL", given)), expected);
    }
}

#[test]
fn addresses_that_cannot_be_meant_are_refused_without_being_repeated() {
    for url in [
        "",
        "app.db",
        "oracle://u:p@db/app",
        "mysql:app",
        "mysql://u:p@db",
        "mysql:///app",
        "mysql://u:p@ss/w@db/app",
        "postgres://u:12#3@db/app",
        "postgres://u:p@db:99999/app",
        "sqlite:",
        "sqlite://?mode=rwc",
        "sqlite://app.db?mode=write",
        "sqlite://app.db?moed=rwc",
    ] {
        let text = with("DATABASE_URL", url).refused_text();
        assert_contains(&text, "DATABASE_URL (environment): given `[redacted]`; accepted: ");
        assert!(!url.contains('@') || !text.contains(url), "{text}");
    }
}

#[test]
fn production_on_the_default_file_is_a_warning() {
    let production = || with("ENVIRONMENT", "production").environment("AUTH_MODE", "none");
    assert_contains(
        &production().accepted().warnings.concat(),
        "production runs on the SQLite file",
    );
    let asked_for = production().environment("DATABASE_URL", "sqlite://app.db").accepted();
    assert!(!asked_for.warnings.concat().contains("SQLite"));
}

#[test]
fn sqlite_has_two_readers_a_cpu_unless_told_otherwise() {
    let cpus = u32::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
    let readers = 20.min(2 * cpus);
    let usual = Scene::new().accepted();
    let database = &usual.config.database;
    assert_eq!(
        (database.min_connections, database.max_connections),
        (5.min(readers), readers)
    );
    assert_eq!(
        effective(&usual, "DB_POOL_MAX_SIZE"),
        (readers.to_string(), "default".to_owned())
    );
    let told = with("DB_POOL_MAX_SIZE", "37").config().database;
    assert_eq!(told.max_connections, 37);
}

#[test]
fn the_pool_minimum_follows_a_small_maximum_and_must_not_exceed_it() {
    let small = with("DB_POOL_MAX_SIZE", "2").accepted();
    assert_eq!(
        (
            small.config.database.min_connections,
            small.config.database.max_connections
        ),
        (2, 2)
    );
    assert_eq!(
        effective(&small, "DB_POOL_MIN_SIZE"),
        ("2".to_owned(), "default".to_owned())
    );
    let usual = with("DATABASE_URL", "postgres://localhost/app").config().database;
    assert_eq!((usual.min_connections, usual.max_connections), (5, 20));
    let text = with("DB_POOL_MAX_SIZE", "2")
        .dotenv("DB_POOL_MIN_SIZE=3")
        .refused_text();
    assert_contains(
        &text,
        "DB_POOL_MIN_SIZE (.env): given `3`; accepted: at most `DB_POOL_MAX_SIZE`, which is 2",
    );
    assert_contains(&with("DB_POOL_MAX_SIZE", "10001").refused_text(), "from 1 to 10000");
    assert_contains(&with("DB_POOL_MAX_SIZE", "0").refused_text(), "from 1 to 10000");
}

#[test]
fn replicas_are_addresses_of_the_same_kind_as_the_primary() {
    let mysql = || Scene::new().environment("DATABASE_URL", "mysql://app@db1/app");
    let urls = |scene: &Scene| {
        let urls = scene.config().database.replica_urls;
        let shown = urls.iter().map(|url| url.expose_secret().to_owned());
        shown.collect::<Vec<_>>()
    };
    assert!(urls(&mysql()).is_empty());
    let two = mysql().environment(
        "DATABASE_REPLICA_URLS",
        "mysql://app:a%2Cb@db2/app , mariadb://app@db3/app,",
    );
    assert_eq!(urls(&two), ["mysql://app:a%2Cb@db2/app", "mysql://app@db3/app"]);
    let kept = mysql().environment("DATABASE_REPLICA_URLS_FILE", "replicas");
    assert_eq!(
        urls(&kept.file("replicas", "mysql://app@db4/app\n")),
        ["mysql://app@db4/app"]
    );
    let other_kind = mysql().environment("DATABASE_REPLICA_URLS_FILE", "replicas");
    assert_contains(
        &other_kind.file("replicas", "postgres://app@db4/app").refused_text(),
        "DATABASE_REPLICA_URLS (DATABASE_REPLICA_URLS_FILE, environment): given `[redacted]`",
    );
    for refused in ["postgres://db2/app", "mysql://app@db2/app,nonsense", "sqlite://a.db"] {
        let scene = mysql().environment("DATABASE_REPLICA_URLS", refused);
        assert_contains(&scene.refused_text(), "DATABASE_REPLICA_URLS (environment)");
    }
    // A file has no replicas.
    let embedded = with("DATABASE_REPLICA_URLS", "sqlite://a.db");
    assert_contains(&embedded.refused_text(), "DATABASE_REPLICA_URLS (environment)");
}

#[test]
fn a_replica_may_be_a_second_old_unless_told_otherwise() {
    let lag = |scene: &Scene| scene.config().database.replica_max_lag.as_millis();
    assert_eq!(lag(&Scene::new()), 1000);
    assert_eq!(lag(&with("REPLICA_MAX_LAG", "250ms")), 250);
    for refused in ["0", "99ms", "2h"] {
        assert_contains(
            &with("REPLICA_MAX_LAG", refused).refused_text(),
            "REPLICA_MAX_LAG (environment)",
        );
    }
}

#[test]
fn addresses_of_replicas_are_shown_without_their_passwords() {
    let scene = Scene::new()
        .environment("DATABASE_URL", "mysql://app@db1/app")
        .environment(
            "DATABASE_REPLICA_URLS",
            "mysql://app:hunter2@db2/app,mysql://app:hunter3@db3/app",
        );
    let shown = effective(&scene.accepted(), "DATABASE_REPLICA_URLS").0;
    assert!(
        shown.contains("@db2") && shown.contains("@db3") && !shown.contains("hunter"),
        "{shown}"
    );
}
