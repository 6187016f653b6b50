//! `cargo xtask layers`: which crate may use which, as data, held against what Cargo says of the workspace.
//!
//! ```text
//! server ──► api ──► service ──► persistence ──► domain
//!    └────────┴─────────┴────────────┘ server composes all; api and service also see domain
//! ```

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{manifests, workspace};

const DOMAIN: &str = "async-starter-domain";
const PERSISTENCE: &str = "async-starter-persistence";
const SERVICE: &str = "async-starter-service";
const API: &str = "async-starter-api";
const SERVER: &str = "async-starter";
const XTASK: &str = "xtask";
const BENCH: &str = "async-starter-bench";

/// What one crate of ours may use of the others.
struct Layer {
    package: &'static str,
    may_use: &'static [&'static str],
    tests_may_also_use: &'static [&'static str],
}

const LAYERS: &[Layer] = &[
    Layer {
        package: DOMAIN,
        may_use: &[],
        tests_may_also_use: &[],
    },
    Layer {
        package: PERSISTENCE,
        may_use: &[DOMAIN],
        tests_may_also_use: &[],
    },
    Layer {
        package: SERVICE,
        may_use: &[PERSISTENCE, DOMAIN],
        tests_may_also_use: &[],
    },
    Layer {
        package: API,
        may_use: &[SERVICE, DOMAIN],
        tests_may_also_use: &[PERSISTENCE],
    },
    Layer {
        package: SERVER,
        may_use: &[API, SERVICE, PERSISTENCE, DOMAIN],
        tests_may_also_use: &[],
    },
    Layer {
        package: XTASK,
        may_use: &[],
        tests_may_also_use: &[],
    },
    // It measures the product from outside, against a server of its own.
    Layer {
        package: BENCH,
        may_use: &[],
        tests_may_also_use: &[],
    },
];

/// A library of others that only some of our crates may name, in tests too.
struct Reserved {
    /// A package name; with `*` at the end, all that begin so.
    library: &'static str,
    only_in: &'static [&'static str],
    because: &'static str,
}

const RESERVED: &[Reserved] = &[
    Reserved {
        library: "sea-orm*",
        only_in: &[PERSISTENCE],
        because: "SQL is the business of persistence",
    },
    Reserved {
        library: "sqlx*",
        only_in: &[PERSISTENCE, BENCH],
        because: "SQL is the business of persistence",
    },
    Reserved {
        library: "actix-*",
        only_in: &[API, SERVER, BENCH],
        because: "HTTP is the business of api; server starts it",
    },
    Reserved {
        library: "utoipa*",
        only_in: &[API],
        because: "the OpenAPI document describes what api does",
    },
    Reserved {
        library: "serde",
        only_in: &[PERSISTENCE, API, SERVER, XTASK, BENCH],
        because: "domain and service have no wire format; each edge has its own types",
    },
    Reserved {
        library: "tokio*",
        only_in: &[PERSISTENCE, SERVICE, API, SERVER, BENCH],
        because: "the rules of domain neither wait nor do I/O",
    },
];

/// The feature of persistence that gives each test a database of its own.
const TEST_SUPPORT: &str = "test-support";

/// Fails with every edge that the table does not have.
pub(crate) fn run() -> Result<()> {
    let faults = faults_of_the_workspace()?;
    if !faults.is_empty() {
        bail!("the crates use what their layer may not:\n- {}", faults.join("\n- "));
    }
    println!("every crate uses only what its layer may use");
    Ok(())
}

