//! One hash for several texts.

use sha2::{Digest, Sha256};

/// SHA-256 of several parts. Each goes in behind its length, so that no other parts make the same whole.
pub(crate) fn sha256_of_parts(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::sha256_of_parts;

    #[test]
    fn the_border_between_two_parts_counts() {
        assert_ne!(sha256_of_parts(&[b"ab", b"c"]), sha256_of_parts(&[b"a", b"bc"]));
        assert_ne!(sha256_of_parts(&[b"", b"a"]), sha256_of_parts(&[b"a", b""]));
        assert_eq!(sha256_of_parts(&[b"a", b"b"]), sha256_of_parts(&[b"a", b"b"]));
    }
}
