//! The page at `/console`, and what it asks for. None of it is in the OpenAPI document.

use std::sync::atomic::Ordering;

use actix_web::{
    HttpResponse,
    body::MessageBody,
    get,
    http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY},
    web::{self, Data},
};
use serde::Serialize;

use super::{
    Console,
    view::{Detail, List, PoolsView},
    visitor::Visitor,
};
use crate::problem::Problem;

/// Lets the page load what this host serves and nothing else, and run no script or style that is written into a page.
const SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The parts of the page, as they are in the program.
const FILES: [(&str, &str, &str); 6] = [
    ("console.css", CSS, include_str!("assets/console.css")),
    ("console.js", SCRIPT, include_str!("assets/console.js")),
    ("elements.js", SCRIPT, include_str!("assets/elements.js")),
    ("pools.js", SCRIPT, include_str!("assets/pools.js")),
    ("texts.js", SCRIPT, include_str!("assets/texts.js")),
    ("waterfall.js", SCRIPT, include_str!("assets/waterfall.js")),
];

/// What all paths of the console begin with.
pub(crate) const ROOT: &str = "/console";

/// The paths, as the table of routes has them.
pub(crate) const ROUTES: [&str; 6] = [
    "/console",
    "/console/requests",
    "/console/requests/since/{version}",
    "/console/requests/{number}",
    "/console/pools/since/{at_us}",
    "/console/files/{file}",
];

/// Registers the console, where there is one.
pub(crate) fn configure(config: &mut web::ServiceConfig, console: Option<&Console>) {
    if let Some(console) = console {
        config
            .app_data(Data::new(console.clone()))
            .service(page)
            .service(requests)
            .service(requests_since)
            .service(request)
            .service(pools)
            .service(file);
    }
}

#[get("/console")]
async fn page(_: Visitor) -> HttpResponse {
    answer(HTML, include_str!("assets/index.html"))
}

#[get("/console/requests")]
async fn requests(_: Visitor, console: Data<Console>) -> HttpResponse {
    list(&console)
}

/// The list, or 204 where nothing has changed since `version`.
#[get("/console/requests/since/{version}")]
async fn requests_since(
    _: Visitor,
    console: Data<Console>,
    version: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    Ok(if console.version() == number(&version)? {
        HttpResponse::NoContent().finish()
    } else {
        list(&console)
    })
}

#[get("/console/requests/{number}")]
async fn request(_: Visitor, console: Data<Console>, wanted: web::Path<String>) -> Result<HttpResponse, Problem> {
    let recording = console.find(number(&wanted)?).ok_or_else(Problem::no_such_path)?;
    Ok(json(&Detail::of(&recording)))
}

#[get("/console/pools/since/{at_us}")]
async fn pools(_: Visitor, console: Data<Console>, at_us: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(json(&PoolsView::of(&console, number(&at_us)?)))
}

#[get("/console/files/{file}")]
async fn file(_: Visitor, file: web::Path<String>) -> Result<HttpResponse, Problem> {
    let found = FILES.iter().find(|(name, ..)| *name == file.as_str());
    let (_, content_type, text) = found.ok_or_else(Problem::no_such_path)?;
    Ok(answer(content_type, *text))
}

impl Console {
    fn version(&self) -> u64 {
        self.0.version.load(Ordering::Relaxed)
    }
}

/// A number in a path. What is none leads nowhere.
fn number(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| Problem::no_such_path())
}

fn list(console: &Console) -> HttpResponse {
    // The version first: what changes while the list is made is told with the next one.
    let version = console.version();
    json(&List::of(console, version))
}

fn json(value: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(value)
}

fn answer(content_type: &str, body: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((CONTENT_SECURITY_POLICY, SECURITY_POLICY))
        // A new version of the program has a new page.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(body)
}
