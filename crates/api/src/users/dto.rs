//! Users as they travel: forms that come in, and documents that go out. A promise to clients, unlike the domain's types.

use std::borrow::Cow;

use actix_web::web::Bytes;
use domain::{Email, NewUser, UserBatch, UserChanges, UserName};
use serde::Serialize;
use utoipa::ToSchema;
use validator::Validate;

use super::{rules, schemas};
use crate::{
    extract::{FromBody, JsonForm, read_json},
    json::ObjectReader,
    problem::{Code, Fault, Problem},
};

/// A user as sent to clients.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct User {
    /// The number by which the user is addressed.
    #[schema(minimum = 1, example = 1)]
    id: i64,
    /// What the user is called.
    #[schema(schema_with = schemas::name)]
    name: String,
    /// Where the user is reached, lower-cased.
    #[schema(schema_with = schemas::email)]
    email: String,
    /// When the user was created, RFC 3339 in UTC.
    #[schema(format = DateTime, example = "2026-11-23T03:05:13.123456Z")]
    created_at: String,
    /// When the name or the address last changed, RFC 3339 in UTC.
    #[schema(format = DateTime, example = "2026-11-23T03:05:13.123456Z")]
    updated_at: String,
}

/// A page of the list by its number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserPage {
    /// The users on the page, newest first.
    pub(super) users: Vec<User>,
    /// How many users the list has in all.
    #[schema(minimum = 0, example = 1)]
    pub(super) total: u64,
    /// Which page this is.
    #[schema(minimum = 1, example = 1)]
    pub(super) page: u32,
    /// How many users a page holds.
    #[schema(minimum = 1, maximum = 100, example = 20)]
    pub(super) per_page: u8,
    /// How many pages the list has.
    #[schema(minimum = 0, example = 1)]
    pub(super) total_pages: u64,
    /// Where a walk would go on behind this page; null at the end.
    #[schema(required = true)]
    pub(super) next_cursor: Option<String>,
}

/// A piece of the list, read by a walk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserSlice {
    /// The users after the cursor, newest first.
    pub(super) users: Vec<User>,
    /// How many users a piece holds at most.
    #[schema(minimum = 1, maximum = 100, example = 20)]
    pub(super) per_page: u8,
    /// Where the walk goes on; null at the end.
    #[schema(required = true)]
    pub(super) next_cursor: Option<String>,
}

/// The list of users, as a page or as a piece of a walk.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum UserList {
    /// By `page`.
    Page(UserPage),
    /// By `cursor`.
    Slice(UserSlice),
}

/// The users that a batch created.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreatedUsers {
    /// How many there are.
    #[schema(minimum = 1, maximum = 1000, example = 1)]
    created: usize,
    /// The users, in the order of the request.
    users: Vec<User>,
}

// ANCHOR: form
/// What is needed to create a user.
#[derive(Debug, Validate, ToSchema)]
pub(crate) struct CreateUser {
    /// What the user is called: trimmed, then 1 to 100 characters of any script, without control characters.
    #[validate(custom(function = "rules::name"))]
    #[schema(schema_with = schemas::name, required = true)]
    name: Option<String>,
    /// Where the user is reached: trimmed, lower-cased, ASCII, at most 254 characters. No two users share it.
    #[validate(custom(function = "rules::email"))]
    #[schema(schema_with = schemas::email, required = true)]
    email: Option<String>,
}
// ANCHOR_END: form

/// What is to change. Absent members keep their value; at least one must be given.
#[derive(Debug, Validate, ToSchema)]
pub(crate) struct UpdateUser {
    /// The new name, under the rules for new users.
    #[validate(custom(function = "rules::name"))]
    #[schema(schema_with = schemas::name, required = false)]
    name: Option<String>,
    /// The new address, under the rules for new users.
    #[validate(custom(function = "rules::email"))]
    #[schema(schema_with = schemas::email, required = false)]
    email: Option<String>,
}

/// Users to be created together, all or none.
#[derive(Debug, Validate, ToSchema)]
#[validate(schema(function = "rules::batch", skip_on_field_errors = false))]
pub(crate) struct CreateUsers {
    /// The users.
    #[validate(nested)]
    #[schema(value_type = Vec<CreateUser>, required = true, min_items = 1, max_items = 1000)]
    pub(super) users: Option<Vec<CreateUser>>,
}

