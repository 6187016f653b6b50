//! JSON objects, read strictly and without stopping at the first fault.
//!
//! Derived `Deserialize` ends at the first bad member, takes an array for a struct and keeps one of two equal members. The
//! contract wants every fault at once and objects only, so bodies are parsed into a tree that keeps every member, and then
//! read member by member.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use crate::problem::{Code, Fault, FaultCode, Problem};

/// A JSON value that remembers repeated members. Numbers keep nothing but their type: no body of ours has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Bool,
    Number,
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// A text is not one JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAnObject {
    /// It is JSON of another kind.
    OtherValue,
    /// It is no JSON: where that shows, both from 1.
    NotJson { line: usize, column: usize },
}

/// Parses the members of one JSON object.
pub(crate) fn parse_members(text: &[u8]) -> Result<Vec<(String, Json)>, NotAnObject> {
    match serde_json::from_slice(text) {
        Ok(Json::Object(members)) => Ok(members),
        Ok(_) => Err(NotAnObject::OtherValue),
        Err(error) => Err(NotAnObject::NotJson {
            line: error.line(),
            column: error.column(),
        }),
    }
}

/// Parses a body, which must be one JSON object.
pub(crate) fn parse_object(body: &[u8]) -> Result<Vec<(String, Json)>, Problem> {
    parse_members(body).map_err(|fault| {
        let detail = match fault {
            NotAnObject::OtherValue => "The body must be a JSON object".into(),
            NotAnObject::NotJson { line, column } => {
                format!("The body is not valid JSON: see line {line} column {column}")
            }
        };
        Problem::new(Code::MalformedRequest, detail)
    })
}

/// What is said of a member or parameter that is given more than once.
pub(crate) const GIVEN_TWICE: &str = "must be given once";

/// What is said of a member or parameter that nobody asks for.
pub(crate) const UNKNOWN: &str = "is not known here";

/// Each of `names` once, in order of appearance, and whether it appears again. Takes time in proportion to their number: a
/// hostile body may hold a hundred thousand.
pub(crate) fn distinct<'n>(names: impl Iterator<Item = &'n str>) -> Vec<(&'n str, bool)> {
    let mut found: Vec<(&str, bool)> = Vec::new();
    let mut places = HashMap::new();
    for name in names {
        match places.entry(name) {
            Entry::Vacant(place) => {
                place.insert(found.len());
                found.push((name, false));
            }
            Entry::Occupied(place) => {
                if let Some((_, is_repeated)) = found.get_mut(*place.get()) {
                    *is_repeated = true;
                }
            }
        }
    }
    found
}

/// Reads the members of one object, and notes what is wrong with them.
#[derive(Debug)]
pub(crate) struct ObjectReader<'a> {
    members: Vec<(String, Json)>,
    pointer: String,
    faults: &'a mut Vec<Fault>,
}

impl<'a> ObjectReader<'a> {
    /// Reads `members` of the object at `pointer` of the body.
    pub(crate) fn new(members: Vec<(String, Json)>, pointer: String, faults: &'a mut Vec<Fault>) -> Self {
        Self {
            members,
            pointer,
            faults,
        }
    }

    /// The string member `name`. Its absence is a fault.
    pub(crate) fn required_string(&mut self, name: &str) -> Option<String> {
        match self.take(name) {
            Some(value) => self.string(name, value),
            None => self.missing(name),
        }
    }

    /// The string member `name`, if it is given. `null` is a fault: it is neither a string nor absent.
    pub(crate) fn optional_string(&mut self, name: &str) -> Option<String> {
        let value = self.take(name)?;
        self.string(name, value)
    }

    /// The array member `name`. Its absence is a fault.
    pub(crate) fn required_array(&mut self, name: &str) -> Option<Vec<Json>> {
        match self.take(name) {
            Some(Json::Array(items)) => Some(items),
            Some(_) => self.mistyped(name, "must be an array"),
            None => self.missing(name),
        }
    }