fn faults_of_the_workspace() -> Result<Vec<String>> {
    let mut cargo = workspace::cargo_at_root(&["metadata", "--format-version", "1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&workspace::standard_output(&mut cargo)?)?;
    let mut faults = faults_of_edges(&metadata);
    for package in packages(&metadata) {
        let path = text(package, "manifest_path");
        let manifest = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        faults.extend(manifests::faults(text(package, "name"), &manifest));
    }
    Ok(faults)
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata.get("packages").and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// What `cargo metadata --no-deps` shows that the tables above do not allow.
fn faults_of_edges(metadata: &Value) -> Vec<String> {
    let ours: Vec<&str> = packages(metadata).map(|package| text(package, "name")).collect();
    let mut faults = Vec::new();
    for package in packages(metadata) {
        let name = text(package, "name");
        let Some(layer) = LAYERS.iter().find(|layer| layer.package == name) else {
            faults.push(format!(
                "{name} is in no layer: add it to the table in xtask/src/layers.rs"
            ));
            continue;
        };
        for dependency in package
            .get("dependencies")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let used = text(dependency, "name");
            let in_tests = text(dependency, "kind") == "dev";
            if ours.contains(&used) {
                faults.extend(fault_between_ours(layer, dependency, used, in_tests));
            } else {
                faults.extend(fault_of_library(name, used));
            }
        }
    }
    faults
}

fn fault_between_ours(layer: &Layer, dependency: &Value, used: &str, in_tests: bool) -> Option<String> {
    let name = layer.package;
    let may_use = layer.may_use.contains(&used);
    // A crate names itself in [dev-dependencies] to have its own test support in its tests.
    let may_use_in_tests = used == name || layer.tests_may_also_use.contains(&used);
    let is_allowed = may_use || in_tests && may_use_in_tests;
    if !is_allowed {
        let allowed = if layer.may_use.is_empty() {
            "no crate of ours".to_owned()
        } else {
            layer.may_use.join(", ")
        };
        let among = if in_tests {
            "[dev-dependencies]"
        } else {
            "[dependencies]"
        };
        return Some(format!("{name} → {used} ({among}): {name} may use {allowed}"));
    }
    let features = dependency.get("features").and_then(Value::as_array);
    let wants_test_support = features.into_iter().flatten().any(|feature| feature == TEST_SUPPORT);
    (wants_test_support && !in_tests)
        .then(|| format!("{name} → {used} with feature {TEST_SUPPORT}: only [dev-dependencies] may have it"))
}

fn fault_of_library(name: &str, used: &str) -> Option<String> {
    let reserved = RESERVED
        .iter()
        .find(|reserved| match reserved.library.strip_suffix('*') {
            Some(beginning) => used.starts_with(beginning),
            None => used == reserved.library,
        })?;
    (!reserved.only_in.contains(&name)).then(|| {
        format!(
            "{name} → {used}: only {} may name {used}, because {}",
            reserved.only_in.join(", "),
            reserved.because
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{API, DOMAIN, PERSISTENCE, SERVER, SERVICE, faults_of_edges, faults_of_the_workspace};

    fn package(name: &str, dependencies: &[Value]) -> Value {
        json!({ "name": name, "dependencies": dependencies })
    }

    fn uses(name: &str) -> Value {
        json!({ "name": name, "kind": null, "features": [] })
    }

    fn tests_use(name: &str) -> Value {
        json!({ "name": name, "kind": "dev", "features": ["test-support"] })
    }

    /// The faults of a workspace in which `name` has these dependencies and the other layers have none.
    fn faults(name: &str, dependencies: &[Value]) -> Vec<String> {
        let others = [DOMAIN, PERSISTENCE, SERVICE, API, SERVER]
            .into_iter()
            .filter(|other| *other != name);
        let mut packages: Vec<Value> = others.map(|other| package(other, &[])).collect();
        packages.push(package(name, dependencies));
        faults_of_edges(&json!({ "packages": packages }))
    }

    #[test]
    fn this_workspace_keeps_its_layers() {
        assert_eq!(faults_of_the_workspace().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn an_edge_that_skips_a_layer_is_refused_and_named() {
        let faults = faults(API, &[uses(SERVICE), uses(PERSISTENCE)]);
        assert_eq!(
            faults,
            ["async-starter-api → async-starter-persistence ([dependencies]): \
              async-starter-api may use async-starter-service, async-starter-domain"]
        );
    }

    #[test]
    fn an_edge_upwards_is_refused() {
        assert_eq!(faults(DOMAIN, &[uses(SERVICE)]).len(), 1);
        assert_eq!(faults(PERSISTENCE, &[tests_use(SERVICE)]).len(), 1);
    }

    #[test]
    fn tests_of_the_upper_layers_may_use_persistence() {
        for layer in [SERVICE, API, SERVER] {
            assert_eq!(faults(layer, &[tests_use(PERSISTENCE)]), Vec::<String>::new());
        }
    }

    #[test]
    fn a_crate_may_name_itself_for_its_tests_only() {
        assert_eq!(faults(PERSISTENCE, &[tests_use(PERSISTENCE)]), Vec::<String>::new());
        assert_eq!(faults(PERSISTENCE, &[uses(PERSISTENCE)]).len(), 1);
    }

    #[test]
    fn the_product_may_not_use_the_support_of_tests() {
        let edge = json!({ "name": PERSISTENCE, "kind": null, "features": ["test-support"] });
        assert_eq!(
            faults(SERVER, &[edge]),
            [
                "async-starter → async-starter-persistence with feature test-support: only [dev-dependencies] may have it"
            ]
        );
    }

    #[test]
    fn a_library_outside_its_layer_is_refused_with_the_reason() {
        assert_eq!(
            faults(SERVICE, &[uses("sea-orm-migration")]),
            [
                "async-starter-service → sea-orm-migration: only async-starter-persistence may name sea-orm-migration, \
              because SQL is the business of persistence"
            ]
        );
        for (layer, library) in [
            (PERSISTENCE, "actix-web"),
            (SERVER, "utoipa-swagger-ui"),
            (DOMAIN, "serde"),
            (SERVICE, "serde"),
            (DOMAIN, "tokio"),
            (API, "sea-orm"),
        ] {
            assert_eq!(faults(layer, &[uses(library)]).len(), 1, "{layer} → {library}");
        }
    }

    #[test]
    fn a_crate_that_the_table_does_not_know_is_refused() {
        assert_eq!(
            faults("async-starter-extras", &[]),
            ["async-starter-extras is in no layer: add it to the table in xtask/src/layers.rs"]
        );
    }
}