impl JsonForm for CreateUser {
    type Value = NewUser;

    fn read(object: &mut ObjectReader<'_>) -> Self {
        Self {
            name: object.required_string("name"),
            email: object.required_string("email"),
        }
    }

    fn into_value(self) -> Result<Option<NewUser>, Problem> {
        Ok(self.parse())
    }
}

impl JsonForm for UpdateUser {
    type Value = UserChanges;

    fn read(object: &mut ObjectReader<'_>) -> Self {
        Self {
            name: object.optional_string("name"),
            email: object.optional_string("email"),
        }
    }

    fn into_value(self) -> Result<Option<UserChanges>, Problem> {
        let name = self.name.and_then(|text| UserName::parse(&text).ok());
        let email = self.email.and_then(|text| Email::parse(&text).ok());
        let changes = UserChanges::new(name, email);
        changes
            .map(Some)
            .map_err(|no_changes| Problem::new(Code::NoFieldsToUpdate, no_changes.to_string()))
    }
}

impl JsonForm for CreateUsers {
    type Value = UserBatch;

    fn read(object: &mut ObjectReader<'_>) -> Self {
        let items = object.required_array("users");
        let read = |(index, item)| {
            object
                .item("users", index, item, CreateUser::read)
                .unwrap_or(CreateUser::ABSENT)
        };
        Self {
            users: items.map(|items| {
                items
                    .into_iter()
                    .take(UserBatch::MAX_USERS + 1)
                    .enumerate()
                    .map(read)
                    .collect()
            }),
        }
    }

    fn into_value(self) -> Result<Option<UserBatch>, Problem> {
        let users: Option<Vec<_>> = self.users.unwrap_or_default().iter().map(CreateUser::parse).collect();
        Ok(users.and_then(|users| UserBatch::new(users).ok()))
    }
}

impl CreateUser {
    /// Holds the place of an item that is no object, so that the items behind it keep their index.
    const ABSENT: Self = Self {
        name: None,
        email: None,
    };

    /// The form, filled in.
    pub(super) fn new(name: &str, email: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            email: Some(email.to_owned()),
        }
    }

    // ANCHOR: parse
    /// The new user that the form describes; nothing when a member is absent or refused.
    pub(super) fn parse(&self) -> Option<NewUser> {
        let name = UserName::parse(self.name.as_deref()?).ok()?;
        let email = Email::parse(self.email.as_deref()?).ok()?;
        Some(NewUser { name, email })
    }
    // ANCHOR_END: parse
}

impl User {
    /// Appends the user as JSON, on a line.
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        // Strings and numbers always serialise, and memory takes whatever is written.
        let _ = serde_json::to_writer(&mut *out, self);
        out.push(b'\n');
    }

    /// The members in their order, as the columns of a file.
    pub(super) fn columns(&self) -> [Cow<'_, str>; 5] {
        [
            self.id.to_string().into(),
            self.name.as_str().into(),
            self.email.as_str().into(),
            self.created_at.as_str().into(),
            self.updated_at.as_str().into(),
        ]
    }
}

impl FromBody for NewUser {
    const MEDIA_TYPES: &'static [&'static str] = &["application/json"];

    fn read(body: &Bytes, faults: &mut Vec<Fault>) -> Result<Option<Self>, Problem> {
        read_json::<CreateUser>(body, faults)
    }
}

impl FromBody for UserChanges {
    const MEDIA_TYPES: &'static [&'static str] = &["application/json", "application/merge-patch+json"];

    fn read(body: &Bytes, faults: &mut Vec<Fault>) -> Result<Option<Self>, Problem> {
        read_json::<UpdateUser>(body, faults)
    }
}

impl FromBody for UserBatch {
    const MEDIA_TYPES: &'static [&'static str] = &["application/json"];

    fn read(body: &Bytes, faults: &mut Vec<Fault>) -> Result<Option<Self>, Problem> {
        read_json::<CreateUsers>(body, faults)
    }
}

