//! The fenced blocks of a chapter, what stands before each, and the commands in them.

use anyhow::{Context, Result, ensure};

use crate::book::page::{self, Page};

/// A fenced block.
pub(super) struct Block {
    /// The line of its opening fence, from 1.
    pub(super) line: usize,
    pub(super) language: String,
    /// The lines between the fences.
    pub(super) text: String,
    /// What stands between the block before and this one.
    pub(super) before: String,
}

/// A command of a `console` block, and its output.
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) command: String,
    pub(super) output: String,
}

/// All blocks of a page.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let lines: Vec<&str> = page.lines().collect();
    let mut end_of_last = 0;
    let with_before = |block: page::Block| {
        let before = lines.iter().take(block.line - 1).skip(end_of_last);
        let before = before.flat_map(|line| [*line, "\n"]).collect();
        // The two fences are lines as well.
        end_of_last = block.line + block.text.lines().count() + 1;
        Block {
            line: block.line,
            language: block.language,
            text: block.text,
            before,
        }
    };
    Page::parse(page).blocks.into_iter().map(with_before).collect()
}

/// Whether two pages have the same blocks.
pub(super) fn are_alike(blocks: &[Block], others: &[Block]) -> bool {
    let essence = |block: &Block| (block.language.clone(), block.text.clone());
    blocks.iter().map(essence).eq(others.iter().map(essence))
}

/// The commands of a `console` block.
pub(super) fn steps(block: &Block) -> Result<Vec<Step>> {
    ensure!(block.text.starts_with("$ "), "a console block begins with a command");
    let mut steps: Vec<Step> = Vec::new();
    let mut is_continued = false;
    for (line, text) in (block.line + 1..).zip(block.text.lines()) {
        if let Some(command) = text.strip_prefix("$ ") {
            steps.push(Step {
                line,
                command: command.to_owned(),
                output: String::new(),
            });
        } else {
            let step = steps.last_mut().context("a command comes first")?;
            if is_continued {
                step.command.extend(["\n", text]);
            } else {
                step.output.extend([text, "\n"]);
            }
        }
        // Output may end with a `\` as well.
        is_continued = text.ends_with('\\') && (is_continued || text.starts_with("$ "));
    }
    Ok(steps)
}

/// What a text includes that is nothing but one include.
pub(super) fn include(text: &str) -> Option<String> {
    let path = text.trim().strip_prefix("{{#include ")?.strip_suffix("}}")?;
    (!path.contains('\n')).then(|| path.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{blocks, include, steps};

    #[test]
    fn commands_and_outputs_are_told_apart() {
        let page = "Text.\n\n```console\n$ echo a \\\n    b\na b\\\nc\n$ true\n```\nMore.\n```sh\ncargo run\n```\n";
        let blocks = blocks(page);
        assert_eq!(
            (blocks[1].language.as_str(), blocks[1].text.as_str(), blocks[1].line),
            ("sh", "cargo run\n", 11)
        );
        assert_eq!(blocks[1].before, "More.\n");
        let steps = steps(&blocks[0]).unwrap();
        assert_eq!((steps[0].line, steps[0].command.as_str()), (4, "echo a \\\n    b"));
        assert_eq!(
            (steps[0].output.as_str(), steps[1].command.as_str()),
            ("a b\\\nc\n", "true")
        );
    }

    #[test]
    fn an_include_is_found_where_it_is_all() {
        assert_eq!(include("{{#include ../a.rs:b}}\n").as_deref(), Some("../a.rs:b"));
        assert_eq!(include("{{#include a}}\n{{#include b}}\n"), None);
        assert_eq!(include("let a = 1;\n"), None);
    }
}
