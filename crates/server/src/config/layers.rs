//! The layers a value can come from, and their merge.
//!
//! Every layer is a dictionary of text: what stands in an environment variable is never read as TOML, so a password
//! `0123`, `true` or `[x]` arrives as typed. figment merges the dictionaries and remembers where each value came from.

use std::collections::BTreeMap;
use std::path::Path;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::problem::{Findings, printable};
use super::table::VARIABLES;
use super::variable::{did_you_mean, find, is_nearly_ours, is_of_our_families};
use super::{Environment, Sources, parse};

/// Source of what no layer gives.
pub(super) const DEFAULT: &str = "default";
const SETTINGS_FILE: &str = "async-starter.toml";
const DOTENV_FILE: &str = ".env";
const PROCESS_ENVIRONMENT: &str = "environment";
const COMMAND_LINE: &str = "command line";

/// All layers as one: every variable of the table.
pub(super) struct Merged(BTreeMap<String, Setting>);

/// A value and where it came from.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) text: String,
    pub(super) source: String,
}

impl Setting {
    pub(super) fn is_default(&self) -> bool {
        self.source == DEFAULT
    }
}

impl Merged {
    /// Reads and merges all layers; what is wrong with them goes to `findings`.
    pub(super) fn read(sources: &Sources, findings: &mut Findings) -> Self {
        // ANCHOR: merge
        let mut figment = Figment::new();
        for mut layer in [
            settings_file(sources, findings),
            dotenv_file(sources, findings),
            process_environment(sources, findings),
            command_line(sources, findings),
        ] {
            layer.settle_file_forms(findings);
            figment = figment.merge(layer);
        }
        // Only now is it known which defaults apply. A wrong ENVIRONMENT is reported when its section is read.
        let environment = figment
            .find_value("ENVIRONMENT")
            .ok()
            .and_then(Value::into_string)
            .and_then(|text| parse::environment(&text).ok())
            .unwrap_or(Environment::Development);
        let figment = figment.join(Layer::of_defaults(environment));
        // ANCHOR_END: merge
        // Taken out at once: to find one value in it, figment copies all.
        let values = figment.data().map(|mut profiles| profiles.remove(&Profile::Default));
        let values = values.ok().flatten().unwrap_or_default();
        let setting = |(name, value): (String, Value)| {
            let source = figment
                .get_metadata(value.tag())
                .map_or(DEFAULT, |metadata| metadata.name.as_ref())
                .to_owned();
            let text = value.into_string().unwrap_or_default();
            (name, Setting { text, source })
        };
        Self(values.into_iter().map(setting).collect())
    }

    /// The value of a variable of the table.
    pub(super) fn setting(&self, name: &str) -> Setting {
        self.0.get(name).cloned().unwrap_or_else(|| Setting {
            text: String::new(),
            source: DEFAULT.to_owned(),
        })
    }
}

struct Layer {
    source: String,
    values: BTreeMap<&'static str, String>,
}

/// What to do about a name that is not in the table.
#[derive(Clone, Copy)]
enum Unknown {
    Refuse,
    /// Refuse what must be a typing error; the rest belongs to other programs.
    RefuseOurs,
    /// Orchestrators inject names such as `DB_SERVICE_HOST`, so nothing can be refused.
    WarnOurs,
}

impl Layer {
    fn new(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            values: BTreeMap::new(),
        }
    }

    fn of_defaults(environment: Environment) -> Self {
        let values = VARIABLES
            .iter()
            .map(|variable| (variable.name, variable.default.text(environment).to_owned()))
            .collect();
        Self {
            source: DEFAULT.to_owned(),
            values,
        }
    }

    /// Takes a value over if its name is known. Answers whether the layer had a value of that name before.
    fn take(&mut self, name: &str, text: String, unknown: Unknown, findings: &mut Findings) -> bool {
        if let Some(variable) = find(name) {
            return self.values.insert(variable.name, text).is_some();
        }
        let is_ours = is_of_our_families(name);
        let advice = format!("unknown variable{}", did_you_mean(name));
        match unknown {
            Unknown::Refuse => findings.refuse(name, &self.source, advice),
            Unknown::RefuseOurs if is_ours => findings.refuse(name, &self.source, advice),
            Unknown::RefuseOurs | Unknown::WarnOurs if is_ours || is_nearly_ours(name) => {
                findings.warn(format!("{} ({}): {advice}", printable(name), self.source));
            }
            Unknown::RefuseOurs | Unknown::WarnOurs => {}
        }
        false
    }

    /// Makes `NAME` and `NAME_FILE` one decision: a layer that gives either form hides both forms of the layers below.
    fn settle_file_forms(&mut self, findings: &mut Findings) {
        for file_form in VARIABLES {
            let Some(direct_form) = file_form.file_form_of() else {
                continue;
            };
            let gives = |name: &str| self.values.get(name).is_some_and(|text| !text.is_empty());
            if gives(file_form.name) && gives(direct_form.name) {
                findings.refuse(
                    direct_form.name,
                    &self.source,
                    format!("given together with `{}`; keep one of the two", file_form.name),
                );
            }
            if self.values.contains_key(direct_form.name) {
                self.values.entry(file_form.name).or_default();
            } else if self.values.contains_key(file_form.name) {
                self.values.entry(direct_form.name).or_default();
            }
        }
    }
}

