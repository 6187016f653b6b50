//! The rules of the domain as JSON Schema, for the OpenAPI document. A test compares them with the parsers.

use domain::{Email, UserName};
use utoipa::openapi::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};

use super::transfer::LineCode;

/// Not blank, and no control characters. What is blank is spelled out, since readers of patterns disagree about `\s`.
const NAME_PATTERN: &str = concat!(
    r"^[^\x00-\x1f\x7f-\x9f]*",
    r"[^\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]",
    r"[^\x00-\x1f\x7f-\x9f]*$",
);

/// A dot-atom, `@` and a domain of two or more labels. The limits of length that the parts have are left to the parser.
const EMAIL_PATTERN: &str = concat!(
    r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*",
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$",
);

/// What a user is called.
pub(super) fn name() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(
            "What the user is called, in any script: trimmed, not blank, without control characters.",
        ))
        .min_length(Some(1))
        .max_length(Some(UserName::MAX_CHARS))
        .pattern(Some(NAME_PATTERN))
        .examples(["田中太郎"])
        .build()
}

/// Where a user is reached.
pub(super) fn email() -> Object {
    let description = "Where the user is reached: trimmed, ASCII, lower-cased. No two users share it.";
    email_form(description).examples(["tanaka@example.com"]).build()
}

/// Whose entry of the list is wanted. Without an example, which Swagger UI would send with every first try.
pub(super) fn email_filter() -> Object {
    email_form("Only the user with this address.").build()
}

/// What is wrong with a line of an import.
pub(in crate::users) fn line_code() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(
            "What is wrong with the line, for programs: a code of a fault, or of a problem. Of several faults, the first.",
        ))
        .enum_values(Some(LineCode::ALL))
        .examples(["length"])
        .build()
}

fn email_form(description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Email)))
        .description(Some(description))
        .max_length(Some(Email::MAX_CHARS))
        .pattern(Some(EMAIL_PATTERN))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use jsonschema::Validator;
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    static NAME: LazyLock<Validator> = LazyLock::new(|| compile(&name()));
    static EMAIL: LazyLock<Validator> = LazyLock::new(|| compile(&email()));

    fn compile(schema: &Object) -> Validator {
        let schema = serde_json::to_value(schema).unwrap();
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        options.build(&schema).unwrap()
    }

    /// Texts of characters about which readers of patterns disagree, up to just beyond the longest name.
    fn odd_text() -> impl Strategy<Value = String> {
        let characters =
            "aé田🦀 \t\n\0\u{b}\u{1c}\u{1f}\u{7f}\u{85}\u{9f}\u{a0}\u{180e}\u{200b}\u{2028}\u{3000}\u{feff}";
        let character = select(characters.chars().collect::<Vec<_>>());
        prop_oneof![
            vec(character.clone(), 0..4).prop_map(String::from_iter),
            (character, 99..102_usize).prop_map(|(character, count)| character.to_string().repeat(count)),
            any::<String>(),
        ]
    }

    /// Texts that are addresses or nearly so.
    fn odd_address() -> impl Strategy<Value = String> {
        let label = "[a-zA-Z0-9-]{1,4}|[a-z0-9]{62,64}";
        let local = "[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,8}|[a-z]{63,65}";
        (local, vec(label, 1..5)).prop_map(|(local, labels)| format!("{local}@{}", labels.join(".")))
    }

    proptest! {
        #[test]
        fn a_trimmed_name_fits_its_schema_when_it_is_accepted_and_not_else(text in odd_text()) {
            let text = text.trim();
            prop_assert_eq!(NAME.is_valid(&text.into()), UserName::parse(text).is_ok(), "{:?}", text);
        }

        #[test]
        fn a_trimmed_address_fits_its_schema_when_it_is_accepted(text in prop_oneof![odd_address(), odd_text()]) {
            let text = text.trim();
            if Email::parse(text).is_ok() {
                prop_assert!(EMAIL.is_valid(&text.into()), "{:?}", text);
            }
        }

        #[test]
        fn an_address_that_fits_its_schema_is_refused_for_the_length_of_a_part_alone(text in odd_address()) {
            let local_chars = text.split('@').next().unwrap().len();
            if EMAIL.is_valid(&text.as_str().into()) && local_chars <= 64 {
                prop_assert!(Email::parse(&text).is_ok(), "{:?}", text);
            }
        }
    }
}
