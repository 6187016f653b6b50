//! The rules of the domain as JSON Schema, for the OpenAPI document. A test compares them with the parsers.

use domain::{Email, UserName};
use utoipa::openapi::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};

/// Not blank, and no control characters.
const NAME_PATTERN: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x1f\x7f-\x9f\s][^\x00-\x1f\x7f-\x9f]*$";

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
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Email)))
        .description(Some(
            "Where the user is reached: trimmed, ASCII, lower-cased. No two users share it.",
        ))
        .max_length(Some(Email::MAX_CHARS))
        .pattern(Some(EMAIL_PATTERN))
        .examples(["tanaka@example.com"])
        .build()
}
