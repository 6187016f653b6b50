//! The fenced blocks of a Markdown page, and the commands in them.
//!
//! A `console` block is executed. A line that begins with `$ ` is a command; a `\` at its end continues it on the next
//! line; what follows, up to the next command, is its output. Blocks of other languages, such as the `sh` blocks that start
//! the server, are not executed.

/// A fenced block.
pub(crate) struct Block {
    /// What stands behind the opening fence.
    pub(crate) language: String,
    /// The line of the page on which the text begins, from 1.
    pub(crate) line: usize,
    /// The lines between the fences.
    pub(crate) text: String,
}

/// A command and its output, as the page shows them.
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) command: String,
    pub(crate) output: String,
}

/// All blocks of a page.
pub(crate) fn all(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in (1..).zip(page.lines()) {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(Block {
                    language: language.to_owned(),
                    line: number + 1,
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// The commands of all `console` blocks, in order.
pub(crate) fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for block in all(page).into_iter().filter(|block| block.language == "console") {
        assert!(
            block.text.starts_with("$ "),
            "line {}: a console block begins with a command",
            block.line
        );
        let mut is_continued = false;
        for (number, line) in (block.line..).zip(block.text.lines()) {
            if let Some(command) = line.strip_prefix("$ ") {
                steps.push(Step {
                    line: number,
                    command: command.to_owned(),
                    output: String::new(),
                });
            } else {
                let step = steps.last_mut().unwrap();
                let part = if is_continued {
                    &mut step.command
                } else {
                    &mut step.output
                };
                part.extend(["\n", line]);
            }
            // Output may end with a `\` as well.
            is_continued = line.ends_with('\\') && (is_continued || line.starts_with("$ "));
        }
    }
    steps
}

/// How deep each heading of a page is.
pub(crate) fn heading_levels(page: &str) -> Vec<usize> {
    let mut levels = Vec::new();
    let mut in_block = false;
    for line in page.lines() {
        in_block ^= line.starts_with("```");
        let level = line.chars().take_while(|character| *character == '#').count();
        if !in_block && level > 0 {
            levels.push(level);
        }
    }
    levels
}
