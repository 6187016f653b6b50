//! `RATE_LIMIT`, `RATE_LIMIT_STORE` and `TRUSTED_PROXIES`.

use secrecy::ExposeSecret;

use super::*;
use crate::config::{RateLimit, RateLimitStore};

#[track_caller]
fn limit(scene: &Scene) -> Option<RateLimit> {
    scene.config().api.rate_limit
}

/// A scene with a limit and one variable set.
fn limited_with(name: &str, value: &str) -> Scene {
    with("RATE_LIMIT", "1/s").environment(name, value)
}

#[test]
fn a_quota_is_a_number_of_requests_and_a_time() {
    for (text, expected) in [
        ("100/min", (100, 60)),
        ("1/s", (1, 1)),
        ("5/sec", (5, 1)),
        ("5/second", (5, 1)),
        ("7/minute", (7, 60)),
        ("1000/h", (1000, 3600)),
        ("1000/hour", (1000, 3600)),
        ("9/d", (9, 86_400)),
        ("1000000/day", (1_000_000, 86_400)),
        ("20/10s", (20, 10)),
        ("300/5min", (300, 300)),
        ("1/24h", (1, 86_400)),
        ("1/1d", (1, 86_400)),
        (" 100 / 5 Min ", (100, 300)),
    ] {
        let quota = limit(&with("RATE_LIMIT", text)).unwrap().quota;
        assert_eq!((quota.requests(), quota.window_seconds()), expected, "{text}");
    }
}

#[test]
fn what_is_no_quota_is_refused() {
    for text in [
        "",
        "100",
        "100/",
        "/min",
        "min/100",
        "100/m",
        "100/week",
        "0/min",
        "-1/min",
        "+1/min",
        "1.5/min",
        "1e3/min",
        "1000001/s",
        "1/0s",
        "1/-1s",
        "1/+1s",
        "1/1.5s",
        "1/2d",
        "1/25h",
        "1/86401s",
        "1/ms",
        "1/100ms",
        "1/min/min",
        "100 per min",
        "99999999999999999999/s",
        "1/99999999999999999999d",
        "１/min",
        "on",
    ] {
        let refusal = with("RATE_LIMIT", text).refused_text();
        assert_contains(&refusal, "RATE_LIMIT (environment)");
        assert_contains(&refusal, "such as `10/s`, `100/min`");
    }
}

#[test]
fn requests_are_limited_in_production_and_elsewhere_on_demand() {
    assert!(limit(&Scene::new()).is_none());
    assert!(limit(&with("ENVIRONMENT", "staging")).is_none());
    let production = || with("ENVIRONMENT", "production").environment("AUTH_MODE", "none");
    let quota = limit(&production()).unwrap().quota;
    assert_eq!((quota.requests(), quota.window_seconds()), (100, 60));
    for off in ["off", "OFF", "none", "false", "0"] {
        assert!(limit(&production().environment("RATE_LIMIT", off)).is_none(), "{off}");
    }
}

#[test]
fn production_with_a_limit_and_no_trusted_proxy_warns() {
    let warnings = |name: &str, value: &str| {
        let scene = with("ENVIRONMENT", "production").environment("AUTH_MODE", "none");
        scene.environment(name, value).accepted().warnings.concat()
    };
    assert_contains(
        &warnings("RATE_LIMIT", "5/s"),
        "TRUSTED_PROXIES (default): not set: clients that come through one proxy share one RATE_LIMIT",
    );
    assert!(!warnings("RATE_LIMIT", "off").contains("TRUSTED_PROXIES"));
    assert!(!warnings("TRUSTED_PROXIES", "10.0.0.0/8").contains("TRUSTED_PROXIES"));
    assert!(
        with("RATE_LIMIT", "5/s").accepted().warnings.is_empty(),
        "in development"
    );
}

#[test]
fn a_store_is_memory_or_a_redis() {
    for memory in ["memory", "MEMORY", ""] {
        let store = limit(&limited_with("RATE_LIMIT_STORE", memory)).unwrap().store;
        assert!(matches!(store, RateLimitStore::Memory), "{memory}");
    }
    for url in [
        "redis://cache",
        "redis://cache:6380/3",
        "rediss://user:p%40ss@cache.internal/",
        "redis://:password@[::1]:6379/0",
        "redis://127.0.0.1",
    ] {
        match limit(&limited_with("RATE_LIMIT_STORE", url)).unwrap().store {
            RateLimitStore::Redis(store) => assert_eq!(store.expose_secret(), url),
            RateLimitStore::Memory => panic!("{url}"),
        }
    }
}

#[test]
fn what_is_no_store_is_refused_without_showing_it() {
    for url in [
        "hunter2",
        "redis",
        "redis://",
        "redis:///0",
        "redis:hunter2@cache",
        "http://:hunter2@cache",
        "redis://:a/hunter2@cache",
        "redis://:a#hunter2@cache",
        "redis://:1?hunter2@cache",
        "redis://cache/hunter2",
        "redis://cache?password=hunter2",
        "redis://cache:hunter2",
        "redis+unix:///hunter2",
    ] {
        let scene = limited_with("RATE_LIMIT_STORE", url);
        assert_contains(&scene.refused_text(), "RATE_LIMIT_STORE (environment)");
        assert_hides("hunter2", &[&scene.refused(), &scene.refused_text()]);
    }
}

#[test]
fn the_effective_store_shows_all_but_the_password() {
    let loaded = limited_with("RATE_LIMIT_STORE", "redis://app:hunter2@cache:6380/3").accepted();
    assert_eq!(
        effective(&loaded, "RATE_LIMIT_STORE").0,
        "redis://app:[redacted]@cache:6380/3"
    );
    assert_hides("hunter2", &[&loaded, &loaded.to_table(), &loaded.to_json().to_string()]);
}

#[test]
fn trusted_proxies_are_addresses_and_networks() {
    for (text, expected) in [
        ("", &[][..]),
        ("none", &[]),
        ("10.0.0.0/8", &["10.0.0.0/8"]),
        (
            "10.0.0.0/8, 192.0.2.7,fd00::/8 ,::1",
            &["10.0.0.0/8", "192.0.2.7/32", "fd00::/8", "::1/128"],
        ),
        ("::ffff:192.0.2.7", &["192.0.2.7/32"]),
        ("0.0.0.0/0", &["0.0.0.0/0"]),
    ] {
        let proxies = limit(&limited_with("TRUSTED_PROXIES", text)).unwrap().trusted_proxies;
        let shown: Vec<_> = proxies.iter().map(ToString::to_string).collect();
        assert_eq!(shown, expected, "{text}");
    }
    for text in [
        ",",
        "10.0.0.0/8,",
        "10.0.0.0/33",
        "10.0.0",
        "10.0.0.1:80",
        "[::1]",
        "proxy.internal",
        "*",
        "10.0.0.0/255.0.0.0",
        "::ffff:10.0.0.0/104",
        "10.0.0.0/8 192.0.2.7",
    ] {
        let refusal = with("TRUSTED_PROXIES", text).refused_text();
        assert_contains(&refusal, "TRUSTED_PROXIES (environment)");
        assert_contains(&refusal, "separated by commas");
    }
}
