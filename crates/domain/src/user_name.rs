//! What people are called. Every script and emoji works.

use std::fmt;

use crate::{Rule, Violation};

/// A display name: trimmed of surrounding white space, 1 to 100 Unicode scalar values, no control characters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserName(String);

impl UserName {
    /// The longest name, in Unicode scalar values (not bytes, not grapheme clusters). The column is as wide.
    pub const MAX_CHARS: usize = 100;

    const LENGTH: Violation = Violation::new(Rule::Length, "must be 1 to 100 characters");
    const CONTROL: Violation = Violation::new(Rule::ControlCharacter, "must not contain control characters");

    // ANCHOR: parse
    /// Trims `text` and checks the rules.
    ///
    /// # Errors
    /// [`Rule::ControlCharacter`] before [`Rule::Length`], when both are broken.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let trimmed = text.trim();
        if trimmed.chars().any(char::is_control) {
            return Err(Self::CONTROL);
        }
        // `take` bounds the count: a body may hold a name of a megabyte.
        match trimmed.chars().take(Self::MAX_CHARS + 1).count() {
            1..=Self::MAX_CHARS => Ok(Self(trimmed.to_owned())),
            _ => Err(Self::LENGTH),
        }
    }
    // ANCHOR_END: parse

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as an owned string, without a copy.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

// ANCHOR: debug
/// Names are personal: `Debug` output ends up in logs, so it shows only the length.
impl fmt::Debug for UserName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "UserName({} characters)", self.0.chars().count())
    }
}
// ANCHOR_END: debug

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blanks_are_trimmed_before_the_length_is_checked() {
        assert_eq!(UserName::parse("  "), Err(UserName::LENGTH));
        assert_eq!(
            UserName::parse("\u{3000}田中 太郎\n").map(UserName::into_string),
            Ok("田中 太郎".to_owned())
        );
    }

    #[test]
    fn length_counts_scalar_values_and_not_bytes() {
        assert!(UserName::parse(&"🦀".repeat(100)).is_ok());
        assert_eq!(UserName::parse(&"a".repeat(101)), Err(UserName::LENGTH));
    }

    #[test]
    fn control_characters_are_refused_wherever_trimming_leaves_them() {
        for text in ["a\0b", "a\nb", "\u{7f}", "a\u{9b}b"] {
            assert_eq!(UserName::parse(text), Err(UserName::CONTROL), "{text:?}");
        }
    }

    #[test]
    fn debug_output_hides_the_name() {
        assert_eq!(
            format!("{:?}", UserName::parse("Zoë").unwrap()),
            "UserName(3 characters)"
        );
    }

    proptest! {
        // ANCHOR: properties
        #[test]
        fn whatever_is_accepted_obeys_every_rule_and_parses_to_itself(text in any::<String>()) {
            if let Ok(name) = UserName::parse(&text) {
                prop_assert!((1..=100).contains(&name.as_str().chars().count()));
                prop_assert!(!name.as_str().chars().any(char::is_control));
                prop_assert_eq!(name.as_str().trim(), name.as_str());
                prop_assert_eq!(UserName::parse(name.as_str()).unwrap(), name);
            }
        }
        // ANCHOR_END: properties

        #[test]
        fn every_printable_name_of_up_to_100_characters_is_accepted(text in r"[^\s\p{Cc}]([^\p{Cc}]{0,98}[^\s\p{Cc}])?") {
            let parsed = UserName::parse(&text).map(UserName::into_string);
            prop_assert_eq!(parsed, Ok(text));
        }
    }
}
