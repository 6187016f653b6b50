//! What `migrate lint` prints.

use std::process::ExitCode;

use persistence::{LintVerdict, MigrationLint, MigrationWarning};
use serde_json::json;

/// The exit code when a step would break a rolling upgrade and is not accepted.
const EXIT_WARNINGS: u8 = 3;

/// Prints what was found; the exit code tells whether all of it is accepted.
pub(crate) fn print(lint: &MigrationLint, as_json: bool) -> anyhow::Result<ExitCode> {
    crate::print(&if as_json { to_json(lint)? } else { to_text(lint) })?;
    Ok(if lint.has_warnings() {
        ExitCode::from(EXIT_WARNINGS)
    } else {
        ExitCode::SUCCESS
    })
}

fn to_text(lint: &MigrationLint) -> String {
    let mut paragraphs: Vec<_> = lint.warnings.iter().map(paragraph).collect();
    let is_accepted = |warning: &&MigrationWarning| matches!(warning.verdict, LintVerdict::Accepted(_));
    let accepted = lint.warnings.iter().filter(is_accepted).count();
    let warned = lint.warnings.len() - accepted;
    let steps = lint.steps;
    paragraphs.push(format!("steps: {steps}; warnings: {warned}; accepted: {accepted}"));
    paragraphs.join("\n\n")
}

fn paragraph(warning: &MigrationWarning) -> String {
    let heading = format!("{} {}", warning.step, warning.what);
    let verdict = match warning.verdict {
        LintVerdict::Warned => None,
        LintVerdict::Accepted(because) => Some(format!("accepted: {because}")),
        LintVerdict::TooEarly { after } => Some(format!(
            "too early: {after} is part of the same upgrade; roll out its release first"
        )),
    };
    let lines = [
        Some(format!("on: {}", engines(warning).join(", "))),
        Some(format!("statement: {}", warning.statement)),
        Some(format!("meanwhile: {}", warning.meanwhile)),
        Some(format!("instead: {}", warning.instead)),
        verdict,
    ];
    let lines = lines.into_iter().flatten().map(|line| format!("\n  {line}"));
    heading + &lines.collect::<String>()
}

fn engines(warning: &MigrationWarning) -> Vec<String> {
    warning.engines.iter().map(ToString::to_string).collect()
}

fn to_json(lint: &MigrationLint) -> serde_json::Result<String> {
    let warning = |warning: &MigrationWarning| {
        let (accepted, too_early_after) = match warning.verdict {
            LintVerdict::Warned => (None, None),
            LintVerdict::Accepted(because) => (Some(because), None),
            LintVerdict::TooEarly { after } => (None, Some(after)),
        };
        json!({
            "step": warning.step,
            "what": warning.what,
            "engines": engines(warning),
            "statement": warning.statement,
            "meanwhile": warning.meanwhile,
            "instead": warning.instead,
            "accepted": accepted,
            "too_early_after": too_early_after,
        })
    };
    let warnings: Vec<_> = lint.warnings.iter().map(warning).collect();
    serde_json::to_string_pretty(&json!({"steps": lint.steps, "warnings": warnings}))
}

#[cfg(test)]
mod tests {
    use persistence::Engine;

    use super::*;

    fn lint(verdict: LintVerdict) -> MigrationLint {
        MigrationLint {
            steps: 5,
            warnings: vec![MigrationWarning {
                step: "m20270110_000005_drop_name",
                engines: vec![Engine::Sqlite, Engine::Postgres],
                what: "drops the column users.name".to_owned(),
                statement: "ALTER TABLE users DROP COLUMN name".to_owned(),
                meanwhile: "requests fail",
                instead: "drop it later",
                verdict,
            }],
        }
    }

    #[test]
    fn a_warning_says_what_where_why_and_what_instead() {
        let expected = "m20270110_000005_drop_name drops the column users.name\n  on: SQLite, PostgreSQL\n  \
                        statement: ALTER TABLE users DROP COLUMN name\n  meanwhile: requests fail\n  \
                        instead: drop it later";
        let warned = to_text(&lint(LintVerdict::Warned));
        assert_eq!(warned, format!("{expected}\n\nsteps: 5; warnings: 1; accepted: 0"));
        let accepted = to_text(&lint(LintVerdict::Accepted("title has taken its place")));
        assert_eq!(
            accepted,
            format!("{expected}\n  accepted: title has taken its place\n\nsteps: 5; warnings: 0; accepted: 1")
        );
        let too_early = to_text(&lint(LintVerdict::TooEarly { after: "m4" }));
        assert!(too_early.contains("\n  too early: m4 is part"), "{too_early}");
        assert!(too_early.ends_with("warnings: 1; accepted: 0"), "{too_early}");
    }

    #[test]
    fn as_json_it_says_the_same() {
        let text = to_json(&lint(LintVerdict::Accepted("title has taken its place"))).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let warning = &value["warnings"][0];
        assert_eq!(warning["engines"], json!(["SQLite", "PostgreSQL"]));
        assert_eq!(warning["accepted"], "title has taken its place");
        assert_eq!(
            (&value["steps"], &warning["too_early_after"]),
            (&json!(5), &json!(null))
        );
    }
}
