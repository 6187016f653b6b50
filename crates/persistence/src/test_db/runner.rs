//! Runs one list of tests on every engine.

use std::{fmt, panic::AssertUnwindSafe, pin::Pin, process::ExitCode, time::Duration};

use futures_util::FutureExt;
use libtest_mimic::{Arguments, Trial};

use super::{TestDatabase, TestEngine, variable};

/// A test by name, for [`main`]. Made by [`on_every_engine!`](crate::on_every_engine).
#[derive(Clone, Copy)]
pub struct TestCase {
    /// The path of the function.
    pub name: &'static str,
    /// Whether the database has its tables when the test begins.
    pub migrated: bool,
    /// The variable that names a server which the test needs besides its database.
    pub needs: Option<&'static str>,
    /// The only engine that the test is about, if there is one.
    pub only: Option<TestEngine>,
    /// An engine that the test has nothing to say about, if there is one.
    pub except: Option<TestEngine>,
    /// The function.
    pub run: fn(TestDatabase) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl fmt::Debug for TestCase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

impl TestCase {
    /// Marks a test that needs another server besides its database: without this variable it is reported as ignored.
    #[must_use]
    pub fn needing(self, variable: &'static str) -> Self {
        Self {
            needs: Some(variable),
            ..self
        }
    }

    /// Marks a test that has nothing to say about this engine.
    #[must_use]
    pub fn except_on(self, engine: TestEngine) -> Self {
        Self {
            except: Some(engine),
            ..self
        }
    }

    /// Marks a test that has nothing to say about other engines.
    #[must_use]
    pub fn only_on(self, engine: TestEngine) -> Self {
        Self {
            only: Some(engine),
            ..self
        }
    }

    /// The variable without which the test cannot run on `engine` here.
    fn missing(&self, engine: TestEngine) -> Option<&'static str> {
        let needs = [engine.variable(), self.needs];
        needs.into_iter().flatten().find(|needed| variable(needed).is_none())
    }
}

// ANCHOR: on-every-engine
/// Lists tests that run on every engine, each in a database with all migrations applied.
#[macro_export]
macro_rules! on_every_engine {
    ($($test:path),* $(,)?) => {
        vec![$($crate::test_db::TestCase {
            name: stringify!($test),
            migrated: true,
            needs: None,
            only: None,
            except: None,
            run: |database| ::std::boxed::Box::pin($test(database)),
        }),*]
    };
}
// ANCHOR_END: on-every-engine

/// Lists tests that run on every engine, each in a database without tables.
#[macro_export]
macro_rules! on_every_empty_engine {
    ($($test:path),* $(,)?) => {
        vec![$($crate::test_db::TestCase {
            name: stringify!($test),
            migrated: false,
            needs: None,
            only: None,
            except: None,
            run: |database| ::std::boxed::Box::pin($test(database)),
        }),*]
    };
}

/// Runs tests on every engine, as the `main` of a test binary with `harness = false`. The usual arguments of test binaries
/// work: a filter, `--test-threads`, `--skip`, `--list` and so on.
#[must_use]
pub fn main(cases: Vec<TestCase>) -> ExitCode {
    let mut trials = Vec::new();
    for engine in TestEngine::ALL {
        let cases = cases
            .iter()
            .filter(|case| case.only.is_none_or(|only| only == engine) && case.except != Some(engine));
        for case in cases {
            let case = *case;
            let name = format!("{engine}::{}", case.name.replace(' ', ""));
            let trial = Trial::test(name, move || {
                run_on(engine, case);
                Ok(())
            });
            trials.push(trial.with_ignored_flag(case.missing(engine).is_some()));
        }
    }
    for engine in TestEngine::ALL.into_iter().filter(|engine| !engine.is_available()) {
        println!(
            "{engine}: ignored, because {} is not set",
            engine.variable().unwrap_or_default()
        );
    }
    for case in &cases {
        if let Some(missing) = case.needs.filter(|needed| variable(needed).is_none()) {
            println!("{}: ignored, because {missing} is not set", case.name.replace(' ', ""));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn run_on(engine: TestEngine, case: TestCase) {
    if let Some(missing) = case.missing(engine) {
        panic!("{missing} is not set");
    }
    // A stuck test should say so rather than hold the whole run.
    let limit = Duration::from_mins(3);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    // ANCHOR: run-on
    let outcome = runtime.block_on(async {
        let database = TestDatabase::create_unmigrated(engine).await;
        if case.migrated {
            database.migrate().await;
        }
        let test = AssertUnwindSafe((case.run)(database.clone())).catch_unwind();
        let outcome = tokio::time::timeout(limit, test).await;
        let removed = tokio::time::timeout(limit, database.remove()).await;
        assert!(
            removed.is_ok(),
            "the database of the test is not removed after {limit:?}"
        );
        outcome
    });
    // ANCHOR_END: run-on
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(elapsed) => panic!("not finished after {limit:?}: {elapsed}"),
    }
}
