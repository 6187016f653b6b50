//! What in the steps would break a rolling upgrade, in which old and new instances share the database for a while, or lock a
//! table for long. Steps are examined as SQL; nothing is executed.
//!
//! The rules are in `changes` (what counts) and `hazard` (why, and what instead). Our own `tokens` reads the SQL: it takes
//! a hundred lines, no time to compile, and passes over what it does not know, where a parser of three dialects would fail
//! at the first clause that is newer than itself. So the lint does not see into the bodies of triggers, procedures and DO
//! blocks.

mod changes;
mod hazard;
#[cfg(test)]
mod tests;
mod tokens;

use self::{
    changes::Changes,
    hazard::{Finding, Hazard},
    tokens::statements,
};
use super::Step;
use crate::Engine;

/// Longer statements are cut off in warnings.
const EXCERPT_CHARS: usize = 160;

/// Why a step may do what the lint warns of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acceptance {
    /// The reason, which is shown.
    pub(super) because: &'static str,
    /// The step that made room for this one. While it is to be applied in the same upgrade, this one comes too early,
    /// whatever the reason.
    pub(super) after: Option<&'static str>,
}

/// What the lint found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationLint {
    /// How many steps were examined.
    pub steps: usize,
    /// In the order of the steps.
    pub warnings: Vec<MigrationWarning>,
}

/// A change that breaks a rolling upgrade or locks a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationWarning {
    /// The name of the step.
    pub step: &'static str,
    /// Where it does.
    pub engines: Vec<Engine>,
    /// The change in a few words.
    pub what: String,
    /// The beginning of the step's SQL, as the first of the engines gets it.
    pub statement: String,
    /// What goes wrong while old and new instances run together.
    pub meanwhile: &'static str,
    /// How the same is reached without that.
    pub instead: &'static str,
    /// Whether the step is accepted all the same.
    pub verdict: LintVerdict,
}

/// Whether a step that was warned of is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LintVerdict {
    /// The step does not say why it should be.
    Warned,
    /// It is, because of this.
    Accepted(&'static str),
    /// It says why, but the step that made room for it is to be applied in the same upgrade.
    TooEarly {
        /// That step.
        after: &'static str,
    },
}

impl MigrationLint {
    /// Whether anything is not accepted.
    #[must_use]
    pub fn has_warnings(&self) -> bool {
        self.warnings
            .iter()
            .any(|warning| !matches!(warning.verdict, LintVerdict::Accepted(_)))
    }
}

/// Examines steps that are applied in one upgrade, for these engines.
pub(super) fn examine(series: &[Step], engines: &[Engine]) -> MigrationLint {
    let mut warnings = Vec::new();
    let mut changes: Vec<_> = engines.iter().map(|engine| (*engine, Changes::new(*engine))).collect();
    for step in series {
        let mut of_step: Vec<(Finding, MigrationWarning)> = Vec::new();
        for (engine, changes) in &mut changes {
            let sql = (step.up)(engine.backend());
            for finding in findings(&sql, *engine, changes) {
                // The engines mostly agree.
                match of_step.iter_mut().find(|(known, _)| *known == finding) {
                    Some((_, warning)) if warning.engines.contains(engine) => {}
                    Some((_, warning)) => warning.engines.push(*engine),
                    None => {
                        let warning = MigrationWarning {
                            step: step.name,
                            engines: vec![*engine],
                            what: finding.what(),
                            statement: excerpt(&sql),
                            meanwhile: finding.hazard.meanwhile(),
                            instead: finding.hazard.instead(),
                            verdict: verdict(step, series),
                        };
                        of_step.push((finding, warning));
                    }
                }
            }
        }
        warnings.extend(of_step.into_iter().map(|(_, warning)| warning));
    }
    MigrationLint {
        steps: series.len(),
        warnings,
    }
}

/// Examines all steps, those of each release as an upgrade of their own.
pub(super) fn examine_releases(steps: &[Step]) -> MigrationLint {
    let releases = steps.chunk_by(|one, next| one.release == next.release);
    MigrationLint {
        steps: steps.len(),
        warnings: releases
            .flat_map(|series| examine(series, &Engine::ALL).warnings)
            .collect(),
    }
}

fn findings(sql: &str, engine: Engine, changes: &mut Changes) -> Vec<Finding> {
    let statements = statements(sql, engine.syntax());
    let mut findings = Vec::new();
    if statements.len() > 1 {
        findings.push(Finding::of(Hazard::SeveralStatements, String::new(), None));
    }
    findings.extend(statements.iter().flat_map(|statement| changes.of(statement)));
    findings
}

fn verdict(step: &Step, series: &[Step]) -> LintVerdict {
    let Some(Acceptance { because, after }) = step.accepted else {
        return LintVerdict::Warned;
    };
    match after {
        Some(after) if series.iter().any(|other| other.name == after) => LintVerdict::TooEarly { after },
        _ => LintVerdict::Accepted(because),
    }
}

fn excerpt(sql: &str) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
