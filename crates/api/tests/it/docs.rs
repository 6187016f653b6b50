//! The OpenAPI document and Swagger UI, as a browser gets them.

use persistence::test_db::TestDatabase;

use crate::{
    answer::Answer,
    contract,
    support::{JSON, TestApp, USERS},
    wire::Wire,
};

pub(crate) async fn the_document_is_served_as_it_is_tested(db: TestDatabase) {
    for docs in [true, false] {
        let app = TestApp::start_with(&db, |options| options.docs = docs);
        let answer = app.get("/openapi.json").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(JSON)));
        assert_eq!(answer.json(), contract::document());
        assert!(answer.json()["openapi"].as_str().unwrap().starts_with("3.1"));
    }
    let app = TestApp::start_with(&db, |options| options.title.push_str(" \"Süd\""));
    assert_eq!(
        app.get("/openapi.json").await.json()["info"]["title"],
        "Async Starter API \"Süd\""
    );
}

pub(crate) async fn swagger_ui_loads_from_this_host_alone(db: TestDatabase) {
    let app = TestApp::start(&db);
    let root = app.get("/").await;
    assert_eq!((root.status, root.header("location")), (303, Some("/docs")));
    for path in ["/docs", "/docs/", "/docs/index.html"] {
        let page = app.get(path).await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (200, Some("text/html")),
            "{path}"
        );
        loads_nothing_foreign(&page);
        lets_nothing_in_from_elsewhere(&page);
        let parts = parts_of(&page, path);
        assert!(parts.len() >= 4, "{parts:?}");
        for part in parts {
            let answer = app.get(&part).await;
            assert_eq!(answer.status, 200, "{part} of {path}");
            let content_type = answer.header("content-type").unwrap();
            let expected = match part.rsplit('.').next().unwrap() {
                "css" => "text/css",
                "js" => "text/javascript",
                _ => "image/png",
            };
            assert_eq!(content_type, expected, "{part}");
        }
    }
    let initializer = app.get("/docs/swagger-initializer.js").await;
    loads_nothing_foreign(&initializer);
    let script = initializer.text();
    assert!(
        script.contains("\"url\": \"/openapi.json\"") || script.contains("url: \"/openapi.json\""),
        "{script}"
    );
    // Without it the page would send the document to a public validator.
    assert!(script.contains("\"validatorUrl\": \"none\""), "{script}");
}

/// The addresses that the page loads, resolved as a browser would.
fn parts_of(page: &Answer, path: &str) -> Vec<String> {
    let html = page.text();
    let attribute = |name: &'static str| html.split(name).skip(1).map(|rest| rest.split('"').next().unwrap());
    let base = html
        .split_once("<base href=\"")
        .map_or(path, |(_, rest)| rest.split('"').next().unwrap());
    let folder = &base[..=base.rfind('/').unwrap()];
    attribute("<link rel=\"stylesheet\" type=\"text/css\" href=\"")
        .chain(attribute(" src=\""))
        .chain(
            html.split("<link rel=\"icon\"")
                .skip(1)
                .map(|rest| rest.split_once("href=\"").unwrap().1.split('"').next().unwrap()),
        )
        .map(|reference| format!("{folder}{}", reference.trim_start_matches("./")))
        .collect()
}

/// The page would not work if it wrote scripts or styles into itself: see that it does not.
fn lets_nothing_in_from_elsewhere(page: &Answer) {
    let policy = page.header("content-security-policy").unwrap();
    let mut directives = policy.split("; ");
    assert_eq!(directives.next(), Some("default-src 'none'"));
    for directive in directives.clone() {
        let mut sources = directive.split(' ').skip(1);
        let is_own = |source| matches!(source, "'none'" | "'self'" | "data:") || source.starts_with("'sha256-");
        assert!(sources.all(is_own), "{directive}");
    }
    for needed in [
        "script-src 'self'",
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(directives.clone().any(|directive| directive == needed), "{needed}");
    }
    assert_eq!(
        page.text().matches("<script").count(),
        page.text().matches("<script src=").count()
    );
    for inline in ["<style", " style=", " onload=", " onclick="] {
        assert!(!page.text().contains(inline), "{inline} in {page}");
    }
}

fn loads_nothing_foreign(answer: &Answer) {
    for scheme in ["http://", "https://", "\"//", "url(//"] {
        assert!(!answer.text().contains(scheme), "{scheme} in {answer}");
    }
}

pub(crate) async fn without_docs_their_pages_do_not_exist(db: TestDatabase) {
    let app = TestApp::start_with(&db, |options| options.docs = false);
    let mut wire = Wire::open(&app).await;
    for path in ["/", "/docs", "/docs/", "/docs/index.html", "/docs/swagger-ui.css"] {
        for method in ["GET", "POST"] {
            wire.ask(method, path).await.problem(404, "not_found");
        }
    }
    assert_eq!(app.get(USERS).await.status, 200);
}
