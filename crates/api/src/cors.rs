//! Cross-origin resource sharing: which pages of other origins may call the service from a browser, and read its answers
//! (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! The [`edge`](crate::middleware::edge) does this itself, and not actix-cors (0.7.2). As a middleware within the edge that
//! would be cut off together with a request that is given up or whose handler panics, and a page could not read the 504 or
//! the 500, not even that it is one. Around the edge it would answer preflights that have no request id, no security
//! headers and no line in the log. Nor does it know which methods a path takes. (Before 0.7.2 it also left the headers out
//! wherever a middleware refuses a request.)
//!
//! Credentials, which are cookies and the like, are never allowed: the service has none. A page sends its bearer token in
//! `Authorization`, which is a header as any other.

use actix_web::{
    HttpResponse,
    dev::RequestHead,
    http::{
        Method,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap,
            HeaderName, HeaderValue, ORIGIN, VARY,
        },
    },
};

use crate::route_table::Route;

/// Which origins may call the service from a browser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CrossOrigin {
    /// None. Answers say nothing of CORS, which is how browsers know.
    #[default]
    Nobody,
    /// These, each as a browser sends it: `https://app.example.com`, `http://localhost:3000`.
    Origins(Vec<String>),
    /// All, without credentials.
    Anybody,
}

/// What a page may send beyond what every page may.
const ALLOWED_HEADERS: &str = "Accept, Authorization, Cache-Control, Content-Type, Idempotency-Key, If-Match, \
                               If-None-Match, X-Request-ID, traceparent, tracestate";

/// What a page may read beyond what every page may.
const EXPOSED_HEADERS: &str = "ETag, Location, X-Request-ID, Link, RateLimit, RateLimit-Policy, Idempotency-Replayed, \
                               Retry-After, X-Process-Time, Allow, WWW-Authenticate";

/// The methods of the API, for a path that does not exist: the page is to learn that by a 404 that it can read.
const ALL_METHODS: &str = "DELETE, GET, HEAD, PATCH, POST";

/// How long a browser may remember the answer to a preflight, in seconds.
const MAX_AGE_SECONDS: &str = "600";

/// What the answer to a preflight depends on.
const VARY_OF_PREFLIGHT: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

