//! What each kind of value may look like, and what asks for a feature that is not there.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::{Scene, assert_contains, with};
use crate::config::LogFormat;
use crate::config::parse;

#[test]
fn durations_are_seconds_or_carry_a_unit() {
    for (text, milliseconds) in [
        ("10", 10_000),
        ("0.5", 500),
        ("1.", 1000),
        ("500ms", 500),
        ("10s", 10_000),
        ("2 m", 120_000),
        ("24H", 86_400_000),
        (" 1 ", 1000),
    ] {
        let timeout = with("REQUEST_TIMEOUT", text).config().http.request_timeout;
        assert_eq!(timeout, Duration::from_millis(milliseconds), "{text}");
    }
    for text in [
        "",
        "-1",
        "+1",
        "1e3",
        "inf",
        "NaN",
        "1.2.3",
        ".",
        "10 apples",
        "ms",
        "0",
        "25h",
        "99999999999999999999d",
    ] {
        assert_contains(
            &with("REQUEST_TIMEOUT", text).refused_text(),
            "accepted: seconds from 0.01 to 86400",
        );
    }
}

#[test]
fn the_threshold_of_slow_statements_is_in_milliseconds() {
    assert_eq!(
        with("DB_SLOW_QUERY_MS", "250")
            .config()
            .database
            .slow_statement_threshold,
        Duration::from_millis(250)
    );
    assert_eq!(
        with("DB_SLOW_QUERY_MS", "2s")
            .config()
            .database
            .slow_statement_threshold,
        Duration::from_secs(2)
    );
    assert_contains(
        &with("DB_SLOW_QUERY_MS", "x").refused_text(),
        "milliseconds from 0 to 3600000",
    );
}

#[test]
fn a_statement_timeout_of_zero_is_none() {
    assert_eq!(
        with("DB_STATEMENT_TIMEOUT", "0").config().database.statement_timeout,
        None
    );
    assert_eq!(
        Scene::new().config().database.statement_timeout,
        Some(Duration::from_secs(10))
    );
}

#[test]
fn guards_cannot_be_switched_off_by_zero() {
    for name in [
        "REQUEST_TIMEOUT",
        "CLIENT_TIMEOUT",
        "DB_POOL_TIMEOUT",
        "DB_POOL_RECYCLE",
        "BODY_LIMIT",
        "WORKERS",
        "MAX_IN_FLIGHT",
    ] {
        assert_contains(&with(name, "0").refused_text(), name);
    }
}

#[test]
fn sizes_are_bytes_or_carry_a_unit() {
    for (text, bytes) in [
        ("1", 1),
        ("1024", 1024),
        ("64KiB", 65_536),
        ("1 MiB", 1_048_576),
        ("2mb", 2_000_000),
        ("1GiB", 1 << 30),
        ("10 B", 10),
    ] {
        assert_eq!(with("BODY_LIMIT", text).config().http.body_limit_bytes, bytes, "{text}");
    }
    for text in [
        "",
        "-1",
        "1.5 MiB",
        "MiB",
        "1 MiBs",
        "2 GiB",
        "18446744073709551615 GiB",
        "99999999999999999999",
    ] {
        assert_contains(&with("BODY_LIMIT", text).refused_text(), "BODY_LIMIT (environment)");
    }
}

#[test]
fn whole_numbers_are_digits_within_their_range() {
    assert_eq!(parse::whole_number(" 7 ", 1..=9_u8), Ok(7));
    for text in ["", "0", "10", "256", "+7", "-7", "7.0", "７", "99999999999999999999999"] {
        assert!(parse::whole_number(text, 1..=9_u8).is_err(), "{text}");
    }
}

#[test]
fn switches_have_several_words_and_no_third_state() {
    for (text, is_on) in [
        ("true", true),
        ("ON", true),
        ("yes", true),
        ("1", true),
        ("False", false),
        ("off", false),
        ("no", false),
        ("0", false),
    ] {
        assert_eq!(parse::switch(text), Ok(is_on), "{text}");
    }
    assert!(parse::switch("").is_err() && parse::switch("maybe").is_err());
}

#[test]
fn log_levels_are_taken_in_any_case_and_filters_whole() {
    for (given, filter) in [
        ("INFO", "info"),
        ("Warning", "warn"),
        ("CRITICAL", "error"),
        ("off", "off"),
        ("INFO, sqlx=DEBUG", "info,sqlx=debug"),
        ("info,actix_web::middleware=warn", "info,actix_web::middleware=warn"),
        ("info,[request{id=1}]=debug", "info,[request{id=1}]=debug"),
    ] {
        assert_eq!(with("LOG_LEVEL", given).config().log.filter, filter);
    }
    for text in [
        "",
        "inof",
        "info,sqlx",
        "info,sqlx=loud",
        "info,,debug",
        "info,[request=debug",
    ] {
        assert_contains(&with("LOG_LEVEL", text).refused_text(), "LOG_LEVEL (environment)");
    }
}

