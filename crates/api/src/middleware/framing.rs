//! What the HTTP layer (actix-http 3.20) lets through although it must not be trusted, because another program may read it
//! otherwise.

use actix_web::{
    dev::RequestHead,
    http::header::{CONTENT_LENGTH, HOST, UPGRADE},
};

use crate::problem::{Code, Problem};

/// The problem of a request whose head is not to be trusted. Its connection ends with the answer.
pub(super) fn refusal(head: &RequestHead) -> Option<Problem> {
    let detail = if !has_host(head) {
        "Host is not the name of a host"
    } else if has_two_lengths(head) {
        "A request with a body cannot ask to become a WebSocket"
    } else {
        return None;
    };
    Some(Problem::new(Code::MalformedRequest, detail))
}

/// A request without `Host`, or with two, has been refused before. What it says must be a host, with a port or without (RFC 9112
/// section 3.2, RFC 3986 section 3.2).
fn has_host(head: &RequestHead) -> bool {
    head.headers.get(HOST).is_none_or(|host| is_authority(host.as_bytes()))
}

/// An IP literal in brackets or a name, as far as it takes to know where it ends; then perhaps a port. It may be empty.
fn is_authority(host: &[u8]) -> bool {
    let is_address = |byte: &u8| byte.is_ascii_hexdigit() || b":.vV".contains(byte);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte);
    let behind = if let Some(literal) = host.strip_prefix(b"[") {
        let Some(end) = literal.iter().position(|byte| *byte == b']') else {
            return false;
        };
        let (address, behind) = literal.split_at(end);
        if address.is_empty() || !address.iter().all(is_address) {
            return false;
        }
        behind.get(1..).unwrap_or_default()
    } else {
        let end = host.iter().position(|byte| *byte == b':').unwrap_or(host.len());
        let (name, behind) = host.split_at(end);
        if !name.iter().all(is_name) {
            return false;
        }
        behind
    };
    match behind.split_first() {
        None => true,
        Some((colon, port)) => *colon == b':' && port.iter().all(u8::is_ascii_digit),
    }
}

/// Where a request would become a WebSocket, the HTTP layer takes all that follows for its body, whatever its `Content-Length`.
fn has_two_lengths(head: &RequestHead) -> bool {
    head.headers.contains_key(UPGRADE) && head.headers.contains_key(CONTENT_LENGTH) && {
        let names = head.headers.get_all(UPGRADE).filter_map(|value| value.to_str().ok());
        names
            .flat_map(|value| value.split(','))
            .any(|name| name.trim().eq_ignore_ascii_case("websocket"))
    }
}

#[cfg(test)]
mod tests {
    use super::is_authority;

    #[test]
    fn a_host_is_a_name_or_an_address_with_a_port_or_without() {
        for host in [
            "",
            "x",
            "example.com",
            "example.com:80",
            "example.com:",
            "127.0.0.1:8000",
            "[::1]",
            "[2001:db8::1]:8000",
            "[v1.a:b]",
            "a_b-c~%20",
        ] {
            assert!(is_authority(host.as_bytes()), "{host}");
        }
        for host in [
            "a b", "user@x", "x/y", "x?y", "x#y", "x:8a", "x:80:80", "x, y", "[::1", "[]", "[::1]x", "[::1]:x", "[x]",
            "x\\y", "\u{e9}", "x\ty",
        ] {
            assert!(!is_authority(host.as_bytes()), "{host}");
        }
    }
}
