//! A page of the book, taken apart line by line: headings, fenced blocks, links, solutions and includes.
//!
//! This reads the Markdown that the book is written in and no more. Headings begin with `#`, blocks with three backticks or
//! more.

mod spans;

use std::collections::BTreeSet;

use self::spans::{destination, opening_bracket, without_code};

/// A page, with the place of all that the checks ask for. Lines count from 1.
#[derive(Default)]
pub(crate) struct Page {
    pub(super) headings: Vec<Heading>,
    pub(crate) blocks: Vec<Block>,
    pub(super) links: Vec<Link>,
    /// Where a `<details>` begins.
    pub(super) solutions: Vec<usize>,
    pub(super) includes: Vec<Include>,
    /// A block that is never closed begins here.
    pub(super) open_block: Option<usize>,
    /// Rows of tables: the line, and the cells without the spaces around them.
    pub(super) rows: Vec<(usize, Vec<String>)>,
    /// The last line that is not empty.
    pub(super) last_line: (usize, String),
}

/// A heading and its text, in Markdown.
pub(super) struct Heading {
    pub(super) line: usize,
    pub(super) level: usize,
    pub(super) text: String,
}

/// A fenced block.
pub(crate) struct Block {
    pub(crate) line: usize,
    /// What stands behind the opening fence.
    pub(crate) language: String,
    /// The lines between the fences, as far as they are not a list's indentation.
    pub(crate) text: String,
}

/// A link or an image.
pub(super) struct Link {
    pub(super) line: usize,
    pub(super) target: String,
    pub(super) is_image: bool,
}

/// `{{#include path:anchor}}`, or `{{#include path}}`.
pub(super) struct Include {
    pub(super) line: usize,
    /// What stands between the braces, without `#`: `include path:anchor`.
    pub(super) directive: String,
    pub(super) is_in_block: bool,
}

impl Include {
    /// The path and the anchor; `None` for every directive but `include`.
    pub(super) fn parts(&self) -> Option<(&str, Option<&str>)> {
        let target = self.directive.strip_prefix("include ")?.trim();
        Some(
            target
                .split_once(':')
                .map_or((target, None), |(path, anchor)| (path, Some(anchor))),
        )
    }
}

/// An opening fence: its indentation and how many backticks it has.
struct Fence {
    indentation: usize,
    ticks: usize,
}

impl Page {
    /// Takes a page apart.
    pub(crate) fn parse(text: &str) -> Self {
        let mut page = Self::default();
        let mut open: Option<(Fence, Block)> = None;
        let mut prose = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let ticks = line
                .trim_start()
                .chars()
                .take_while(|&character| character == '`')
                .count();
            page.note_includes(number, line, open.is_some());
            if !line.trim().is_empty() {
                page.last_line = (number, line.trim().to_owned());
            }
            match &mut open {
                Some((fence, block)) => {
                    if ticks >= fence.ticks && line.trim().len() == ticks {
                        page.blocks.extend(open.take().map(|(_, block)| block));
                    } else {
                        block.text.extend([without_indentation(line, fence.indentation), "\n"]);
                    }
                }
                None if ticks >= 3 => {
                    page.note_links(&std::mem::take(&mut prose));
                    let fence = Fence {
                        indentation: line.len() - line.trim_start().len(),
                        ticks,
                    };
                    let language = line.trim().trim_start_matches('`').to_owned();
                    let text = String::new();
                    open = Some((
                        fence,
                        Block {
                            line: number,
                            language,
                            text,
                        },
                    ));
                }
                None => {
                    page.note_line(number, line);
                    prose.push((number, line));
                    if line.trim().is_empty() {
                        page.note_links(&std::mem::take(&mut prose));
                    }
                }
            }
        }
        page.note_links(&prose);
        page.open_block = open.map(|(_, block)| block.line);
        page
    }

    fn note_line(&mut self, number: usize, line: &str) {
        let level = line.chars().take_while(|&character| character == '#').count();
        if let Some(text) = line.get(level..).and_then(|rest| rest.strip_prefix(' ')) {
            if (1..=6).contains(&level) {
                self.headings.push(Heading {
                    line: number,
                    level,
                    text: text.trim().to_owned(),
                });
            }
        } else if line.trim_start().starts_with("<details") {
            self.solutions.push(number);
        } else if let Some(row) = line.trim().strip_prefix('|') {
            let row = row.strip_suffix('|').unwrap_or(row);
            let cells = row.split('|').map(|cell| cell.trim().to_owned()).collect();
            self.rows.push((number, cells));
        }
    }

    fn note_includes(&mut self, number: usize, line: &str, is_in_block: bool) {
        for part in line.split("{{#").skip(1) {
            if let Some((directive, _)) = part.split_once("}}") {
                self.includes.push(Include {
                    line: number,
                    directive: directive.trim().to_owned(),
                    is_in_block,
                });
            }
        }
    }

    /// The links of a paragraph. Their text may go on in its next line, and so may a code span, in which there are none.
    fn note_links(&mut self, lines: &[(usize, &str)]) {
        let Some(&(first, _)) = lines.first() else { return };
        let paragraph: Vec<&str> = lines.iter().map(|(_, line)| *line).collect();
        let text = without_code(&paragraph.join("\n"));
        let line_of = |position: usize| first + text.get(..position).unwrap_or_default().matches('\n').count();
        let mut found = Vec::new();
        for (position, _) in text.match_indices("](") {
            if let Some(target) = text.get(position + 2..).and_then(destination) {
                let is_image = opening_bracket(&text, position)
                    .is_some_and(|start| text.get(..start).unwrap_or_default().ends_with('!'));
                found.push((position, target, is_image));
            }
        }
        for (attribute, is_image) in [("href=\"", false), ("src=\"", true)] {
            for (position, _) in text.match_indices(attribute) {
                let value = text
                    .get(position + attribute.len()..)
                    .and_then(|rest| rest.split_once('"'));
                found.extend(value.map(|(target, _)| (position, target, is_image)));
            }
        }
        found.sort_unstable();
        self.links
            .extend(found.into_iter().map(|(position, target, is_image)| Link {
                line: line_of(position),
                target: target.to_owned(),
                is_image,
            }));
    }

    /// The ids that mdBook gives to the headings.
    pub(super) fn ids(&self) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        for heading in &self.headings {
            let id = id_of(&heading.text);
            let numbered = (1..).map(|number| format!("{id}-{number}"));
            let free = std::iter::once(id.clone()).chain(numbered).find(|id| !ids.contains(id));
            ids.extend(free);
        }
        ids
    }
}