#[test]
fn the_log_format_is_for_people_only_in_development() {
    assert_eq!(Scene::new().config().log.format, LogFormat::Pretty);
    assert_eq!(with("ENVIRONMENT", "staging").config().log.format, LogFormat::Json);
    assert_eq!(with("LOG_FORMAT", "JSON").config().log.format, LogFormat::Json);
}

#[test]
fn hosts_are_names_or_addresses_without_anything_around_them() {
    for host in ["localhost", "0.0.0.0", "::", "fe80::1", "db.internal", "my_host-1"] {
        assert_eq!(with("HOST", host).config().http.host, host);
    }
    for host in ["", "http://localhost", "localhost:80", "[::1]", "a b", "a/b"] {
        assert_contains(&with("HOST", host).refused_text(), "HOST (environment)");
    }
}

#[test]
fn a_title_is_visible_text_on_one_line() {
    assert_eq!(with("API_TITLE", "利用者 API").config().api.title, "利用者 API");
    for title in ["", "  ", "a\nb", &"x".repeat(101)] {
        assert_contains(&with("API_TITLE", title).refused_text(), "API_TITLE (environment)");
    }
}

#[test]
fn the_console_is_for_development_and_refused_in_production() {
    assert!(Scene::new().config().observability.console);
    assert!(!with("CONSOLE", "off").config().observability.console);
    let staging = with("ENVIRONMENT", "staging");
    assert!(!staging.config().observability.console);
    let production = [("ENVIRONMENT", "production"), ("AUTH_MODE", "none"), ("CONSOLE", "on")];
    let scene = production
        .into_iter()
        .fold(Scene::new(), |scene, (name, value)| scene.environment(name, value));
    let text = scene.refused_text();
    assert_contains(&text, "CONSOLE (environment)");
    assert_contains(&text, "must be off in production");
}

#[test]
fn values_that_ask_for_nothing_are_accepted_without_a_word() {
    for (name, value) in [
        ("AUTH_MODE", "none"),
        ("AUTH_MODE", "NONE"),
        ("RATE_LIMIT", "off"),
        ("TRUSTED_PROXIES", ""),
        ("RATE_LIMIT_STORE", "memory"),
        ("CONSOLE", "off"),
        ("METRICS_ADDR", ""),
        ("METRICS_ADDR", "off"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "none"),
        ("READ_COALESCING", "false"),
        ("WRITE_COALESCING", "off"),
        ("CORS_ORIGINS", "[]"),
        ("DEBUG", ""),
    ] {
        assert_eq!(
            with(name, value).accepted().warnings,
            Vec::<String>::new(),
            "{name}={value}"
        );
    }
}

#[test]
fn hints_without_effect_are_accepted_with_a_warning() {
    for (name, value) in [("DEBUG", "true"), ("DB_MAX_OVERFLOW", "10")] {
        let loaded = with(name, value).accepted();
        let [warning] = loaded.warnings.as_slice() else {
            panic!("{name}: {:?}", loaded.warnings)
        };
        assert_contains(warning, &format!("{name} (environment): "));
    }
    assert_contains(
        &with("DB_MAX_OVERFLOW", "10").accepted().warnings.concat(),
        "raise `DB_POOL_MAX_SIZE`",
    );
}

#[test]
fn a_value_cannot_drive_the_terminal_that_shows_it() {
    let text = with("PORT", &format!("\u{1b}[2J\n{}", "9".repeat(1000))).refused_text();
    assert!(
        !text.contains('\u{1b}') && text.lines().count() == 2 && text.len() < 500,
        "{text}"
    );
    let table = with("DB_USER", "a\u{1b}[2Jb\nc").accepted().to_table();
    assert!(!table.contains('\u{1b}'), "{table}");
    assert_contains(&table, "a\\u{1b}[2Jb\\nc");
}

#[test]
fn the_metrics_listener_has_a_host_and_a_port() {
    for (text, host, port) in [
        ("127.0.0.1:9100", "127.0.0.1", 9100),
        (" 0.0.0.0:0 ", "0.0.0.0", 0),
        ("localhost:9100", "localhost", 9100),
        ("[::1]:9100", "::1", 9100),
    ] {
        let address = with("METRICS_ADDR", text).config().observability.metrics_address;
        assert_eq!(address, Some((host.to_owned(), port)), "{text}");
    }
    assert_eq!(Scene::new().config().observability.metrics_address, None);
    for text in [
        "9100",
        ":9100",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "::1:9100",
        "http://127.0.0.1:9100",
    ] {
        assert_contains(&with("METRICS_ADDR", text).refused_text(), "`host:port` such as");
    }
}

#[test]
fn traces_go_to_an_address_that_speaks_http() {
    for text in ["http://127.0.0.1:4318", "https://traces.example.com/otlp"] {
        let endpoint = with("OTEL_EXPORTER_OTLP_ENDPOINT", text)
            .config()
            .observability
            .otlp_endpoint;
        assert_eq!(endpoint.unwrap().expose_secret(), text);
    }
    for text in ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://"] {
        let refused = with("OTEL_EXPORTER_OTLP_ENDPOINT", text).refused_text();
        assert_contains(&refused, "an address such as `http://127.0.0.1:4318`");
    }
}
