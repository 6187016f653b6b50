//! Who counts as a client.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use actix_web::http::header::{HeaderMap, X_FORWARDED_FOR};
use ipnet::IpNet;

use crate::{auth::Principal, digest::sha256_of_parts};

const KEY_BYTES: usize = 16;

/// A client, as its bucket is called. In a store outside of this process that is 128 bits of a SHA-256: no address and no
/// name of a person stands there. That they could be found by trying all of them is no secret, so the store is to be guarded
/// all the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ClientKey {
    /// A caller that has proved who it is, by a hash.
    Principal([u8; KEY_BYTES]),
    /// Whoever comes from this address.
    Ipv4(Ipv4Addr),
    /// Whoever comes from the network with these first 64 bits; the others are 0.
    Ipv6Network(u128),
    /// Whoever comes from no address, as over a Unix socket.
    Nowhere,
}

impl ClientKey {
    /// The key of a caller that has proved who it is.
    pub(super) fn of_principal(principal: &Principal) -> Self {
        let subject = principal.subject().as_bytes();
        Self::Principal(match principal.issuer() {
            Some(issuer) => hash(&[b"token", issuer.as_bytes(), subject]),
            None => hash(&[b"token", subject]),
        })
    }

    /// The key of whoever comes from this address. Requests that come from none share one.
    ///
    /// An IPv6 address counts by its first 64 bits: who has one address there has them all (RFC 6177 section 2).
    pub(super) fn of_address(address: Option<IpAddr>) -> Self {
        const NETWORK: u128 = !(u64::MAX as u128);
        match address.map(|address| address.to_canonical()) {
            None => Self::Nowhere,
            Some(IpAddr::V4(address)) => Self::Ipv4(address),
            Some(IpAddr::V6(address)) => Self::Ipv6Network(address.to_bits() & NETWORK),
        }
    }

    /// What it is called in a store outside of this process.
    fn hashed(self) -> [u8; KEY_BYTES] {
        match self {
            Self::Principal(hash) => hash,
            Self::Ipv4(address) => hash(&[b"address", &address.octets()]),
            Self::Ipv6Network(network) => hash(&[b"address", &network.to_be_bytes()]),
            Self::Nowhere => hash(&[b"nowhere"]),
        }
    }
}

fn hash(parts: &[&[u8]]) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    key.iter_mut()
        .zip(sha256_of_parts(parts))
        .for_each(|(byte, hashed)| *byte = hashed);
    key
}

/// The name in a store outside of this process, in hexadecimal.
impl fmt::Display for ClientKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hashed()
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientKey")
    }
}

/// The address that a request comes from, when its connection comes from `peer`.
///
/// Each proxy adds to the right of `X-Forwarded-For` the address that it was asked from, and passes on what it was given. So
/// the list is true from the right for as long as proxies that we trust wrote it: the first address there that is none of
/// them is the client, and all that is left of it is hearsay. An entry that is no address ends the walk at the proxy that
/// wrote it.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted_proxies.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).collect();
    // Several lines are one list (RFC 9110 section 5.3).
    let entries = lines
        .iter()
        .rev()
        .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for entry in entries {
        if !is_trusted(&client) {
            break;
        }
        match address_of(entry) {
            Some(address) => client = address,
            None => break,
        }
    }
    client
}