impl CrossOrigin {
    /// The answer to a preflight, which is what a browser asks before it sends a request that a mere link or form could not
    /// send; nothing for any other request. `route` is the one that the path leads to.
    ///
    /// An origin that is not allowed gets the same answer without the permission. By that the browser knows.
    pub(crate) fn answer_preflight(&self, request: &RequestHead, route: Option<&Route>) -> Option<HttpResponse> {
        let is_preflight = request.method == Method::OPTIONS
            && request.headers.contains_key(ORIGIN)
            && request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if *self == Self::Nobody || !is_preflight {
            return None;
        }
        let mut answer = HttpResponse::NoContent();
        answer.insert_header((VARY, VARY_OF_PREFLIGHT));
        if let Some(allowed) = self.allowed_origin(&request.headers) {
            let methods = route.map_or_else(|| ALL_METHODS.to_owned(), Route::allow);
            answer
                .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, allowed))
                .insert_header((ACCESS_CONTROL_ALLOW_METHODS, methods))
                .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS))
                .insert_header((ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS));
        }
        Some(answer.finish())
    }

    /// The headers that the answer to a request with these headers carries, whatever the answer is.
    pub(crate) fn headers_of_answer(&self, request: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        if let Self::Origins(_) = self {
            // Always: a cache must not give one origin what was meant for another, or for none.
            headers.push((VARY, HeaderValue::from_static("Origin")));
        }
        if let Some(allowed) = self.allowed_origin(request) {
            headers.push((ACCESS_CONTROL_ALLOW_ORIGIN, allowed));
            headers.push((ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS)));
        }
        headers
    }

    /// What `Access-Control-Allow-Origin` says to the origin of a request, if it names one and that is allowed.
    fn allowed_origin(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(ORIGIN)?;
        match self {
            Self::Nobody => None,
            // Browsers write an origin in one way only, so bytes are compared (RFC 6454 section 6.2).
            Self::Origins(origins) => origins
                .iter()
                .any(|allowed| allowed.as_bytes() == origin.as_bytes())
                .then(|| origin.clone()),
            Self::Anybody => Some(HeaderValue::from_static("*")),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{http::StatusCode, test::TestRequest};

    use super::*;

    const APP: &str = "https://app.example.com";

    fn these() -> CrossOrigin {
        CrossOrigin::Origins(vec!["http://localhost:3000".to_owned(), APP.to_owned()])
    }

    fn headers_for(policy: &CrossOrigin, origin: Option<&str>) -> Vec<(String, String)> {
        let mut request = TestRequest::get();
        if let Some(origin) = origin {
            request = request.insert_header((ORIGIN, origin));
        }
        let headers = policy.headers_of_answer(request.to_http_request().headers());
        let text = |value: HeaderValue| value.to_str().unwrap().to_owned();
        headers
            .into_iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect()
    }

    fn preflight(policy: &CrossOrigin, method: Method, headers: &[(&str, &str)]) -> Option<HttpResponse> {
        let mut request = TestRequest::default().method(method);
        for header in headers {
            request = request.insert_header(*header);
        }
        policy.answer_preflight(request.to_http_request().head(), None)
    }

    #[test]
    fn nobody_is_told_nothing() {
        assert_eq!(headers_for(&CrossOrigin::Nobody, Some(APP)), []);
        let asked = [("origin", APP), ("access-control-request-method", "GET")];
        assert!(preflight(&CrossOrigin::Nobody, Method::OPTIONS, &asked).is_none());
    }

    #[test]
    fn a_listed_origin_is_named_and_no_other_spelling_of_it() {
        let vary = ("vary".to_owned(), "Origin".to_owned());
        let named = headers_for(&these(), Some(APP));
        assert_eq!(named[0], vary);
        assert_eq!(named[1], ("access-control-allow-origin".to_owned(), APP.to_owned()));
        assert_eq!(named[2].0, "access-control-expose-headers");
        for foreign in [
            "https://app.example.com:443",
            "https://APP.example.com",
            "https://app.example.com/",
            "http://app.example.com",
            "https://app.example.com.evil.example",
            "https://evil.example",
            "null",
            "",
        ] {
            assert_eq!(
                headers_for(&these(), Some(foreign)),
                std::slice::from_ref(&vary),
                "{foreign}"
            );
        }
        assert_eq!(headers_for(&these(), None), [vary]);
    }

    #[test]
    fn for_anybody_the_answer_is_the_same_whoever_asks() {
        for origin in [APP, "null", "http://localhost:3000"] {
            let headers = headers_for(&CrossOrigin::Anybody, Some(origin));
            assert_eq!(headers[0], ("access-control-allow-origin".to_owned(), "*".to_owned()));
            assert!(headers.iter().all(|(name, _)| name != "vary"), "{headers:?}");
        }
        assert_eq!(headers_for(&CrossOrigin::Anybody, None), []);
    }

    #[test]
    fn a_preflight_is_an_options_request_with_an_origin_and_a_method() {
        let origin = ("origin", APP);
        let method = ("access-control-request-method", "PATCH");
        let answer = preflight(&these(), Method::OPTIONS, &[origin, method]).unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        assert_eq!(answer.headers().get(ACCESS_CONTROL_ALLOW_METHODS).unwrap(), ALL_METHODS);
        assert!(preflight(&these(), Method::OPTIONS, &[origin]).is_none());
        assert!(preflight(&these(), Method::OPTIONS, &[method]).is_none());
        assert!(preflight(&these(), Method::GET, &[origin, method]).is_none());
    }

    #[test]
    fn a_preflight_of_a_foreign_origin_is_answered_without_permission() {
        let asked = [
            ("origin", "https://evil.example"),
            ("access-control-request-method", "GET"),
        ];
        let answer = preflight(&these(), Method::OPTIONS, &asked).unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        let names: Vec<_> = answer.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["vary"]);
    }
}