/// The id that mdBook gives to a heading: letters and digits of any script in lower case, `-` for spaces, nothing for the rest.
fn id_of(heading: &str) -> String {
    // Of a link in a heading only the text is shown.
    let mut text = String::new();
    let mut rest = heading;
    while let Some((before, target)) = rest.split_once("](") {
        text.push_str(before);
        rest = target.split_once(')').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text.trim()
        .to_lowercase()
        .chars()
        .filter_map(|character| match character {
            '_' | '-' => Some(character),
            _ if character.is_alphanumeric() => Some(character),
            _ if character.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect()
}

fn without_indentation(line: &str, indentation: usize) -> &str {
    let own = line.len() - line.trim_start_matches(' ').len();
    line.get(own.min(indentation)..).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::Page;

    const PAGE: &str = "\
# A [link](x.md) in `code`

See [the
next](next.md#part \"title\") and `[not](this.md)`, ``nor ` [this](a.md)``.
![A picture](../images/a.svg) [![both](b.svg)](c.md) [w](https://a.example/b_(c))

## Again

```rust
{{#include ../../crates/a.rs:run}}
# no heading, [no link](x)
```

1. In a list:

   ```sh
   ls
     -l
   ```

## Again

| a | b |
| --- | --- |
<details>
<summary>Solution</summary>
</details>
";

    #[test]
    fn links_are_found_outside_of_code_with_their_lines() {
        let page = Page::parse(PAGE);
        let links: Vec<(usize, &str, bool)> = page
            .links
            .iter()
            .map(|link| (link.line, link.target.as_str(), link.is_image))
            .collect();
        assert_eq!(
            links,
            [
                (1, "x.md", false),
                (4, "next.md#part", false),
                (5, "../images/a.svg", true),
                (5, "b.svg", true),
                (5, "c.md", false),
                (5, "https://a.example/b_(c)", false),
            ]
        );
    }

    #[test]
    fn blocks_keep_their_text_and_lose_the_indentation_of_a_list() {
        let page = Page::parse(PAGE);
        let blocks: Vec<(usize, &str, &str)> = page
            .blocks
            .iter()
            .map(|block| (block.line, block.language.as_str(), block.text.as_str()))
            .collect();
        let rust = "{{#include ../../crates/a.rs:run}}\n# no heading, [no link](x)\n";
        assert_eq!(blocks, [(9, "rust", rust), (16, "sh", "ls\n  -l\n")]);
        assert_eq!(page.includes[0].parts(), Some(("../../crates/a.rs", Some("run"))));
        assert!(page.includes[0].is_in_block);
        assert_eq!(page.open_block, None);
        assert_eq!(Page::parse("a\n```sh\nb").open_block, Some(2));
    }

    #[test]
    fn headings_solutions_and_rows_are_found() {
        let page = Page::parse(PAGE);
        let headings: Vec<(usize, usize)> = page
            .headings
            .iter()
            .map(|heading| (heading.line, heading.level))
            .collect();
        assert_eq!(headings, [(1, 1), (7, 2), (21, 2)]);
        assert_eq!(page.solutions, [25]);
        assert_eq!(page.rows[0], (23, vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn ids_are_those_of_mdbook() {
        let page = Page::parse(
            "# `select!` and *what* it drops: a [link](x.md)\n## 並行処理：5 件を同時に\n## One\n## One\n### ページネーション、`ORDER BY`\n",
        );
        let ids: Vec<String> = page.ids().into_iter().collect();
        assert_eq!(
            ids,
            [
                "one",
                "one-1",
                "select-and-what-it-drops-a-link",
                "ページネーションorder-by",
                "並行処理5-件を同時に"
            ]
        );
    }
}
