//! Who may look at the console: pages of the console itself, and whoever typed its address.
//!
//! A developer's browser also has pages of strangers open, and these can send requests to this machine. Two things keep the
//! console from them. Browsers say whether a request comes from a page of another site (`Sec-Fetch-Site`, Fetch Metadata Request
//! Headers, W3C); and a page that has its own name lead to this machine (DNS rebinding) still asks for that name. So the console
//! is asked for by an address or as `localhost`, which nobody else can have. The middleware adds to that: no header of CORS,
//! whatever `CORS_ORIGINS` says.

use std::{
    future::{Ready, ready},
    net::{Ipv4Addr, Ipv6Addr},
};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{HOST, HeaderMap, HeaderValue},
};

use crate::problem::{Code, Problem};

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Somebody who may look at the console.
pub(super) struct Visitor;

impl FromRequest for Visitor {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(check(request.headers()).map(|()| Self))
    }
}

fn check(headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    if !matches!(site, None | Some(b"same-origin" | b"none")) {
        return Err(refused("The console is shown to no page but its own"));
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(is_unmistakable) {
        return Err(refused(
            "Ask for the console by an address, such as 127.0.0.1, or as localhost: any other name may be led here by somebody else",
        ));
    }
    Ok(())
}

fn refused(detail: &'static str) -> Problem {
    Problem::new(Code::Forbidden, detail)
}

/// Whether a host, with a port or without, leads to the same machine whoever answers for names.
fn is_unmistakable(host: &str) -> bool {
    if let Some(literal) = host.strip_prefix('[') {
        let address = literal.split(']').next().unwrap_or_default();
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let name = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    name.parse::<Ipv4Addr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    fn is_let_in(headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        check(&map).is_ok()
    }

    #[test]
    fn the_console_is_asked_for_by_an_address_or_as_localhost() {
        for host in [
            "127.0.0.1:8000",
            "10.1.2.3",
            "[::1]:8000",
            "localhost",
            "LOCALHOST:8000",
            "app.localhost:8000",
        ] {
            assert!(is_let_in(&[("host", host)]), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:8000",
            "127.0.0.1.evil.example",
            "[evil]",
            "",
        ] {
            assert!(!is_let_in(&[("host", host)]), "{host}");
        }
        assert!(!is_let_in(&[]));
    }

    #[test]
    fn a_page_of_another_site_is_shown_nothing() {
        for (site, expected) in [
            ("none", true),
            ("same-origin", true),
            ("same-site", false),
            ("cross-site", false),
            ("x", false),
        ] {
            assert_eq!(
                is_let_in(&[("host", "localhost"), ("sec-fetch-site", site)]),
                expected,
                "{site}"
            );
        }
    }
}
