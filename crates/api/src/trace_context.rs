//! The trace that a request belongs to (W3C Trace Context, <https://www.w3.org/TR/trace-context-2/>).

use std::fmt;

use actix_web::http::header::HeaderMap;
use uuid::Uuid;

const TRACEPARENT: &str = "traceparent";

/// What one request and all that it brings about have in common, across services. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceId(pub(crate) u128);

impl TraceId {
    /// The id of a trace that begins here.
    pub(crate) fn random() -> Self {
        // Neither zero nor, in its last 62 bits, anything but random: level 2 asks for 56.
        Self(Uuid::new_v4().as_u128())
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

/// What a caller says about its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceParent {
    pub(crate) trace_id: TraceId,
    /// The caller's own part of the trace. Never zero.
    pub(crate) span_id: u64,
    /// Whether the caller records its part.
    pub(crate) is_sampled: bool,
}

impl TraceParent {
    /// The trace that a request names. Nothing if it names none, or not as the standard has it: then a new one begins.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT);
        match (values.next(), values.next()) {
            (Some(value), None) => Self::parse(value.to_str().ok()?),
            _ => None,
        }
    }

    /// `version "-" trace-id "-" parent-id "-" trace-flags` (section 3.2). A version that is still to come may append to it.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(5, '-');
        let version = hexadecimal(fields.next()?, 2)?;
        let trace_id = hexadecimal(fields.next()?, 32)?;
        let span_id = u64::try_from(hexadecimal(fields.next()?, 16)?).ok()?;
        let flags = hexadecimal(fields.next()?, 2)?;
        let has_more = fields.next().is_some();
        if version == 0xff || (version == 0 && has_more) || trace_id == 0 || span_id == 0 {
            return None;
        }
        Some(Self {
            trace_id: TraceId(trace_id),
            span_id,
            is_sampled: flags & 1 == 1,
        })
    }
}

/// Lower-case digits, exactly so many.
fn hexadecimal(text: &str, digits: usize) -> Option<u128> {
    let are_digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() == digits && are_digits {
        u128::from_str_radix(text, 16).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn the_example_of_the_standard_is_read() {
        let parent = TraceParent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        assert_eq!(parent.trace_id.to_string(), TRACE);
        assert_eq!((parent.span_id, parent.is_sampled), (0x00f0_67aa_0ba9_02b7, true));
        let unsampled = TraceParent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02").unwrap();
        assert!(!unsampled.is_sampled, "the second flag is another");
    }

    #[test]
    fn versions_to_come_are_read_as_far_as_they_are_known() {
        for accepted in [
            format!("01-{TRACE}-00f067aa0ba902b7-01"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01-what-comes-then"),
            format!("fe-{TRACE}-00f067aa0ba902b7-01-"),
        ] {
            assert!(TraceParent::parse(&accepted).is_some(), "{accepted}");
        }
    }

    #[test]
    fn whatever_is_not_as_the_standard_has_it_is_refused() {
        for refused in [
            String::new(),
            TRACE.to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-"),
            format!("00-{TRACE}-00f067aa0ba902b7-1"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("0-{TRACE}-00f067aa0ba902b7-01"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01.more"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-00F067AA0BA902B7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-0x"),
            format!("00-+{}-00f067aa0ba902b7-01", "1".repeat(31)),
            format!("00-{TRACE}0-00f067aa0ba902b7-01"),
            format!(" 00-{TRACE}-00f067aa0ba902b7-01"),
        ] {
            assert_eq!(TraceParent::parse(&refused), None, "{refused:?}");
        }
    }

    #[test]
    fn a_trace_that_is_named_twice_is_not_believed() {
        let one = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let request = TestRequest::get().insert_header((TRACEPARENT, one.clone()));
        assert!(TraceParent::of(request.to_http_request().headers()).is_some());
        let request = TestRequest::get()
            .insert_header((TRACEPARENT, one.clone()))
            .append_header((TRACEPARENT, one));
        assert_eq!(TraceParent::of(request.to_http_request().headers()), None);
        assert_eq!(TraceParent::of(TestRequest::get().to_http_request().headers()), None);
    }

    #[test]
    fn a_new_trace_has_an_id_of_32_digits() {
        let id = TraceId::random();
        assert_eq!(id.to_string().len(), 32);
        assert_ne!(id, TraceId::random());
    }
}
