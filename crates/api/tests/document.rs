//! The OpenAPI document by itself: complete, and true to its own schemas. That the service answers as it says is checked
//! of every answer in the tests of the API.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

extern crate async_starter_api as api;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

fn document() -> Value {
    serde_json::from_str(&api::openapi_document("Async Starter API").to_json().unwrap()).unwrap()
}

/// The operations by method and path.
fn operations(document: &Value) -> BTreeMap<String, &Value> {
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.insert(format!("{method} {path}"), operation);
        }
    }
    operations
}

/// Every value of the document, with its place.
fn visit<'a>(value: &'a Value, place: &str, visitor: &mut impl FnMut(&str, &'a Value)) {
    visitor(place, value);
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, member)| visit(member, &format!("{place}/{}", name.replace('/', "~1")), visitor)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, item)| visit(item, &format!("{place}/{index}"), visitor)),
        _ => {}
    }
}

/// The bodies that operations take and give: where, and what is said of them.
fn bodies(document: &Value) -> Vec<(String, &Value)> {
    let mut bodies = Vec::new();
    visit(&document["paths"], "", &mut |place, value| {
        if let Some(content) = value.get("content").and_then(Value::as_object) {
            bodies.extend(content.iter().map(|(kind, body)| (format!("{place} {kind}"), body)));
        }
    });
    bodies
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_referred_to() {
    let document = document();
    let mut referred = BTreeSet::new();
    visit(&document, "", &mut |place, value| {
        if let Some(reference) = value.get("$ref") {
            let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} at {place}");
            referred.insert(pointer.rsplit('/').next().unwrap());
        }
    });
    let schemas: BTreeSet<_> = document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(referred, schemas);
}

#[test]
fn every_operation_has_a_name_of_its_own_a_summary_and_one_tag() {
    let document = document();
    let tags: Vec<_> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| &tag["name"])
        .collect();
    let mut names = BTreeSet::new();
    for (place, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name), "{name} twice");
        assert!(
            operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
            "{place}"
        );
        let [tag] = operation["tags"].as_array().unwrap().as_slice() else {
            unreachable!("{place} has not one tag")
        };
        assert!(tags.contains(&tag), "{tag} of {place} is not described");
    }
}

#[test]
fn every_parameter_is_described_and_those_of_the_path_are_required() {
    let document = document();
    for (place, operation) in operations(&document) {
        let none = Vec::new();
        let parameters = operation["parameters"].as_array().unwrap_or(&none);
        let in_path = |parameter: &&Value| parameter["in"] == "path";
        assert_eq!(
            parameters.iter().filter(in_path).count(),
            place.matches('{').count(),
            "{place}"
        );
        for parameter in parameters {
            let schema = &parameter["schema"];
            let said = [&parameter["description"], &schema["description"]];
            assert!(said.iter().any(|text| text.is_string()), "{place}: {parameter}");
            assert_eq!(parameter["required"], in_path(&parameter), "{place}: {parameter}");
            for example in [&parameter["example"], &schema["example"], &schema["examples"][0]] {
                assert!(
                    example.is_null() || is_valid(&document, schema, example),
                    "{place}: {parameter}"
                );
            }
        }
    }
}