    /// Reads an object that stands in an array member, with `read`.
    pub(crate) fn item<T>(
        &mut self,
        array: &str,
        index: usize,
        item: Json,
        read: impl FnOnce(&mut ObjectReader<'_>) -> T,
    ) -> Option<T> {
        let pointer = format!("{}/{array}/{index}", self.pointer);
        let Json::Object(members) = item else {
            self.faults
                .push(Fault::new(pointer, FaultCode::Type, "must be an object"));
            return None;
        };
        let mut reader = ObjectReader::new(members, pointer, self.faults);
        let value = read(&mut reader);
        reader.finish();
        Some(value)
    }

    /// Ends the reading: members that nobody asked for are unknown.
    pub(crate) fn finish(mut self) {
        let members = std::mem::take(&mut self.members);
        for (name, is_repeated) in distinct(members.iter().map(|(name, _)| name.as_str())) {
            if is_repeated {
                self.fault(name, FaultCode::DuplicateField, GIVEN_TWICE);
            }
            self.fault(name, FaultCode::UnknownField, UNKNOWN);
        }
    }

    /// Removes the member `name` and returns its first value; a second value is a fault.
    fn take(&mut self, name: &str) -> Option<Json> {
        let mut values = self
            .members
            .extract_if(.., |(member, _)| member == name)
            .map(|(_, value)| value);
        let first = values.next();
        if values.count() > 0 {
            self.fault(name, FaultCode::DuplicateField, GIVEN_TWICE);
        }
        first
    }

    fn string(&mut self, name: &str, value: Json) -> Option<String> {
        match value {
            Json::String(text) => Some(text),
            _ => self.mistyped(name, "must be a string"),
        }
    }

    fn missing<T>(&mut self, name: &str) -> Option<T> {
        self.fault(name, FaultCode::Required, "must be given");
        None
    }

    fn mistyped<T>(&mut self, name: &str, message: &'static str) -> Option<T> {
        self.fault(name, FaultCode::Type, message);
        None
    }

    fn fault(&mut self, name: &str, code: FaultCode, message: &'static str) {
        // RFC 6901 section 3.
        let escaped = name.replace('~', "~0").replace('/', "~1");
        self.faults
            .push(Fault::new(format!("{}/{escaped}", self.pointer), code, message));
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JsonVisitor;

        impl<'de> Visitor<'de> for JsonVisitor {
            type Value = Json;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
                Ok(Json::Bool)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
                Ok(Json::Number)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
                Ok(Json::Number)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
                Ok(Json::Number)
            }

            fn visit_str<E>(self, text: &str) -> Result<Json, E> {
                Ok(Json::String(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Json, E> {
                Ok(Json::String(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Json, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = sequence.next_element()? {
                    items.push(item);
                }
                Ok(Json::Array(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Json::Object(members))
            }
        }

        deserializer.deserialize_any(JsonVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(body: &str, read: impl FnOnce(&mut ObjectReader<'_>)) -> Vec<(String, FaultCode)> {
        let mut faults = Vec::new();
        let mut reader = ObjectReader::new(parse_object(body.as_bytes()).unwrap(), String::new(), &mut faults);
        read(&mut reader);
        reader.finish();
        faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
    }

    #[test]
    fn every_fault_of_an_object_is_found_at_once() {
        let body = r#"{"a": 1, "b": "x", "b": "y", "c": null, "x/y~z": 0, "x/y~z": 1}"#;
        let found = faults(body, |object| {
            assert_eq!(object.required_string("a"), None);
            assert_eq!(object.required_string("b"), Some("x".to_owned()));
            assert_eq!(object.optional_string("c"), None);
            assert_eq!(object.optional_string("absent"), None);
            assert_eq!(object.required_string("missing"), None);
        });
        let expected = [
            ("/a", FaultCode::Type),
            ("/b", FaultCode::DuplicateField),
            ("/c", FaultCode::Type),
            ("/missing", FaultCode::Required),
            ("/x~1y~0z", FaultCode::DuplicateField),
            ("/x~1y~0z", FaultCode::UnknownField),
        ];
        assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
    }

    #[test]
    fn only_one_complete_object_is_a_body() {
        for body in [
            "",
            " ",
            "null",
            "[]",
            "\"x\"",
            "1",
            "{",
            "{}x",
            "{}{}",
            "{\"a\":1,}",
            "\u{feff}{}",
            "{'a':1}",
        ] {
            assert_eq!(
                parse_object(body.as_bytes()).unwrap_err().code(),
                Code::MalformedRequest,
                "{body:?}"
            );
        }
        assert!(parse_object(b"\xff{}").is_err());
        assert!(parse_object("[".repeat(100_000).as_bytes()).is_err());
        assert_eq!(parse_object(b" {} \n").unwrap(), []);
    }
}