/// An address, as proxies write it: `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, the first and the last also with a port.
fn address_of(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    let with_port = || entry.parse().ok().map(|address: SocketAddr| address.ip());
    let in_brackets = || {
        let address: Ipv6Addr = entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?;
        Some(IpAddr::V6(address))
    };
    let address: Option<IpAddr> = entry.parse().ok().or_else(with_port).or_else(in_brackets);
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    const TRUSTED: [&str; 3] = ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8"];

    fn client(peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let trusted = TRUSTED.map(|network| network.parse().unwrap());
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_says() {
        for line in ["", "198.51.100.1", "10.0.0.1", "198.51.100.1, 10.0.0.1", "garbage"] {
            assert_eq!(client("203.0.113.9", &[line]), "203.0.113.9", "{line}");
        }
        assert_eq!(client("203.0.113.9", &[]), "203.0.113.9");
    }

    #[test]
    fn behind_trusted_proxies_the_first_stranger_from_the_right_is_the_client() {
        for (lines, expected) in [
            (&[][..], "10.0.0.1"),
            (&["198.51.100.1"], "198.51.100.1"),
            // What the client claims stands to its left.
            (&["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            (&["10.0.0.2, 198.51.100.1"], "198.51.100.1"),
            (&["garbage, 198.51.100.1"], "198.51.100.1"),
            // Several proxies in a row.
            (&["1.1.1.1, 198.51.100.1, 10.9.9.9, 192.0.2.7"], "198.51.100.1"),
            (&["1.1.1.1, 198.51.100.1, 192.0.2.8"], "192.0.2.8"),
            // Nobody but proxies: the farthest.
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // Lines are one list.
            (&["1.1.1.1", "198.51.100.1", "10.0.0.2"], "198.51.100.1"),
            (&["1.1.1.1, 198.51.100.1", "10.0.0.2,192.0.2.7"], "198.51.100.1"),
            // Forms.
            (&["198.51.100.1:4711"], "198.51.100.1"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["::ffff:198.51.100.1"], "198.51.100.1"),
            (&["[::ffff:198.51.100.1]:80"], "198.51.100.1"),
            (&["198.51.100.1, fd12::1"], "198.51.100.1"),
            (&["198.51.100.1, ::ffff:10.0.0.2"], "198.51.100.1"),
            (&[" \t198.51.100.1\t ,10.0.0.2 "], "198.51.100.1"),
        ] {
            assert_eq!(client("10.0.0.1", lines), expected, "{lines:?}");
            assert_eq!(
                client("::ffff:10.0.0.1", lines),
                expected,
                "{lines:?} to a socket for both kinds"
            );
        }
    }

    #[test]
    fn what_is_no_address_ends_the_walk_at_the_proxy_that_wrote_it() {
        for garbage in [
            "",
            " ",
            "unknown",
            "_hidden",
            "198.51.100",
            "198.51.100.1.1",
            "0198.51.100.1",
            "198.51.100.256",
            "198.51.100.1:",
            "198.51.100.1:65536",
            "198.51.100.1:-1",
            "[198.51.100.1]",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]x",
            "fe80::1%eth0",
            "\"198.51.100.1\"",
            "for=198.51.100.1",
            "198.51.100.1 198.51.100.2",
            "198.51.100.1;",
            "http://198.51.100.1",
            "localhost",
            "٣.1.1.1",
            "\u{7f}",
        ] {
            if HeaderValue::from_bytes(garbage.as_bytes()).is_err() {
                continue; // It does not get here.
            }
            assert_eq!(client("10.0.0.1", &[garbage]), "10.0.0.1", "{garbage:?}");
            let after = format!("198.51.100.1, {garbage}, 10.0.0.2");
            assert_eq!(client("10.0.0.1", &[&after]), "10.0.0.2", "{garbage:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_end_the_walk() {
        let mut headers = HeaderMap::new();
        headers.append(
            X_FORWARDED_FOR,
            HeaderValue::from_bytes(b"198.51.100.1, \xff, 10.0.0.2").unwrap(),
        );
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let client = client_address("10.0.0.1".parse().unwrap(), &headers, &trusted);
        assert_eq!(client.to_string(), "10.0.0.2");
    }

    #[test]
    fn an_endless_list_is_walked_no_farther_than_trusted() {
        let long = "198.51.100.2,".repeat(100_000) + "198.51.100.1";
        assert_eq!(client("10.0.0.1", &[&long]), "198.51.100.1");
    }

    #[test]
    fn addresses_of_one_client_have_one_key() {
        let key = |address: &str| ClientKey::of_address(Some(address.parse().unwrap())).to_string();
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_ne!(key("::1"), ClientKey::of_address(None).to_string());
        assert_eq!(key("192.0.2.1").len(), 2 * KEY_BYTES);
    }

    #[test]
    fn a_subject_is_a_client_of_its_own_with_each_issuer() {
        let key = |issuer: Option<&str>, subject: &str| {
            ClientKey::of_principal(&Principal::assumed(issuer, subject)).to_string()
        };
        let keys = [
            key(None, "ann"),
            key(Some(""), "ann"),
            key(Some("a"), "nn"),
            key(Some("an"), "n"),
            key(None, "a\0nn"),
            key(Some("https://issuer.example"), "ann"),
        ];
        for (index, one) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(one), "{index}");
            assert!(!one.contains("ann"));
        }
        assert_eq!(key(None, "ann"), keys[0]);
    }
}
