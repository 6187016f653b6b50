//! The configuration: what stands in `async-starter.toml`, `.env`, the environment and flags is accepted or refused as a whole,
//! and nothing of a secret is shown either way.
//!
//! The first byte of the input says where the secret is put. The rest are sections, divided by a line of its own `---`: what goes
//! around the secret, the settings file, `.env`, and lines `NAME=value` of the environment and of the command line.
#![no_main]

// The program is no library, and shall not become one for the sake of its tests: its configuration knows nothing of the rest of
// it, and is compiled in as it is.
#[path = "../../crates/server/src"]
mod server {
    #[expect(dead_code, unused_imports, reason = "the program uses what the target does not")]
    pub(crate) mod config;
}

use std::{fs, path::Path, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use server::config::{self, ConfigError, Loaded, Sources};
use tempfile::TempDir;
use url::Url;

const SECRET: &str = "qzxjqzxjqzxjqzxjqzxjqzxjqzxjqzxj";

/// The variables that hold a secret, and how the address looks whose password it is.
const SECRETS: [(&str, &str); 7] = [
    ("SECRET_KEY", ""),
    ("DB_PASSWORD", ""),
    ("DATABASE_URL", "mysql://app:"),
    ("DATABASE_URL", "postgres://app:"),
    ("DATABASE_REPLICA_URLS", "mysql://app:"),
    ("RATE_LIMIT_STORE", "redis://:"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://app:"),
];

static DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("there is room for a few files"));

fuzz_target!(|input: &[u8]| {
    let Some((&place, text)) = input.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(text);
    // A file that is named here is read. That of another program, a device above all, need not end.
    if text.to_ascii_uppercase().contains("_FILE") || text.contains("/dev/") {
        return;
    }
    let mut sections = text.split("\n---\n");
    let mut next = || sections.next().unwrap_or_default().to_owned();
    let (around, mut toml, mut dotenv, environment, flags) = (next(), next(), next(), next(), next());
    let (name, prefix) = SECRETS[usize::from(place) % SECRETS.len()];
    let suffix = if prefix.is_empty() {
        around.clone()
    } else {
        format!("@{around}")
    };
    let value = format!("{prefix}{SECRET}{suffix}");
    let (mut environment, flags) = (pairs(&environment), pairs(&flags));
    let in_quotes = !value.contains(['\'', '\n', '\r', '\\']) && !value.contains(char::is_control);
    match place / 64 {
        0 if in_quotes => toml = format!("{name} = '{value}'\n{toml}"),
        1 if in_quotes => dotenv = format!("{name}='{value}'\n{dotenv}"),
        _ => environment.insert(0, (name.to_owned(), value.clone())),
    }
    let directory = DIRECTORY.path();
    write(directory, "async-starter.toml", &toml);
    write(directory, ".env", &dotenv);
    let sources = Sources {
        working_directory: directory.to_owned(),
        config_file: None,
        environment,
        flags,
        read_dotenv: true,
    };
    let outcome = config::load(&sources);
    match &outcome {
        Ok(loaded) => check_accepted(loaded, &value, prefix),
        Err(error) => check_refused(error, text.len()),
    }
    // A configuration is loaded once in the life of the program and nobody has made that fast; so this is looked at now and then.
    if place % 64 < 4 {
        assert_eq!(shown(&outcome), shown(&config::load(&sources)), "the same again");
    }
});

fn check_accepted(loaded: &Loaded, value: &str, prefix: &str) {
    // Behind an `@` a password may well be meant; but what an address calls its user, host or path is no secret.
    let password = Url::parse(value).ok().and_then(|url| url.password().map(str::to_owned));
    if !prefix.is_empty() && password.is_none_or(|password| password != SECRET) {
        return;
    }
    let shown = format!(
        "{:?} {} {} {:?}",
        loaded.config,
        loaded.to_table(),
        loaded.to_json(),
        loaded.warnings
    );
    assert!(!shown.contains(SECRET), "{shown}");
}

fn check_refused(error: &ConfigError, input_bytes: usize) {
    let shown = error.to_string();
    assert!(!error.problems.is_empty());
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    assert!(
        !shown.replace('\n', "").contains(char::is_control),
        "a value must not drive a terminal: {shown:?}"
    );
    assert!(shown.len() <= 50_000 + 100 * input_bytes, "{} bytes", shown.len());
}

fn shown(outcome: &Result<Loaded, ConfigError>) -> String {
    match outcome {
        Ok(loaded) => loaded.to_json().to_string(),
        Err(error) => error.to_string(),
    }
}

fn pairs(section: &str) -> Vec<(String, String)> {
    let pair = |line: &str| {
        let (name, value) = line.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    section.lines().filter_map(pair).collect()
}

fn write(directory: &Path, name: &str, text: &str) {
    fs::write(directory.join(name), text).expect("there is room for a few files");
}