#[test]
fn every_operation_names_the_errors_that_all_can_end_with() {
    let document = document();
    for (place, operation) in operations(&document) {
        let statuses: BTreeSet<_> = operation["responses"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        if place.contains("/api/v1/") {
            assert!(
                statuses.is_superset(&["401", "403", "422", "429", "500", "503"].into()),
                "{place}: {statuses:?}"
            );
        }
        // A stream of any length, for as long as it comes.
        let is_import = place == "post /api/v1/users/import";
        let has_deadline = place.contains("/api/v1/") && !is_import;
        assert_eq!(statuses.contains("504"), has_deadline, "{place}: {statuses:?}");
        let takes_a_body = operation.get("requestBody").is_some();
        let of_bodies: BTreeSet<_> = ["400", "408", "415"].into();
        assert_eq!(takes_a_body, statuses.is_superset(&of_bodies), "{place}: {statuses:?}");
        let has_limit = takes_a_body && !is_import;
        assert_eq!(statuses.contains("413"), has_limit, "{place}: {statuses:?}");
        assert_eq!(
            place.contains("{id}"),
            statuses.contains("404"),
            "{place}: {statuses:?}"
        );
    }
}

#[test]
fn every_operation_of_the_api_says_which_scope_it_needs() {
    let document = document();
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    for (place, operation) in operations(&document) {
        let scope = if place.starts_with("get ") {
            "users:read"
        } else {
            "users:write"
        };
        // An instance may do without tokens, which the empty alternative stands for.
        let expected = if place.contains("/api/v1/") {
            json!([{"bearer": [scope]}, {}])
        } else {
            Value::Null
        };
        assert_eq!(operation["security"], expected, "{place}");
    }
}

#[test]
fn every_problem_has_an_example_with_the_status_it_stands_at() {
    let document = document();
    let mut codes = BTreeSet::new();
    for (place, body) in bodies(&document) {
        if !place.ends_with("application/problem+json") {
            continue;
        }
        let status: u16 = place.split("/responses/").nth(1).unwrap()[..3].parse().unwrap();
        let examples = body["examples"].as_object().unwrap();
        assert!(!examples.is_empty(), "{place}");
        for (code, example) in examples {
            let example = &example["value"];
            assert_eq!(
                (&example["code"], &example["status"]),
                (&json!(code), &json!(status)),
                "{place}"
            );
            assert_eq!(example["type"], format!("/problems/{code}"), "{place}");
            assert!(is_valid(&document, &body["schema"], example), "{place}: {example}");
            codes.insert(code.as_str());
        }
    }
    let documented = document["components"]["schemas"]["Code"]["enum"].as_array().unwrap();
    // A wrong method belongs to no operation.
    let expected = documented
        .iter()
        .map(|code| code.as_str().unwrap())
        .filter(|code| *code != "method_not_allowed");
    assert_eq!(codes, expected.collect());
    assert_eq!(documented.len(), api::Code::ALL.len());
}

/// Swagger UI and generated clients make their examples of these parts.
#[test]
fn every_body_has_an_example_that_its_schema_accepts() {
    let document = document();
    let bodies = bodies(&document);
    assert!(bodies.len() > 50, "{}", bodies.len());
    for (place, body) in bodies {
        let example = match &body["example"] {
            Value::Null => example_of(&document, &body["schema"], &place),
            given => given.clone(),
        };
        assert!(is_valid(&document, &body["schema"], &example), "{place}: {example}");
    }
}

#[test]
fn schemas_of_requests_refuse_what_the_service_refuses() {
    let document = document();
    let schema = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let ann = json!({"name": "Ann", "email": "ann@example.com"});
    for (name, body, expected) in [
        ("CreateUser", ann.clone(), true),
        ("CreateUser", json!({"name": "Ann"}), false),
        (
            "CreateUser",
            json!({"name": "Ann", "email": "ann@example.com", "id": 1}),
            false,
        ),
        ("CreateUser", json!({"name": " ", "email": "ann@example.com"}), false),
        ("CreateUser", json!({"name": "a\nb", "email": "ann@example.com"}), false),
        (
            "CreateUser",
            json!({"name": "🦀".repeat(100), "email": "ann@example.com"}),
            true,
        ),
        (
            "CreateUser",
            json!({"name": "🦀".repeat(101), "email": "ann@example.com"}),
            false,
        ),
        ("CreateUser", json!({"name": "Ann", "email": "ann@localhost"}), false),
        ("UpdateUser", json!({"name": "Ann"}), true),
        ("UpdateUser", json!({"name": null}), false),
        ("UpdateUser", json!({"nome": "Ann"}), false),
        ("CreateUsers", json!({"users": [ann]}), true),
        ("CreateUsers", json!({"users": []}), false),
        ("CreateUsers", json!({"users": [null]}), false),
    ] {
        assert_eq!(is_valid(&document, &schema(name), &body), expected, "{name}: {body}");
    }
}

fn is_valid(document: &Value, schema: &Value, value: &Value) -> bool {
    // References lead to `#/components`, so the components go along.
    let whole = json!({"allOf": [schema], "components": document["components"]});
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    options.build(&whole).unwrap().is_valid(value)
}

/// An example put together of the examples of the parts.
fn example_of(document: &Value, schema: &Value, place: &str) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return example_of(document, document.pointer(&reference[1..]).unwrap(), reference);
    }
    for given in [&schema["example"], &schema["examples"][0], &schema["enum"][0]] {
        if !given.is_null() {
            return given.clone();
        }
    }
    if let Some(properties) = schema["properties"].as_object() {
        let example = |(name, schema)| {
            (
                String::clone(name),
                example_of(document, schema, &format!("{place}/{name}")),
            )
        };
        return Value::Object(properties.iter().map(example).collect::<Map<_, _>>());
    }
    if let Some(first) = schema["oneOf"].get(0).or(schema["anyOf"].get(0)) {
        return example_of(document, first, place);
    }
    if schema["items"].is_object() {
        return json!([example_of(document, &schema["items"], place)]);
    }
    let is_nullable = schema["type"]
        .as_array()
        .is_some_and(|types| types.contains(&json!("null")));
    assert!(is_nullable, "no example at {place}: {schema}");
    Value::Null
}
