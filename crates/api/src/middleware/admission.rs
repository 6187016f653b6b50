//! Decides, before any routing, whether a request is let in. The steps, in this order:
//!
//! 1. an instance that is going, or has as many requests in progress as it may, takes no more (503)
//! 2. the caller is identified; a refused token has no consequence yet
//! 3. a client that has used up its share waits (429); whoever watches the instance or reads about it is not counted
//! 4. the path must be decodable (400), exist (404) and take the method (405)
//! 5. the caller must be known (401) and allowed to do it (403)

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{ALLOW, HeaderValue},
    middleware::Next,
    web::Data,
};
use percent_encoding::percent_decode_str;
use tracing::Instrument;

use super::notes::RequestNotes;
use crate::{
    AppState,
    auth::{Principal, Refusal, Scope, authorize},
    problem::{Code, Problem},
};

/// Lets a request in, or answers why not.
pub(crate) async fn admission(
    state: Data<AppState>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    admit(&state, &request).await?;
    next.call(request).instrument(tracing::debug_span!("handler")).await
}

// ANCHOR: admit
async fn admit(state: &AppState, request: &ServiceRequest) -> Result<(), Problem> {
    let notes = RequestNotes::of(request.request())
        .ok_or_else(|| Problem::internal("the application was built without its edge"))?;
    take_place(state, &notes)?;
    let caller = identify(state, request, &notes).await;
    check_rate(state, request, &notes).await?;
    check_route(request, &notes)?;
    authorize(caller, Scope::needed_for(request.method()))
}
// ANCHOR_END: admit

/// Who the caller is, where that matters: nobody in particular for those who watch the instance.
async fn identify(
    state: &AppState,
    request: &ServiceRequest,
    notes: &RequestNotes,
) -> Result<Option<Principal>, Refusal> {
    if notes.is_operational() {
        return Ok(None);
    }
    let caller = state.authenticator().identify(request.headers()).await?;
    if let Some(principal) = &caller {
        notes.set_principal(principal.clone());
    }
    Ok(caller)
}

/// Whoever watches the instance still learns that it lives, and whether it is ready.
///
/// A place is kept with the notes, and so as long as anything of the request goes on. It is taken in one step. Were requests counted first and compared with the limit then, those that are about to be
/// refused would crowd out others.
fn take_place(state: &AppState, notes: &RequestNotes) -> Result<(), Problem> {
    if notes.is_operational() {
        return Ok(());
    }
    if state.lifecycle().is_closing() {
        return Err(Problem::shutting_down());
    }
    let place = state.places().clone().try_acquire_owned();
    notes.set_place(place.map_err(|_| Problem::overloaded())?);
    Ok(())
}

/// Unknown paths count, or guessing them would be free.
async fn check_rate(state: &AppState, request: &ServiceRequest, notes: &RequestNotes) -> Result<(), Problem> {
    match state.rate_limiter() {
        Some(limiter) if !notes.is_operational() => limiter.admit(request.request(), notes).await,
        Some(_) | None => Ok(()),
    }
}

fn check_route(request: &ServiceRequest, notes: &RequestNotes) -> Result<(), Problem> {
    if !is_decodable(request.uri().path()) {
        return Err(Problem::new(
            Code::MalformedRequest,
            "The path is not percent-encoded UTF-8",
        ));
    }
    let route = notes.route().ok_or_else(Problem::no_such_path)?;
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
