//! The headers that every answer carries.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(super) const X_PROCESS_TIME: HeaderName = HeaderName::from_static("x-process-time");

/// The longest request id that is taken from a client, in characters.
const MAX_REQUEST_ID_CHARS: usize = 128;

/// The client's own id where it is harmless in a log, else a fresh one that sorts by time.
pub(crate) fn request_id(headers: &HeaderMap) -> String {
    let is_harmless = |id: &&str| {
        (1..=MAX_REQUEST_ID_CHARS).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let given = headers
        .get(X_REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(is_harmless);
    given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

// ANCHOR: security-headers
/// What browsers and caches must know of every answer.
pub(super) fn add_security_headers(headers: &mut HeaderMap, is_api: bool) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if is_api {
        // What has a tag may be kept by the client that asked, if it asks again whether that is still so.
        let is_tagged = headers.contains_key(header::ETAG);
        let policy = if is_tagged { "private, no-cache" } else { "no-store" };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(policy));
    }
}
// ANCHOR_END: security-headers
