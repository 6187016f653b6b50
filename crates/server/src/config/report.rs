//! What `config` prints, and the reference table of the guide. Every value in here is fit to be shown.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::Config;
use super::problem::printable;
use super::table::VARIABLES;

/// A configuration that was accepted.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The values, typed and checked.
    pub(crate) config: Config,
    /// One line each, to be logged once logging is up.
    pub(crate) warnings: Vec<String>,
    /// Every variable in the order of the reference table, secrets redacted.
    pub(crate) effective: Vec<Effective>,
}

/// A variable with the value in effect.
#[derive(Debug)]
pub(crate) struct Effective {
    /// The variable.
    pub(crate) name: &'static str,
    /// Empty if unset, `[redacted]` if secret, an address without its password.
    pub(crate) value: String,
    /// The layer, or the variables that the value was made from.
    pub(crate) source: String,
}

impl Loaded {
    /// The effective configuration as aligned text, one variable a line.
    pub(crate) fn to_table(&self) -> String {
        let rows: Vec<[String; 3]> = std::iter::once(["VARIABLE", "VALUE", "SOURCE"].map(str::to_owned))
            .chain(
                self.effective
                    .iter()
                    .map(|row| [row.name.to_owned(), printable(&row.value), printable(&row.source)]),
            )
            .collect();
        let width = |column: usize| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let (name_width, value_width) = (width(0), width(1));
        let mut table = String::new();
        for [name, value, source] in &rows {
            // Writing to a `String` cannot fail.
            let _ = writeln!(table, "{name:name_width$}  {value:value_width$}  {source}");
        }
        table
    }

    /// The same for programs: `{"variables": {"PORT": {"value": "8000", "source": "default"}, …}, "warnings": […]}`.
    pub(crate) fn to_json(&self) -> Value {
        let variables: Map<String, Value> = self
            .effective
            .iter()
            .map(|row| (row.name.to_owned(), json!({ "value": row.value, "source": row.source })))
            .collect();
        json!({ "variables": variables, "warnings": self.warnings })
    }
}

/// The reference of the guide in Markdown: a table for each group, every variable with its default and its meaning.
pub(crate) fn reference_table() -> String {
    let mut text = String::new();
    let mut group = "";
    for variable in VARIABLES {
        if variable.group != group {
            group = variable.group;
            let space = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(
                text,
                "{space}### {group}\n\n| variable | default | meaning |\n| --- | --- | --- |"
            );
        }
        let default = variable.default.described();
        let _ = writeln!(text, "| `{}` | {default} | {} |", variable.name, variable.meaning);
    }
    text
}
