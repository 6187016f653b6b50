//! Refuses, before any routing, what no handler would take.

use std::sync::Arc;

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{ALLOW, HeaderValue},
    middleware::Next,
    web::Data,
};
use percent_encoding::percent_decode_str;

use crate::{
    AppState,
    problem::{Code, Problem},
    route_table::Route,
};

/// The route that a request is for, if there is one. The edge looks it up, once.
#[derive(Clone, Debug)]
pub(crate) struct MatchedRoute(pub(crate) Option<Arc<Route>>);

/// Lets a request pass whose path and method exist.
pub(crate) async fn gate(
    state: Data<AppState>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    check(&state, &request)?;
    next.call(request).await
}

fn check(state: &AppState, request: &ServiceRequest) -> Result<(), Problem> {
    // Whoever watches the instance still learns that it lives and is not ready.
    if state.lifecycle().is_closing() && !request.path().starts_with("/health") {
        return Err(Problem::shutting_down());
    }
    if !is_decodable(request.uri().path()) {
        return Err(Problem::new(
            Code::MalformedRequest,
            "The path is not percent-encoded UTF-8",
        ));
    }
    let extensions = request.extensions();
    let Some(MatchedRoute(Some(route))) = extensions.get() else {
        return Err(Problem::no_such_path());
    };
    if route.takes(request.method()) {
        return Ok(());
    }
    let allow = route.allow();
    let problem = Problem::new(Code::MethodNotAllowed, format!("This path takes {allow}"));
    Err(match HeaderValue::from_str(&allow) {
        Ok(allow) => problem.with_header(ALLOW, allow),
        Err(_) => problem,
    })
}

/// Whether every `%` starts an escape and the whole is UTF-8 (RFC 3986 section 2.1).
fn is_decodable(path: &str) -> bool {
    let is_escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    path.split('%').skip(1).all(is_escape) && percent_decode_str(path).decode_utf8().is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_decodable;

    #[test]
    fn only_escapes_of_utf8_are_decodable() {
        for path in ["/", "/a%20b", "/%e7%94%b0", "/%E7%94%B0"] {
            assert!(is_decodable(path), "{path}");
        }
        for path in ["/%", "/%2", "/%zz", "/a%2/b", "/%ff", "/%e7%94"] {
            assert!(!is_decodable(path), "{path}");
        }
    }
}
