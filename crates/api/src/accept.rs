//! Which of the media types on offer a client would rather have (RFC 9110 section 12.5.1).

use actix_web::{
    HttpRequest,
    http::header::{Accept, Header, Quality},
};

/// How closely a range of media types describes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    /// `*/*`
    Anything,
    /// `text/*`
    Kind,
    /// `text/html`
    Itself,
}

/// The type on `offer` that the request prefers; among equals the one that is offered first. Nothing if it accepts none.
///
/// A request that says nothing accepts everything. Each offer is a type without parameters, in lower case; parameters of
/// the ranges in the request, other than their weights, are not looked at.
pub(crate) fn preferred<'a>(request: &HttpRequest, offer: &[&'a str]) -> Option<&'a str> {
    let ranges = Accept::parse(request).map(|accept| accept.0).unwrap_or_default();
    if ranges.is_empty() {
        return offer.first().copied();
    }
    let weight = |offered: &str| {
        ranges
            .iter()
            .filter_map(|range| Some((closeness(range.item.essence_str(), offered)?, range.quality)))
            .max_by_key(|(closeness, _)| *closeness)
            .map_or(Quality::ZERO, |(_, weight)| weight)
    };
    offer
        .iter()
        .map(|offered| (weight(offered), *offered))
        .filter(|(weight, _)| *weight > Quality::ZERO)
        // The last of equals would win otherwise.
        .rev()
        .max_by_key(|(weight, _)| *weight)
        .map(|(_, offered)| offered)
}

fn closeness(range: &str, offered: &str) -> Option<Closeness> {
    if range == offered {
        return Some(Closeness::Itself);
    }
    match range.strip_suffix('*')? {
        "*/" => Some(Closeness::Anything),
        kind if offered.starts_with(kind) => Some(Closeness::Kind),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{http::header::ACCEPT, test::TestRequest};

    use super::*;

    const OFFER: [&str; 2] = ["text/html", "application/json"];

    fn preference(accept: &str) -> Option<&'static str> {
        let request = TestRequest::get().insert_header((ACCEPT, accept));
        preferred(&request.to_http_request(), &OFFER)
    }

    #[test]
    fn whoever_says_nothing_gets_the_first() {
        assert_eq!(
            preferred(&TestRequest::get().to_http_request(), &OFFER),
            Some("text/html")
        );
        assert_eq!(preference(""), Some("text/html"));
    }

    #[test]
    fn the_weight_decides_and_then_the_order_of_the_offer() {
        for (accept, expected) in [
            ("*/*", "text/html"),
            ("text/html", "text/html"),
            ("text/*", "text/html"),
            ("application/json", "application/json"),
            ("Application/JSON", "application/json"),
            ("application/*", "application/json"),
            ("application/json; charset=utf-8", "application/json"),
            ("application/json, text/html", "text/html"),
            ("application/json, text/html;q=0.9", "application/json"),
            ("application/json;q=0.2, text/html;q=0.1", "application/json"),
            ("application/json;q=0.5, */*;q=0.4", "application/json"),
            // What browsers send.
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
                "text/html",
            ),
        ] {
            assert_eq!(preference(accept), Some(expected), "{accept}");
        }
    }

    #[test]
    fn the_closest_range_counts_even_if_it_weighs_less() {
        assert_eq!(preference("*/*, text/html;q=0.1"), Some("application/json"));
        assert_eq!(preference("text/html;q=0, */*"), Some("application/json"));
        assert_eq!(
            preference("text/*;q=0.9, text/html;q=0.2, application/json;q=0.5"),
            Some("application/json")
        );
    }

    #[test]
    fn what_is_not_accepted_is_not_sent() {
        for accept in [
            "image/png",
            "text/plain",
            "text/html;q=0, application/json;q=0",
            "*/*;q=0",
        ] {
            assert_eq!(preference(accept), None, "{accept}");
        }
    }
}