impl From<domain::User> for User {
    fn from(user: domain::User) -> Self {
        Self {
            id: user.id.get(),
            name: user.name.into_string(),
            email: user.email.into_string(),
            created_at: user.created_at.to_rfc_3339(),
            updated_at: user.updated_at.to_rfc_3339(),
        }
    }
}

impl From<Vec<domain::User>> for CreatedUsers {
    fn from(users: Vec<domain::User>) -> Self {
        Self {
            created: users.len(),
            users: users.into_iter().map(User::from).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};
    use serde_json::json;

    use super::*;

    /// A name as the body has it, and as the domain reads it. Some are long, some blank, some hold control characters.
    fn name() -> impl Strategy<Value = String> {
        let character = select("aé田🦀 \n\0\u{85}\u{3000}\u{feff}\"\\".chars().collect::<Vec<_>>());
        prop_oneof![
            any::<String>(),
            "[^\\p{Cc}]{1,100}",
            vec(character, 0..6).prop_map(String::from_iter),
            "\\PC{99,102}",
        ]
    }

    fn email() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            " ?[A-Za-z0-9.+_-]{1,66}@[A-Za-z0-9.-]{1,10}\\.[a-z]{1,3}",
            "[a-z]{1,9}@[a-z]{1,9}\\.example\\s?",
        ]
    }

    /// What a form makes of a body: its value, and the places of its faults.
    fn read<F: JsonForm>(body: &serde_json::Value) -> (Option<F::Value>, Vec<String>) {
        let mut faults = Vec::new();
        let value = read_json::<F>(&Bytes::from(body.to_string()), &mut faults).unwrap();
        (value, faults.into_iter().map(|fault| fault.pointer).collect())
    }

    fn places<const N: usize>(candidates: [(&str, bool); N]) -> Vec<String> {
        let faulty = candidates.into_iter().filter(|(_, is_valid)| !is_valid);
        let mut places: Vec<_> = faulty.map(|(place, _)| place.to_owned()).collect();
        places.sort_unstable();
        places
    }

    proptest! {
        #[test]
        fn a_new_user_is_accepted_when_the_domain_accepts_name_and_address(name in name(), email in email()) {
            let (parsed_name, parsed_email) = (UserName::parse(&name), Email::parse(&email));
            let expected = places([("/email", parsed_email.is_ok()), ("/name", parsed_name.is_ok())]);
            let parsed = parsed_name.ok().zip(parsed_email.ok()).map(|(name, email)| NewUser { name, email });
            let (value, mut faults) = read::<CreateUser>(&json!({"name": name, "email": email}));
            faults.sort_unstable();
            prop_assert_eq!((value, faults), (parsed, expected));
        }

        #[test]
        fn a_patch_is_accepted_when_the_domain_accepts_what_it_gives(name in name(), email in email()) {
            let parsed = UserName::parse(&name);
            let expected = places([("/name", parsed.is_ok())]);
            let changes = parsed.ok().map(|name| UserChanges::new(Some(name), None).unwrap());
            prop_assert_eq!(read::<UpdateUser>(&json!({"name": name})), (changes, expected));

            let parsed = Email::parse(&email);
            let expected = places([("/email", parsed.is_ok())]);
            let changes = parsed.ok().map(|email| UserChanges::new(None, Some(email)).unwrap());
            prop_assert_eq!(read::<UpdateUser>(&json!({"email": email})), (changes, expected));
        }

        #[test]
        fn a_batch_is_accepted_when_the_domain_accepts_every_item(items in vec((name(), email()), 1..4)) {
            let parse = |(name, email): &(String, String)| {
                let (name, email) = (UserName::parse(name).ok()?, Email::parse(email).ok()?);
                Some(NewUser { name, email })
            };
            let parsed: Option<Vec<_>> = items.iter().map(parse).collect();
            let users: Vec<_> = items.iter().map(|(name, email)| json!({"name": name, "email": email})).collect();
            let (value, faults) = read::<CreateUsers>(&json!({"users": users}));
            prop_assert_eq!(value.is_some(), faults.is_empty());
            prop_assert_eq!(value, parsed.map(|users| UserBatch::new(users).unwrap()));
        }
    }
}
