//! What is wrong with a configuration, all of it at once. Nothing in here ever holds a secret.

use std::fmt;

/// A configuration that was refused. Its text lists every problem, one a line.
#[derive(Debug, thiserror::Error)]
#[error("{}", listing(problems))]
pub(crate) struct ConfigError {
    /// In the order of the layers, then of the table; never empty.
    pub(crate) problems: Vec<Problem>,
}

// ANCHOR: problem
/// One thing to put right.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The variable concerned; none when a whole file cannot be read.
    pub(crate) variable: Option<String>,
    /// `default`, `async-starter.toml` (or the file asked for), `.env`, `environment` or `command line`.
    pub(crate) source: String,
    /// The value given, `[redacted]` where it may be a secret; none when the value is not the problem.
    pub(crate) given: Option<String>,
    /// What is accepted, or what to do.
    pub(crate) advice: String,
}
// ANCHOR_END: problem

/// Collects what the layers and the sections find.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
}

impl Findings {
    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// A problem with a variable for which the value does not matter.
    pub(super) fn refuse(&mut self, variable: &str, source: &str, advice: impl Into<String>) {
        self.problems.push(Problem {
            variable: Some(variable.to_owned()),
            source: source.to_owned(),
            given: None,
            advice: advice.into(),
        });
    }

    /// A problem with a whole file.
    pub(super) fn refuse_file(&mut self, source: &str, advice: impl Into<String>) {
        self.problems.push(Problem {
            variable: None,
            source: source.to_owned(),
            given: None,
            advice: advice.into(),
        });
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.variable {
            Some(variable) => write!(formatter, "{} ({}): ", printable(variable), self.source)?,
            None => write!(formatter, "{}: ", self.source)?,
        }
        if let Some(given) = &self.given {
            write!(formatter, "given `{}`; ", printable(given))?;
        }
        formatter.write_str(&self.advice)
    }
}

fn listing(problems: &[Problem]) -> String {
    let mut text = match problems.len() {
        1 => "the configuration has a problem:".to_owned(),
        count => format!("the configuration has {count} problems:"),
    };
    for problem in problems {
        text.push_str("\n  ");
        text.push_str(&problem.to_string());
    }
    text
}

/// One line of bounded length, whatever was typed: a value must not be able to drive the terminal that shows it.
pub(super) fn printable(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut line = String::new();
    for character in text.chars().take(LONGEST) {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}
