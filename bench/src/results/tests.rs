//! Results made up for tests, and tests of how they are kept.

use super::*;

/// A round in which the product does `ratio` times what the hand-written server does.
pub(crate) fn round(ratio: f64) -> Round {
    let side = |requests_per_second: f64| Side {
        requests: 3000,
        requests_per_second,
        p50_micros: 1e6 / requests_per_second,
        p99_micros: 3e6 / requests_per_second,
        cpu_micros_per_request: 40.0,
        resident_mib: 20.0,
        peak_mib: 21.5,
        generator_busy: 0.4,
    };
    Round {
        baseline: side(10_000.0),
        product: side(10_000.0 * ratio),
    }
}

/// A comparison with these ratios.
pub(crate) fn comparison(connections: u32, ratios: &[f64]) -> Comparison {
    Comparison {
        connections,
        rounds: ratios.iter().copied().map(round).collect(),
    }
}

/// The results of an engine on which `groups` were measured from `git_commit`.
pub(crate) fn engine_results(
    git_commit: &str,
    groups: impl IntoIterator<Item = (Group, GroupResults)>,
) -> EngineResults {
    EngineResults {
        date: "2026-11-23".to_owned(),
        context: Setting {
            machine: Machine {
                processor: "Test Processor".to_owned(),
                cores: 2,
                memory_gib: 8,
                kernel: "Linux 6.1".to_owned(),
            },
            engine_version: "1.2.3".to_owned(),
            product_version: "0.1.0".to_owned(),
            git_commit: git_commit.to_owned(),
            parameters: Parameters {
                rounds: 5,
                seconds: 3.0,
                users: 10_000,
                open_loop_per_second: 2000.0,
                keyset_users: 2_000_000,
                bulk_users: 1_000_000,
                product_settings: BTreeMap::new(),
            },
        },
        groups: groups.into_iter().collect(),
    }
}

fn get(ratio: f64) -> (Group, GroupResults) {
    let comparisons = vec![comparison(32, &[ratio])];
    (
        Group::Get,
        GroupResults {
            comparisons,
            ..GroupResults::default()
        },
    )
}

fn ratio(results: &Results, engine: Engine) -> Option<f64> {
    Some(
        results
            .engines
            .get(&engine)?
            .comparison(Group::Get, 32)?
            .ratio()?
            .median,
    )
}

#[test]
fn the_ratio_is_taken_round_by_round() {
    // The machine was slow in the second round, for both.
    let mut slow = round(2.0);
    slow.baseline.requests_per_second /= 10.0;
    slow.product.requests_per_second /= 10.0;
    let comparison = Comparison {
        connections: 1,
        rounds: vec![round(1.9), slow, round(2.1)],
    };
    let ratio = comparison.ratio().unwrap();
    for (value, expected) in [(ratio.min, 1.9), (ratio.median, 2.0), (ratio.max, 2.1)] {
        assert!((value - expected).abs() < 1e-9, "{ratio:?}");
    }
}

#[test]
fn a_run_on_one_engine_keeps_the_results_of_the_others() {
    let mut results = Results::default();
    results.merge(Engine::Sqlite, engine_results("a", [get(1.0)]));
    results.merge(Engine::Mariadb, engine_results("b", [get(2.0)]));
    results.merge(Engine::Mariadb, engine_results("c", [get(3.0)]));
    assert_eq!(ratio(&results, Engine::Sqlite), Some(1.0));
    assert_eq!(ratio(&results, Engine::Mariadb), Some(3.0));
}

#[test]
fn a_run_of_some_groups_keeps_the_others_of_the_same_build_only() {
    let list = (Group::List, GroupResults::default());
    let mut results = Results::default();
    results.merge(Engine::Sqlite, engine_results("a", [get(1.0)]));
    results.merge(Engine::Sqlite, engine_results("a", [list.clone()]));
    let groups = |results: &Results| {
        results.engines[&Engine::Sqlite]
            .groups
            .keys()
            .copied()
            .collect::<Vec<_>>()
    };
    assert_eq!(groups(&results), [Group::Get, Group::List]);
    results.merge(Engine::Sqlite, engine_results("b", [list]));
    assert_eq!(groups(&results), [Group::List]);
}

#[test]
fn what_is_written_is_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.json");
    assert_eq!(Results::read(&path).unwrap(), Results::default());
    let mut results = Results::default();
    let mut measured = get(1.5);
    measured.1.figures.insert(Figure::StartMillis, vec![12.5, 13.0]);
    measured.1.failures.push("GET /x is answered with 404".to_owned());
    results.merge(Engine::Mysql, engine_results("a", [measured]));
    fs::write(&path, results.to_json().unwrap()).unwrap();
    assert_eq!(Results::read(&path).unwrap(), results);
}

#[test]
fn a_file_of_another_form_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.json");
    for text in [
        r#"{"format": 2, "engines": {}}"#,
        r#"{"format": 1, "engines": {}, "more": 1}"#,
        "[]",
    ] {
        fs::write(&path, text).unwrap();
        assert!(Results::read(&path).is_err(), "{text}");
    }
}
