//! Reads variables out of the merged layers, one at a time, and remembers everything that was wrong with them.

use std::collections::BTreeMap;
use std::path::Path;

use super::layers::{DEFAULT, Merged, Setting};
use super::problem::{Findings, Problem};
use super::report::Effective;
use super::table::VARIABLES;
use super::variable::find;

/// The merged layers, and what was found while reading them.
pub(super) struct Reader<'a> {
    pub(super) merged: &'a Merged,
    /// Where relative names of `…_FILE` variables start.
    pub(super) working_directory: &'a Path,
    pub(super) findings: &'a mut Findings,
    /// What took effect where that is not what the layers say: computed, composed, or read from a file.
    derived: BTreeMap<&'static str, Setting>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(merged: &'a Merged, working_directory: &'a Path, findings: &'a mut Findings) -> Self {
        Self {
            merged,
            working_directory,
            findings,
            derived: BTreeMap::new(),
        }
    }

    /// Parses one variable; the complaint of the parser becomes a problem.
    pub(super) fn read<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let setting = self.setting(name)?;
        self.accept(name, &setting, parse)
    }

    /// The second half of [`Reader::read`], for a setting in hand: a file is read once, for it may be a pipe.
    pub(super) fn accept<T>(
        &mut self,
        name: &'static str,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(&setting.text) {
            Ok(value) => Some(value),
            Err(accepted) => {
                self.refuse(name, setting, format!("accepted: {accepted}"));
                None
            }
        }
    }

    // ANCHOR: setting
    /// The text of a variable, read from a file where one is named. A file that cannot be read is a problem.
    pub(super) fn setting(&mut self, name: &'static str) -> Option<Setting> {
        let Some((file_form, file)) = self.file_of(name) else {
            return Some(self.merged.setting(name));
        };
        match std::fs::read_to_string(self.working_directory.join(&file.text)) {
            Ok(text) => {
                let text = without_last_line_end(&text).to_owned();
                let setting = Setting {
                    text,
                    source: format!("{file_form}, {}", file.source),
                };
                self.derive(name, setting.clone());
                Some(setting)
            }
            Err(error) => {
                self.refuse(file_form, &file, format!("the file cannot be read: {error}"));
                None
            }
        }
    }
    // ANCHOR_END: setting

    /// The `…_FILE` variable that stands in for a variable, if it is set.
    fn file_of(&self, name: &str) -> Option<(&'static str, Setting)> {
        let file_form = VARIABLES
            .iter()
            .find(|variable| variable.file_form_of().is_some_and(|direct| direct.name == name))?;
        let file = self.merged.setting(file_form.name);
        (!file.text.is_empty()).then_some((file_form.name, file))
    }

    /// Notes what took effect where that is not what the layers say.
    pub(super) fn derive(&mut self, name: &'static str, setting: Setting) {
        self.derived.insert(name, setting);
    }

    /// Refuses the value that a variable has in the layers, or in its file.
    pub(super) fn refuse_value(&mut self, name: &'static str, advice: String) {
        let setting = self.derived.get(name).cloned();
        let setting = setting.unwrap_or_else(|| self.merged.setting(name));
        self.refuse(name, &setting, advice);
    }

    fn refuse(&mut self, name: &'static str, setting: &Setting, advice: String) {
        let given = find(name).map(|variable| variable.shown_in_problem(&setting.text));
        self.findings.problems.push(Problem {
            variable: Some(name.to_owned()),
            source: setting.source.clone(),
            given,
            advice,
        });
    }

    /// Every variable with the value in effect, fit to be shown.
    pub(super) fn effective(&self) -> Vec<Effective> {
        VARIABLES
            .iter()
            .map(|variable| {
                let setting = self.merged.setting(variable.name);
                let Setting { text, source } = self.derived.get(variable.name).unwrap_or(&setting);
                // `NAME` empties `NAME_FILE` and the other way round; nobody gave that emptiness.
                let source = if text.is_empty() { DEFAULT } else { source };
                Effective {
                    name: variable.name,
                    value: variable.shown(text),
                    source: source.to_owned(),
                }
            })
            .collect()
    }
}

/// Editors and `echo` end a file with a line end that is no part of the secret; any other white space is.
fn without_last_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}
