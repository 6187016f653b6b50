//! Tests of the configuration as a whole. Each owns a directory of its own and sees nothing of the real environment.

mod auth;
mod database;
mod documents;
mod layers;
mod origins;
mod rate_limit;
mod secrets;
mod values;

use std::fmt::Debug;
use std::fs;

use tempfile::TempDir;

use super::{Config, ConfigError, Loaded, Sources, load};

/// A directory with settings files, and everything else that a configuration is loaded from.
struct Scene {
    /// Removed when the scene ends.
    directory: TempDir,
    sources: Sources,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sources = Sources {
            working_directory: directory.path().to_owned(),
            config_file: None,
            environment: Vec::new(),
            flags: Vec::new(),
            read_dotenv: true,
        };
        Self { directory, sources }
    }

    fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.directory.path().join(name), text).unwrap();
        self
    }

    fn dotenv(self, text: &str) -> Self {
        self.file(".env", text)
    }

    fn toml(self, text: &str) -> Self {
        self.file("async-starter.toml", text)
    }

    fn environment(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn flag(mut self, name: &str, value: &str) -> Self {
        self.sources.flags.push((name.to_owned(), value.to_owned()));
        self
    }

    #[track_caller]
    fn accepted(&self) -> Loaded {
        load(&self.sources).unwrap_or_else(|error| panic!("refused: {error}"))
    }

    #[track_caller]
    fn config(&self) -> Config {
        self.accepted().config
    }

    #[track_caller]
    fn refused(&self) -> ConfigError {
        match load(&self.sources) {
            Ok(loaded) => panic!("accepted: {:?}", loaded.config),
            Err(error) => error,
        }
    }

    #[track_caller]
    fn refused_text(&self) -> String {
        self.refused().to_string()
    }
}

/// A scene in which one variable is set.
fn with(name: &str, value: &str) -> Scene {
    Scene::new().environment(name, value)
}

/// The row of a variable in the effective configuration: value and source.
#[track_caller]
fn effective(loaded: &Loaded, name: &str) -> (String, String) {
    let row = loaded.effective.iter().find(|row| row.name == name).unwrap();
    (row.value.clone(), row.source.clone())
}

#[track_caller]
fn assert_contains(text: &str, piece: &str) {
    assert!(text.contains(piece), "`{piece}` is missing from: {text}");
}

/// Checks that a secret is in none of the forms that something can be shown in.
#[track_caller]
fn assert_hides(secret: &str, shown: &[&dyn Debug]) {
    for form in shown {
        let text = format!("{form:?} {form:#?}");
        assert!(!text.contains(secret), "the secret is shown in: {text}");
    }
}