// ANCHOR: provider
impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let values: Dict = self
            .values
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Value::from(text.clone())))
            .collect();
        Ok(Profile::Default.collect(values))
    }
}
// ANCHOR_END: provider

fn settings_file(sources: &Sources, findings: &mut Findings) -> Layer {
    let (path, source) = match &sources.config_file {
        Some(path) => (sources.working_directory.join(path), path.display().to_string()),
        None => (sources.working_directory.join(SETTINGS_FILE), SETTINGS_FILE.to_owned()),
    };
    let mut layer = Layer::new(source);
    let is_required = sources.config_file.is_some();
    let Some(text) = text_of_file(&path, &layer.source, is_required, findings) else {
        return layer;
    };
    let entries = match <Toml as Format>::from_str::<Dict>(&text) {
        Ok(entries) => entries,
        Err(error) => {
            // The error's own text quotes the line, which may hold a password.
            let line = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.matches('\n').count() + 1);
            findings.refuse_file(
                &format!("{} line {line}", layer.source),
                format!("not TOML: {}", error.message()),
            );
            return layer;
        }
    };
    for (key, value) in entries {
        let name = key.to_ascii_uppercase();
        match text_of_value(value) {
            Some(text) => {
                if layer.take(&name, text, Unknown::Refuse, findings) {
                    findings.refuse(&name, &layer.source, "given twice, in different case");
                }
            }
            None => findings.refuse(
                &name,
                &layer.source,
                "accepted: text, a number, `true`, `false`, or a list of these; the file has no sections",
            ),
        }
    }
    layer
}

/// The text that the same value has in an environment variable; lists become comma-separated.
fn text_of_value(value: Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text),
        Value::Bool(_, truth) => Some(truth.to_string()),
        Value::Num(_, number) => number
            .to_i128()
            .map(|number| number.to_string())
            .or_else(|| number.to_f64().map(|number| number.to_string())),
        Value::Array(_, items) => {
            let items: Option<Vec<String>> = items.into_iter().map(text_of_value).collect();
            items.map(|items| items.join(","))
        }
        Value::Char(..) | Value::Dict(..) | Value::Empty(..) => None,
    }
}

fn dotenv_file(sources: &Sources, findings: &mut Findings) -> Layer {
    let mut layer = Layer::new(DOTENV_FILE);
    if !sources.read_dotenv {
        return layer;
    }
    let path = sources.working_directory.join(DOTENV_FILE);
    let Some(text) = text_of_file(&path, DOTENV_FILE, false, findings) else {
        return layer;
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    // dotenvy replaces `$word`, from the environment of this process and, unknown, by nothing: half a password would be
    // lost without a word. A stand-in that does not occur in the file carries each `$` past it.
    let stand_in = ('\u{e000}'..='\u{f8ff}').find(|character| !text.contains(*character));
    let stand_in = stand_in.unwrap_or('$').to_string();
    // The line end makes dotenvy accept spaces at the end of a last line.
    let text = format!("{}\n", text.replace('$', &stand_in));
    let mut last_name = None;
    for assignment in dotenvy::from_read_iter(text.as_bytes()) {
        let Ok((name, value)) = assignment else {
            // The error quotes the line, which may hold a password.
            let place = last_name.map_or("the first assignment".to_owned(), |name| {
                format!("what follows `{name}`")
            });
            findings.refuse_file(
                DOTENV_FILE,
                format!(
                    "{place} cannot be read; accepted: `NAME=value`, with the value in single quotes if it has spaces, \
                     quotes, `#` or `\\`"
                ),
            );
            return layer;
        };
        let value = value.replace(&stand_in, "$");
        if value.contains("${") {
            findings.warn(format!(
                "{name} ({DOTENV_FILE}): `${{…}}` is not replaced but taken as it stands"
            ));
        }
        if layer.take(&name, value, Unknown::RefuseOurs, findings) {
            findings.warn(format!("{name} ({DOTENV_FILE}): given twice; the last one counts"));
        }
        last_name = Some(name);
    }
    layer
}

fn process_environment(sources: &Sources, findings: &mut Findings) -> Layer {
    let mut layer = Layer::new(PROCESS_ENVIRONMENT);
    for (name, text) in &sources.environment {
        // Kubernetes describes a service called `db` to its neighbours as `DB_PORT=tcp://10.0.0.1:3306`.
        if name == "DB_PORT" && text.starts_with("tcp://") {
            findings.warn(format!(
                "{name} ({PROCESS_ENVIRONMENT}): describes a Kubernetes service and is ignored; \
                 `enableServiceLinks: false` keeps such variables away"
            ));
            continue;
        }
        layer.take(name, text.clone(), Unknown::WarnOurs, findings);
    }
    layer
}

fn command_line(sources: &Sources, findings: &mut Findings) -> Layer {
    let mut layer = Layer::new(COMMAND_LINE);
    for (name, text) in &sources.flags {
        layer.take(&name.to_ascii_uppercase(), text.clone(), Unknown::Refuse, findings);
    }
    layer
}

fn text_of_file(path: &Path, source: &str, is_required: bool, findings: &mut Findings) -> Option<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_required => None,
        Err(error) => {
            findings.refuse_file(source, format!("cannot be read: {error}"));
            None
        }
    }
}
