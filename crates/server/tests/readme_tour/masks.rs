//! Hides what differs from run to run, and still tells equal values from different ones.
//!
//! A value is recognised by what stands before and after it, and becomes its kind, a number and its length: the first time
//! on the page is `<time 1, 27 characters>`, and so is every later occurrence of the same time. So a user who was changed
//! must keep `created_at` and get another `updated_at`, and the request id of a problem must be that of the header.
//! The date of an answer and the time that it took have no number, for two answers may have the same by chance.
//! Nothing else is hidden: ids, totals, messages and the order of members are compared as they are.
//!
//! Besides, the lines of an HTTP head are sorted, for they come in no particular order, and white space around a line is
//! dropped, with which `uniq -c` aligns differently from system to system.

/// What stands before a value, what stands after it, and its kind.
const VALUES: [(&str, char, &str); 9] = [
    ("\"created_at\":\"", '"', "time"),
    ("\"updated_at\":\"", '"', "time"),
    ("\"timestamp\":\"", '"', "time"),
    ("\"request_id\":\"", '"', "request id"),
    ("\"next_cursor\":\"", '"', "cursor"),
    // Three hexadecimal numbers: `etag: "7-660edcdc45f49-1"`.
    ("\netag: \"", '"', "entity tag"),
    ("\nx-request-id: ", '\n', "request id"),
    ("\nx-process-time: ", '\n', "process time"),
    ("\ndate: ", '\n', "date"),
];

/// Kinds of values of which two may be equal by chance.
const EQUAL_BY_CHANCE: [&str; 2] = ["process time", "date"];

/// Kinds of values that a reader copies from an answer into a later command.
const COPIED: [&str; 2] = ["cursor", "entity tag"];

/// The values that were hidden so far.
#[derive(Default)]
pub(crate) struct Masks(Vec<(&'static str, String)>);

impl Masks {
    /// The text with its values hidden.
    pub(crate) fn apply(&mut self, text: &str) -> String {
        let text = tidied(text);
        let mut rest = text.as_str();
        let mut masked = String::new();
        // The value that comes first, if there is any.
        while let Some((start, end, kind)) = VALUES
            .iter()
            .filter_map(|(before, end, kind)| Some((rest.find(before)? + before.len(), *end, *kind)))
            .min()
        {
            let (before, from_value) = rest.split_at(start);
            let (value, after) = from_value.split_at(from_value.find(end).unwrap_or(from_value.len()));
            masked += before;
            masked += &self.mask(kind, value);
            rest = after;
        }
        masked + rest
    }

    fn mask(&mut self, kind: &'static str, value: &str) -> String {
        if EQUAL_BY_CHANCE.contains(&kind) {
            return format!("<{kind}, {} characters>", value.len());
        }
        let seen = (kind, value.to_owned());
        if !self.0.contains(&seen) {
            self.0.push(seen.clone());
        }
        let same_kind = self.0.iter().filter(|(other, _)| *other == kind);
        let number = same_kind.take_while(|other| **other != seen).count() + 1;
        format!("<{kind} {number}, {} characters>", value.len())
    }

    /// A command of the page with the cursors and entity tags of this run in place of those that the page shows. The outputs
    /// up to here agreed, so both have hidden their values in the same order.
    pub(crate) fn translate(&self, command: &str, run: &Self) -> String {
        let pairs = self.0.iter().zip(&run.0);
        pairs
            .filter(|((kind, _), _)| COPIED.contains(kind))
            .fold(command.to_owned(), |command, ((_, shown), (_, real))| {
                command.replace(shown, real)
            })
    }
}

/// The text with trimmed lines and, if it begins with an HTTP head, that head in alphabetical order.
fn tidied(text: &str) -> String {
    let mut lines: Vec<&str> = text.trim().lines().map(str::trim).collect();
    if lines.first().is_some_and(|line| line.starts_with("HTTP/")) {
        let head = lines.iter().position(|line| line.is_empty()).unwrap_or(lines.len());
        // The status line stays the first.
        lines.get_mut(1..head).unwrap_or_default().sort_unstable();
    }
    lines.join("\n")
}
