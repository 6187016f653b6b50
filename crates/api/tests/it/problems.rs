//! The pages that the `type` of a problem leads to.

use persistence::test_db::TestDatabase;

use crate::{
    answer::Answer,
    support::{JSON, Request, TestApp, USERS},
    wire::Wire,
};

const HTML: &str = "text/html; charset=utf-8";

async fn page(app: &TestApp, path: &str, accept: Option<&str>) -> Answer {
    let mut request = Request::new("GET", path);
    if let Some(accept) = accept {
        request = request.header("accept", accept);
    }
    let page = app.send(request).await;
    assert_eq!((page.status, page.header("vary")), (200, Some("Accept")), "{page}");
    page
}

pub(crate) async fn the_type_of_a_problem_leads_to_its_explanation(db: TestDatabase) {
    // As in production, where there is no other documentation.
    let app = TestApp::start_with(&db, |options| options.docs = false);
    for problem in [
        app.get("/api/v1/users/9999").await.json(),
        app.get("/api/v1/users/0").await.json(),
        app.send(Request::new("PUT", USERS)).await.json(),
    ] {
        let path = problem["type"].as_str().unwrap();
        let explained = page(&app, path, Some(JSON)).await.json();
        for member in ["type", "title", "status", "code"] {
            assert_eq!(explained[member], problem[member]);
        }
    }
}

pub(crate) async fn every_problem_is_explained_to_people_and_to_programs(db: TestDatabase) {
    let app = TestApp::start(&db);
    let all = page(&app, "/problems", Some(JSON)).await.json();
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), api::Code::ALL.len());
    let overview = page(&app, "/problems", None).await;
    for kind in all {
        let path = kind["type"].as_str().unwrap();
        assert_eq!(&page(&app, path, Some(JSON)).await.json(), kind);
        assert!(matches!(kind["retry"].as_str(), Some("never" | "later" | "with_care")));
        let html = page(&app, path, None).await;
        assert_eq!(html.header("content-type"), Some(HTML));
        for member in ["title", "code", "meaning", "remedy"] {
            assert!(
                html.text().contains(kind[member].as_str().unwrap()),
                "{member} of {path}"
            );
        }
        assert!(
            html.text().contains(&format!("HTTP status {}", kind["status"])),
            "{html}"
        );
        assert!(overview.text().contains(&format!("<a href=\"{path}\">")), "{overview}");
    }
}

pub(crate) async fn a_page_is_html_unless_json_is_preferred(db: TestDatabase) {
    let app = TestApp::start(&db);
    for path in ["/problems", "/problems/rate_limited"] {
        for (accept, expected) in [
            (None, HTML),
            (Some("*/*"), HTML),
            (
                Some("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"),
                HTML,
            ),
            (Some("application/json"), JSON),
            (Some("application/json, text/html;q=0.9"), JSON),
            (Some("application/json;q=0.1, text/html;q=0.9"), HTML),
            // Better an explanation in another form than none.
            (Some("image/png"), HTML),
        ] {
            let page = page(&app, path, accept).await;
            assert_eq!(page.header("content-type"), Some(expected), "{accept:?}");
        }
    }
}

pub(crate) async fn a_page_loads_nothing_and_runs_nothing(db: TestDatabase) {
    let app = TestApp::start(&db);
    for path in ["/problems", "/problems/internal"] {
        let page = page(&app, path, None).await;
        let policy = page.header("content-security-policy").unwrap();
        let directives: Vec<_> = policy.split("; ").collect();
        assert_eq!(directives[0], "default-src 'none'");
        assert!(
            directives[1].starts_with("style-src 'sha256-") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(
            directives[2..],
            ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]
        );
        assert_eq!(page.text().matches("<style>").count(), 1);
        for foreign in ["<script", " src=", "http://", "https://", " style=", "url("] {
            assert!(!page.text().contains(foreign), "{foreign} in {page}");
        }
    }
}

pub(crate) async fn a_code_that_does_not_exist_has_no_page(db: TestDatabase) {
    let app = TestApp::start(&db);
    for path in [
        "/problems/",
        "/problems/nothing",
        "/problems/Internal",
        "/problems/internal/",
        "/problems/internal/more",
        "/problems/inter%6eal2",
    ] {
        app.get(path).await.problem(404, "not_found");
    }
}

pub(crate) async fn pages_are_there_while_the_service_turns_requests_away(db: TestDatabase) {
    let app = TestApp::start(&db);
    let mut wire = Wire::open(&app).await;
    app.lifecycle.close();
    let mut refused = wire.ask("GET", USERS).await.problem(503, "shutting_down");
    let path = refused["type"].take();
    assert_eq!(page(&app, path.as_str().unwrap(), None).await.status, 200);
}
