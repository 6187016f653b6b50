//! What mdBook runs on the chapters once it has put the included code into them.
//!
//! Code from within a function or a module loses the indentation that it has there, and a file that is shown as a whole the
//! lines that say where anchors are. Each chapter gets a link to itself in the other language, so that pages need no script
//! for that.

use std::io;

use anyhow::{Context, Result};
use serde_json::Value;

use super::code::is_anchor;

/// Reads what mdBook says on standard input, and answers with the book as it is to be.
pub(super) fn run() -> Result<()> {
    let input: Value = serde_json::from_reader(io::stdin().lock()).context("mdBook speaks to us in JSON")?;
    let book = prepared(input).context("this is not what mdBook 0.5 says")?;
    serde_json::to_writer(io::stdout().lock(), &book)?;
    Ok(())
}

/// The book in `[context, book]`, prepared.
fn prepared(mut input: Value) -> Option<Value> {
    let language = input.pointer("/0/config/book/language")?.as_str()?.to_owned();
    let mut book = input.get_mut(1)?.take();
    for item in book.get_mut("items")?.as_array_mut()? {
        prepare(item, &language);
    }
    Some(book)
}

fn prepare(item: &mut Value, language: &str) {
    let Some(chapter) = item.get_mut("Chapter") else {
        return; // the title of a part
    };
    let link = chapter
        .get("path")
        .and_then(Value::as_str)
        .map(|path| link_to_other_language(path, language))
        .unwrap_or_default();
    if let Some(Value::String(content)) = chapter.get_mut("content") {
        *content = link + &with_code_prepared(content);
    }
    let below = chapter.get_mut("sub_items").and_then(Value::as_array_mut);
    for item in below.into_iter().flatten() {
        prepare(item, language);
    }
}

/// The link to the same chapter in the other language. The style sheet `docs/book.css` puts it to the right of the title.
fn link_to_other_language(path: &str, language: &str) -> String {
    let (other, name) = if language == "ja" {
        ("en", "English")
    } else {
        ("ja", "日本語")
    };
    let page = path.trim_end_matches(".md");
    format!(
        "<p class=\"other-language\"><a href=\"../{other}/{page}.html\" lang=\"{other}\" hreflang=\"{other}\" rel=\"alternate\">{name}</a></p>\n\n"
    )
}

/// The chapter with its blocks as far to the left as they go, and without the lines of anchors in them.
fn with_code_prepared(content: &str) -> String {
    let mut prepared = Vec::new();
    // How many backticks the opening fence has, and the lines that follow it.
    let mut open: Option<(usize, Vec<&str>)> = None;
    for line in content.lines() {
        let ticks = line.chars().take_while(|&character| character == '`').count();
        if let Some((opening, block)) = &mut open {
            if ticks >= *opening && line.trim_end().len() == ticks {
                prepared.extend(without_common_indentation(block));
                prepared.push(line);
                open = None;
            } else if !is_anchor(line) {
                block.push(line);
            }
            continue;
        }
        prepared.push(line);
        if ticks >= 3 {
            open = Some((ticks, Vec::new()));
        }
    }
    prepared.extend(open.into_iter().flat_map(|(_, block)| block));
    prepared.join("\n") + "\n"
}

fn without_common_indentation<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let with_text = lines.iter().filter(|line| !line.trim().is_empty());
    let common = with_text
        .map(|line| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or_default();
    lines
        .iter()
        .map(|line| line.get(common..).unwrap_or_default())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{prepared, with_code_prepared};

    #[test]
    fn code_from_within_a_function_moves_to_the_left() {
        let chapter = "A\n\n```rust\n    // ANCHOR: a\n    fn b() {\n\n        c();\n    }\n```\n\n    kept\n";
        assert_eq!(
            with_code_prepared(chapter),
            "A\n\n```rust\nfn b() {\n\n    c();\n}\n```\n\n    kept\n"
        );
        assert_eq!(
            with_code_prepared("````text\n```\n  a\n````\n"),
            "````text\n```\n  a\n````\n"
        );
    }

    #[test]
    fn each_chapter_begins_with_a_link_to_the_other_language() {
        let chapter = json!({ "Chapter": { "content": "# A\n", "path": "pools.md", "sub_items": [] } });
        let input =
            json!([{ "config": { "book": { "language": "ja" } } }, { "items": [{ "PartTitle": "P" }, chapter] }]);
        let book = prepared(input).unwrap();
        let content = book.pointer("/items/1/Chapter/content").unwrap().as_str().unwrap();
        assert!(content.starts_with("<p class=\"other-language\"><a href=\"../en/pools.html\" lang=\"en\""));
        assert!(content.ends_with("English</a></p>\n\n# A\n"));
    }
}
