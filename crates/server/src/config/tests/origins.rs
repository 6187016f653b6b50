//! Whose pages may call the API.

use api::CrossOrigin;

use super::{Scene, assert_contains, with};

fn origins(text: &str) -> CrossOrigin {
    with("CORS_ORIGINS", text).config().api.cross_origin
}

fn these(origins: &[&str]) -> CrossOrigin {
    CrossOrigin::Origins(origins.iter().map(ToString::to_string).collect())
}

#[test]
fn pages_of_other_origins_may_not_call_unless_it_is_said() {
    assert_eq!(Scene::new().config().api.cross_origin, CrossOrigin::Nobody);
    for text in ["", " ", "[]"] {
        assert_eq!(origins(text), CrossOrigin::Nobody, "{text:?}");
    }
}

#[test]
fn origins_come_separated_by_commas_or_as_a_list_of_json() {
    let expected = these(&["https://app.example.com", "http://localhost:3000"]);
    for text in [
        "https://app.example.com,http://localhost:3000",
        " https://app.example.com , http://localhost:3000 ",
        r#"["https://app.example.com", "http://localhost:3000"]"#,
        "[https://app.example.com,http://localhost:3000]",
    ] {
        assert_eq!(origins(text), expected, "{text}");
    }
    for text in ["*", r#"["*"]"#, "*, https://app.example.com"] {
        assert_eq!(origins(text), CrossOrigin::Anybody, "{text}");
    }
}

#[test]
fn an_origin_is_kept_as_browsers_write_it() {
    for (given, kept) in [
        ("https://App.Example.COM", "https://app.example.com"),
        ("HTTPS://app.example.com:443", "https://app.example.com"),
        ("http://localhost:80", "http://localhost"),
        ("https://app.example.com:8443", "https://app.example.com:8443"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://例え.jp", "https://xn--r8jz45g.jp"),
        ("capacitor://localhost", "capacitor://localhost"),
    ] {
        assert_eq!(origins(given), these(&[kept]), "{given}");
    }
}

#[test]
fn what_is_no_origin_is_refused_with_what_is_accepted() {
    for text in [
        "null",
        "app.example.com",
        "localhost:3000",
        "//app.example.com",
        "https://",
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://app.example.com?x",
        "https://app.example.com#x",
        "https://user@app.example.com",
        "https://*.example.com",
        "https://app.example.com:99999",
        "https://app.example.com:x",
        "https://app example.com",
        "https://app.example.com,",
        "https://a.example,,https://b.example",
        "file://host",
        "blob:https://app.example.com",
        "data:text/html,x",
        "[1]",
        "[\"https://app.example.com\"",
        "[\"https://app.example.com/\"]",
        "*.example.com",
    ] {
        let refused = with("CORS_ORIGINS", text).refused_text();
        assert_contains(&refused, "CORS_ORIGINS (environment)");
        assert_contains(&refused, "accepted: `*`, or origins separated by commas");
    }
    let refused = with("CORS_ORIGINS", "https://good.example,null").refused_text();
    assert_contains(&refused, "`null` is none");
}

#[test]
fn what_is_refused_is_shown_on_one_line_of_bounded_length() {
    let text = with("CORS_ORIGINS", &format!("https://a\x1b[2J\n{}", "b".repeat(5000))).refused_text();
    assert_eq!(text.lines().count(), 2, "{text:?}");
    assert!(!text.replace('\n', "").contains(char::is_control), "{text:?}");
    assert!(text.len() < 1500, "{} bytes", text.len());
}
