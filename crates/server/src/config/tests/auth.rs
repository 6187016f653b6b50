//! Who may use the API.

use super::{Scene, assert_contains, with};
use crate::config::AuthMode;

const KEY: &str = "a-key-of-exactly-32-bytes-length";

/// A scene in which tokens are asked for.
fn with_tokens() -> Scene {
    with("AUTH_MODE", "jwt")
}

#[test]
fn an_open_api_in_production_must_be_asked_for_by_name_and_warns() {
    let text = with("ENVIRONMENT", "production").refused_text();
    assert_contains(&text, "AUTH_MODE (default): must be set in production");
    let loaded = with("ENVIRONMENT", "production")
        .environment("AUTH_MODE", "none")
        .accepted();
    assert_contains(&loaded.warnings.concat(), "AUTH_MODE (environment): the API is open");
    assert!(with("ENVIRONMENT", "staging").accepted().warnings.is_empty());
}

#[test]
fn the_mode_is_one_of_two() {
    assert_eq!(Scene::new().config().auth.mode, AuthMode::None);
    for (text, mode) in [
        ("NONE", AuthMode::None),
        (" jwt ", AuthMode::Jwt),
        ("Jwt", AuthMode::Jwt),
    ] {
        let scene = with("AUTH_MODE", text).environment("SECRET_KEY", KEY);
        assert_eq!(scene.config().auth.mode, mode, "{text}");
    }
    for text in ["", "off", "false", "oidc"] {
        assert_contains(
            &with("AUTH_MODE", text).refused_text(),
            &format!("AUTH_MODE (environment): given `{text}`; accepted: `none` or `jwt`"),
        );
    }
}

#[test]
fn tokens_need_a_key_to_check_them_with() {
    let advice = "AUTH_MODE (environment): given `jwt`; there is no key to check tokens with; set `AUTH_JWKS_FILE`, or \
                  `SECRET_KEY` to 32 bytes or more";
    assert_contains(&with_tokens().refused_text(), advice);
    let production = with_tokens().environment("ENVIRONMENT", "production");
    assert_contains(&production.refused_text(), advice);
    let loaded = with_tokens().environment("SECRET_KEY", KEY).accepted();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let short = with_tokens().environment("SECRET_KEY", &KEY[1..]).refused_text();
    assert_contains(
        &short,
        "SECRET_KEY (environment): given `[redacted]`; accepted: at least 32 bytes",
    );
    assert!(!short.contains("AUTH_MODE"), "one cause, one problem: {short}");
}

#[test]
fn a_file_of_public_keys_is_found_from_the_working_directory() {
    let scene = with_tokens()
        .environment("SECRET_KEY", KEY)
        .dotenv("AUTH_JWKS_FILE=keys/public.json\nAUTH_ISSUER=https://issuer.example\nAUTH_AUDIENCE='users api'");
    let auth = scene.config().auth;
    assert_eq!(auth.jwks_file, Some(scene.directory.path().join("keys/public.json")));
    assert_eq!(auth.issuer.as_deref(), Some("https://issuer.example"));
    assert_eq!(auth.audience.as_deref(), Some("users api"));
    let absolute = with_tokens().environment("AUTH_JWKS_FILE", "/keys/public.json");
    assert_eq!(
        absolute.config().auth.jwks_file.unwrap().to_str(),
        Some("/keys/public.json")
    );
}

#[test]
fn public_keys_do_without_the_secret_key_at_a_price_that_is_told() {
    let scene = with_tokens().environment("AUTH_JWKS_FILE", "keys.json");
    assert_contains(
        &scene.accepted().warnings.concat(),
        "SECRET_KEY (default): without it, the fingerprints of callers",
    );
}

#[test]
fn what_describes_tokens_has_no_effect_where_none_are_asked_for() {
    for (name, value) in [
        ("AUTH_JWKS_FILE", "keys.json"),
        ("AUTH_ISSUER", "https://issuer.example"),
        ("AUTH_AUDIENCE", "users"),
    ] {
        for scene in [with(name, value), with(name, value).environment("AUTH_MODE", "none")] {
            let warnings = scene.accepted().warnings;
            let [warning] = warnings.as_slice() else {
                panic!("{name}: {warnings:?}")
            };
            let expected = format!("{name} (environment): no effect, because AUTH_MODE is `none`; set `AUTH_MODE=jwt`");
            assert_contains(warning, &expected);
        }
        assert_eq!(with(name, "").accepted().warnings, Vec::<String>::new());
    }
}

#[test]
fn a_claim_is_text_on_one_line() {
    for value in [" x", "x ", "a\nb", "\u{1b}[2J"] {
        for name in ["AUTH_ISSUER", "AUTH_AUDIENCE"] {
            let text = with_tokens().environment("SECRET_KEY", KEY).environment(name, value);
            assert_contains(&text.refused_text(), &format!("{name} (environment)"));
        }
    }
}
