//! Files that are written by a program and kept in the repository: writing them, and telling how they have drifted.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::workspace;

/// What to do with a generated file.
#[derive(Clone, Copy, Subcommand)]
pub(crate) enum Action {
    /// Write the file
    Dump,
    /// Fail if the file is not what would be written
    Check,
}

/// A generated file: its path in the repository and the command that writes it.
pub(crate) struct Generated {
    pub(crate) path: &'static str,
    pub(crate) dump_command: &'static str,
}

impl Generated {
    /// Carries out `action` with the text that the file should have.
    pub(crate) fn act(&self, action: Action, text: &str) -> Result<()> {
        match action {
            Action::Dump => self.dump(text),
            Action::Check => self.check(text),
        }
    }

    fn dump(&self, text: &str) -> Result<()> {
        fs::write(workspace::root().join(self.path), text).with_context(|| format!("cannot write {}", self.path))?;
        println!("wrote {}", self.path);
        Ok(())
    }

    fn check(&self, text: &str) -> Result<()> {
        let Self { path, dump_command } = self;
        let kept = fs::read_to_string(workspace::root().join(path))
            .with_context(|| format!("cannot read {path}; `{dump_command}` writes it"))?;
        match difference(&kept, text) {
            None => {
                println!("{path} is up to date");
                Ok(())
            }
            Some(difference) => bail!(
                "{path} is out of date. It has the lines with -, the code says those with +:\n\n{difference}\n\
                 Run `{dump_command}` and commit the file."
            ),
        }
    }
}

/// Lines of agreement shown before and after a difference.
const CONTEXT: usize = 3;
/// Lines shown of each side before the rest is only counted.
const SHOWN: usize = 20;

/// The stretch from the first to the last line that differs, in the notation of `diff -u`; `None` if nothing does.
pub(crate) fn difference(kept: &str, wanted: &str) -> Option<String> {
    if kept == wanted {
        return None;
    }
    let kept_lines: Vec<&str> = kept.split_inclusive('\n').collect();
    let wanted_lines: Vec<&str> = wanted.split_inclusive('\n').collect();
    let same = |(one, other): &(&&str, &&str)| one == other;
    let before = kept_lines.iter().zip(&wanted_lines).take_while(same).count();
    let after = kept_lines
        .iter()
        .skip(before)
        .rev()
        .zip(wanted_lines.iter().skip(before).rev())
        .take_while(same)
        .count();
    let removed = kept_lines.len() - before - after;
    let added = wanted_lines.len() - before - after;
    let context_start = before.saturating_sub(CONTEXT);

    let mut shown = format!("@@ line {} @@\n", before + 1);
    append(
        &mut shown,
        ' ',
        kept_lines.iter().skip(context_start),
        before - context_start,
    );
    append(&mut shown, '-', kept_lines.iter().skip(before), removed);
    append(&mut shown, '+', wanted_lines.iter().skip(before), added);
    append(
        &mut shown,
        ' ',
        kept_lines.iter().skip(before + removed),
        after.min(CONTEXT),
    );
    Some(shown)
}

fn append<'a>(shown: &mut String, mark: char, lines: impl Iterator<Item = &'a &'a str>, count: usize) {
    for line in lines.take(count.min(SHOWN)) {
        let (text, ending) = line
            .strip_suffix('\n')
            .map_or((*line, " (no newline at the end)"), |text| (text, ""));
        // Writing to a String cannot fail.
        let _ = writeln!(shown, "{mark}{text}{ending}");
    }
    if count > SHOWN {
        let _ = writeln!(shown, "{mark}… {} more lines", count - SHOWN);
    }
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn equal_texts_have_no_difference() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
    }

    #[test]
    fn a_difference_shows_the_changed_lines_between_three_lines_of_context() {
        let shown = difference("1\n2\n3\n4\nold\n5\n6\n7\n8\n", "1\n2\n3\n4\nnew\nnewer\n5\n6\n7\n8\n").unwrap();
        assert_eq!(shown, "@@ line 5 @@\n 2\n 3\n 4\n-old\n+new\n+newer\n 5\n 6\n 7\n");
    }

    #[test]
    fn a_repeated_line_that_was_added_is_one_added_line() {
        assert_eq!(difference("a\na\n", "a\na\na\n").unwrap(), "@@ line 3 @@\n a\n a\n+a\n");
    }

    #[test]
    fn a_missing_last_newline_is_a_difference() {
        assert_eq!(
            difference("a\n", "a").unwrap(),
            "@@ line 1 @@\n-a\n+a (no newline at the end)\n"
        );
    }

    #[test]
    fn a_long_difference_is_cut() {
        let shown = difference("", &"x\n".repeat(50)).unwrap();
        assert_eq!(shown.lines().count(), 22);
        assert!(shown.ends_with("+… 30 more lines\n"));
    }
}
