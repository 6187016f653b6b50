//! E-mail addresses, in the one form in which they are stored and compared.

use std::fmt;

use crate::{Rule, Violation};

/// An e-mail address: trimmed, ASCII, lower-cased, at most 254 characters.
///
/// The local part is a dot-atom (RFC 5322 section 3.2.3) of 1 to 64 characters. The domain is two or more labels of
/// letters, digits and inner hyphens (RFC 1123 section 2.1), 1 to 63 characters each; an internationalised domain is
/// written as `xn--…`. Quoted local parts, comments and address literals are refused. The limit of 254 follows from the
/// longest path of RFC 5321 section 4.5.3.1.3.
///
/// Lower-casing the local part goes beyond RFC 5321, which lets a host tell `Ann` from `ann`. No large provider does,
/// and one person with two accounts is the more frequent surprise.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Email(String);

impl Email {
    /// The longest address, in characters. The column is as wide.
    pub const MAX_CHARS: usize = 254;
    const MAX_LOCAL_CHARS: usize = 64;
    const MAX_LABEL_CHARS: usize = 63;

    const LENGTH: Violation = Violation::new(Rule::Length, "must be 1 to 254 characters");
    const FORMAT: Violation = Violation::new(Rule::Format, "must be an e-mail address such as ann@example.com");

    /// Trims and lower-cases `text` and checks the rules.
    ///
    /// # Errors
    /// [`Rule::Length`] when nothing or more than 254 characters remain after trimming, else [`Rule::Format`].
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let trimmed = text.trim();
        // No text has more characters than bytes, so only a long one is counted.
        let is_too_long = || trimmed.chars().nth(Self::MAX_CHARS).is_some();
        if trimmed.is_empty() || trimmed.len() > Self::MAX_CHARS && is_too_long() {
            return Err(Self::LENGTH);
        }
        match trimmed.rsplit_once('@') {
            Some((local, domain)) if is_local_part(local) && is_domain(domain) => {
                Ok(Self(trimmed.to_ascii_lowercase()))
            }
            _ => Err(Self::FORMAT),
        }
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address as an owned string, without a copy.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Addresses are personal: `Debug` output ends up in logs, so it shows only the length.
impl fmt::Debug for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Email({} characters)", self.0.len())
    }
}

/// A dot-atom: atoms separated by single dots.
fn is_local_part(local: &str) -> bool {
    local.len() <= Email::MAX_LOCAL_CHARS
        && parts(local).all(|atom| !atom.is_empty() && atom.iter().copied().all(is_atom_text))
}

/// `atext` of RFC 5322 section 3.2.3.
fn is_atom_text(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

fn is_domain(domain: &str) -> bool {
    domain.contains('.') && parts(domain).all(is_label)
}

/// A label of letters, digits and hyphens that neither starts nor ends with a hyphen.
fn is_label(label: &[u8]) -> bool {
    (1..=Email::MAX_LABEL_CHARS).contains(&label.len())
        && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        && !label.starts_with(b"-")
        && !label.ends_with(b"-")
}

/// The parts between the dots.
fn parts(text: &str) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().split(|byte| *byte == b'.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_trimmed_and_lower_cased() {
        assert_eq!(
            Email::parse(" Ann.O'Neil+x@Example.COM\t").unwrap().as_str(),
            "ann.o'neil+x@example.com"
        );
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        let refused = [
            "plain",
            "@example.com",
            "a@",
            "a@localhost",
            "a@example.",
            "a@.example.com",
            "a@ex..com",
            ".a@example.com",
            "a.@example.com",
            "a..b@example.com",
            "a b@example.com",
            "a@b@example.com",
            "\"a\"@example.com",
            "a@[127.0.0.1]",
            "a(comment)@example.com",
            "a@-example.com",
            "a@example-.com",
            "a@exa_mple.com",
            "太郎@example.com",
            "a@例え.jp",
            "a@example.com\0",
        ];
        for text in refused {
            assert_eq!(Email::parse(text), Err(Email::FORMAT), "{text:?}");
        }
    }

    #[test]
    fn each_length_is_accepted_up_to_its_limit_and_not_beyond() {
        let domain_of = |chars: usize| {
            let mut domain = String::new();
            while domain.len() + 64 < chars {
                domain.push_str(&"d".repeat(61));
                domain.push('.');
            }
            domain.push_str(&"e".repeat(chars - domain.len()));
            domain
        };
        assert!(Email::parse(&format!("{}@example.com", "l".repeat(64))).is_ok());
        assert_eq!(
            Email::parse(&format!("{}@example.com", "l".repeat(65))),
            Err(Email::FORMAT)
        );
        assert!(Email::parse(&format!("a@{}.jp", "x".repeat(63))).is_ok());
        assert_eq!(Email::parse(&format!("a@{}.jp", "x".repeat(64))), Err(Email::FORMAT));
        assert!(Email::parse(&format!("{}@{}", "l".repeat(64), domain_of(189))).is_ok());
        assert_eq!(
            Email::parse(&format!("{}@{}", "l".repeat(64), domain_of(190))),
            Err(Email::LENGTH)
        );
        assert_eq!(Email::parse("  "), Err(Email::LENGTH));
    }

    #[test]
    fn debug_output_hides_the_address() {
        assert_eq!(
            format!("{:?}", Email::parse("ann@example.com").unwrap()),
            "Email(15 characters)"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_normal_form(text in any::<String>()) {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()).unwrap(), email);
            }
        }

        #[test]
        fn every_well_formed_address_is_accepted_in_any_case(
            local in "[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\\.[a-z0-9-]{1,10}){0,3}",
            domain in "([a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?\\.){1,3}[a-z]{2,10}",
        ) {
            let text = format!("{local}@{domain}");
            let upper = Email::parse(&text.to_ascii_uppercase());
            prop_assert_eq!(upper.map(Email::into_string), Ok(text));
        }

        #[test]
        fn an_accepted_address_is_short_lower_case_ascii(text in "[ -~]{1,60}@[ -~]{1,60}\\.[a-zA-Z]{1,5}") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert!(email.as_str().len() <= 254);
                prop_assert!(email.as_str().bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()));
                prop_assert_eq!(email.as_str().matches('@').count(), 1);
            }
        }
    }
}
