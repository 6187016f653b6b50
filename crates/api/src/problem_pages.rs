//! `/problems` and `/problems/{code}`: what the `type` of a problem leads to, for people and for programs.
//!
//! They are HTML, or JSON for whoever prefers that by `Accept`. A client that says nothing, or accepts neither, gets HTML:
//! an explanation in the wrong form is better than none, and RFC 9110 section 12.5.1 lets us choose.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{CONTENT_SECURITY_POLICY, ContentType, VARY},
    web,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    accept,
    problem::{Code, Explanation, Problem},
};

const HTML: &str = "text/html";
const JSON: &str = "application/json";

/// Readable by day and by night, on paper and on a telephone.
const STYLE: &str = "
:root { color-scheme: light dark; font: 1.05rem/1.6 system-ui, sans-serif; }
body { max-width: 42rem; margin: 3rem auto; padding: 0 1.25rem; }
h1 { line-height: 1.2; }
h2 { font-size: 1.05rem; margin: 1.75rem 0 0; }
p { margin: 0.25rem 0 0; }
.more, table { margin-top: 1.75rem; }
code { font-family: ui-monospace, monospace; }
table { border-collapse: collapse; }
th, td { padding: 0.3rem 1.25rem 0.3rem 0; text-align: left; }
";

/// Nothing is loaded or run, and the one style is the one above.
static SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// A kind of problem, as programs read it.
#[derive(Serialize)]
struct ProblemKind {
    r#type: String,
    title: &'static str,
    status: u16,
    code: Code,
    #[serde(flatten)]
    explanation: Explanation,
}

impl From<Code> for ProblemKind {
    fn from(code: Code) -> Self {
        Self {
            r#type: code.uri(),
            title: code.title(),
            status: code.status().as_u16(),
            code,
            explanation: code.explanation(),
        }
    }
}

/// Registers the pages. They are not in the OpenAPI document.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(page);
}

#[get("/problems")]
async fn list(request: HttpRequest) -> HttpResponse {
    let kinds = Code::ALL.map(ProblemKind::from);
    answer(&request, &kinds, || list_html(&kinds))
}

#[get("/problems/{code}")]
async fn page(request: HttpRequest, code: web::Path<String>) -> Result<HttpResponse, Problem> {
    let code = Code::parse(&code).ok_or_else(Problem::no_such_path)?;
    let kind = ProblemKind::from(code);
    Ok(answer(&request, &kind, || page_html(&kind)))
}

fn answer(request: &HttpRequest, kind: &impl Serialize, html: impl FnOnce() -> String) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((VARY, "Accept"));
    if accept::preferred(request, &[HTML, JSON]) == Some(JSON) {
        return response.json(kind);
    }
    response
        .content_type(ContentType::html())
        .insert_header((CONTENT_SECURITY_POLICY, SECURITY_POLICY.as_str()))
        .body(html())
}

fn list_html(kinds: &[ProblemKind]) -> String {
    let row = |kind: &ProblemKind| {
        let ProblemKind {
            r#type, status, title, ..
        } = kind;
        let code = kind.code.as_str();
        format!("<tr><td>{status}</td><td><a href=\"{type}\"><code>{code}</code></a></td><td>{title}</td></tr>\n")
    };
    let rows: String = kinds.iter().map(row).collect();
    let table = format!(
        "<table>\n<thead><tr><th>Status</th><th>Code</th><th>Title</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>"
    );
    document(
        "Problems",
        &format!("<p>Every error of this service is one of these.</p>\n{table}"),
    )
}

fn page_html(kind: &ProblemKind) -> String {
    let ProblemKind {
        title,
        status,
        explanation,
        ..
    } = kind;
    let code = kind.code.as_str();
    let Explanation { meaning, remedy, retry } = explanation;
    let retry = retry.sentence();
    document(
        title,
        &format!(
            "<p>HTTP status {status}, code <code>{code}</code></p>\n<h2>What it means</h2>\n<p>{meaning}</p>\n\
             <h2>What you can do</h2>\n<p>{remedy}</p>\n<h2>May the same request be sent again?</h2>\n<p>{retry}</p>\n\
             <p class=\"more\"><a href=\"/problems\">All problems</a></p>"
        ),
    )
}

/// A whole page. All text is ours and holds no character that HTML would take for its own; a test sees to that.
fn document(title: &str, main: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n{main}\n</main>\n</body>\n</html>\n"
    )
}
