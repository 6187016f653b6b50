//! Both languages have the same chapters, and each chapter the same outline and the same blocks.

use std::fmt::Write as _;

use super::edition::Edition;
use super::page::{Block, Page};

/// Languages whose comments may be translated, and what a comment begins with.
const WITH_COMMENTS: &[&str] = &["sh", "toml", "yaml"];

/// The contents: the same in both, every chapter a file and every file a chapter.
pub(super) fn faults_of_contents(english: &Edition, japanese: &Edition) -> Vec<String> {
    let mut faults = Vec::new();
    for edition in [english, japanese] {
        for entry in &edition.contents {
            let chapter = entry.chapter.as_str();
            if !edition.pages.contains_key(chapter) {
                faults.push(format!(
                    "{}: docs/{}/{chapter}.md does not exist",
                    edition.place("SUMMARY", entry.line),
                    edition.language.code
                ));
            }
        }
        for chapter in edition.pages.keys() {
            if !edition.contents.iter().any(|entry| entry.chapter == *chapter) {
                faults.push(format!(
                    "{}: docs/{}/SUMMARY.md does not list it",
                    edition.place(chapter, 1),
                    edition.language.code
                ));
            }
        }
    }
    let mut pairs = english.contents.iter().zip(&japanese.contents);
    if let Some((one, other)) = pairs.find(|(one, other)| one.chapter != other.chapter) {
        faults.push(format!(
            "{}: lists {}, where {} has {}",
            japanese.place("SUMMARY", other.line),
            other.chapter,
            english.place("SUMMARY", one.line),
            one.chapter
        ));
    } else if english.contents.len() != japanese.contents.len() {
        faults.push(format!(
            "{}: lists {} chapters, the English one {}",
            japanese.place("SUMMARY", 1),
            japanese.contents.len(),
            english.contents.len()
        ));
    }
    faults
}

/// Headings and blocks of all chapters that are there in both languages.
pub(super) fn faults_of_translation(english: &Edition, japanese: &Edition) -> Vec<String> {
    let mut faults = Vec::new();
    for (chapter, in_english) in &english.pages {
        if let Some(in_japanese) = japanese.pages.get(chapter) {
            let places = |line: usize, japanese_line: usize| {
                (english.place(chapter, line), japanese.place(chapter, japanese_line))
            };
            faults.extend(fault_of_headings(in_english, in_japanese, places));
            faults.extend(fault_of_blocks(in_english, in_japanese, places));
        }
    }
    faults
}

fn fault_of_headings(
    english: &Page,
    japanese: &Page,
    places: impl Fn(usize, usize) -> (String, String),
) -> Option<String> {
    let mut pairs = english.headings.iter().zip(&japanese.headings);
    if let Some((one, other)) = pairs.find(|(one, other)| one.level != other.level) {
        let (place, japanese_place) = places(one.line, other.line);
        return Some(format!(
            "{japanese_place}: a heading of level {}, where {place} has one of level {}",
            other.level, one.level
        ));
    }
    let (count, japanese_count) = (english.headings.len(), japanese.headings.len());
    (count != japanese_count).then(|| {
        let (_, japanese_place) = places(1, 1);
        format!("{japanese_place}: has {japanese_count} headings, the English page {count}")
    })
}

fn fault_of_blocks(
    english: &Page,
    japanese: &Page,
    places: impl Fn(usize, usize) -> (String, String),
) -> Option<String> {
    let mut pairs = english.blocks.iter().zip(&japanese.blocks);
    if let Some((one, other)) = pairs.find(|(one, other)| compared(one) != compared(other)) {
        let (place, japanese_place) = places(one.line, other.line);
        return Some(format!("{japanese_place}: the block differs from that at {place}"));
    }
    let (count, japanese_count) = (english.blocks.len(), japanese.blocks.len());
    if count != japanese_count {
        let (_, japanese_place) = places(1, 1);
        return Some(format!(
            "{japanese_place}: has {japanese_count} blocks, the English page {count}"
        ));
    }
    let (count, japanese_count) = (english.solutions.len(), japanese.solutions.len());
    (count != japanese_count).then(|| {
        let (_, japanese_place) = places(1, 1);
        format!("{japanese_place}: has {japanese_count} times <details>, the English page {count}")
    })
}

/// What has to be the same: language and text, without the comments that may be translated.
fn compared(block: &Block) -> (&str, String) {
    let mut text = String::new();
    for line in block.text.trim().lines() {
        let code = if WITH_COMMENTS.contains(&block.language.as_str()) {
            line.split_once("# ").map_or(line, |(code, _)| code)
        } else {
            line
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", code.trim_end());
    }
    (&block.language, text)
}

#[cfg(test)]
mod tests {
    use super::super::edition::{ENGLISH, Edition, JAPANESE};
    use super::super::files::Files;
    use super::{faults_of_contents, faults_of_translation};

    fn editions(files: &[(&str, &str)]) -> (Edition, Edition) {
        let files = Files::of(files);
        (Edition::read(&files, ENGLISH), Edition::read(&files, JAPANESE))
    }

    fn faults_between(english: &str, japanese: &str) -> Vec<String> {
        let (english, japanese) = editions(&[("docs/en/a.md", english), ("docs/ja/a.md", japanese)]);
        faults_of_translation(&english, &japanese)
    }

    #[test]
    fn the_contents_of_both_languages_agree_with_each_other_and_the_files() {
        let (english, japanese) = editions(&[
            ("docs/en/SUMMARY.md", "[A](a.md)\n- [B](b.md)\n- [C](c.md)\n"),
            ("docs/ja/SUMMARY.md", "[A](a.md)\n- [C](c.md)\n- [B](b.md)\n"),
            ("docs/en/a.md", "# A\n"),
            ("docs/en/b.md", "# B\n"),
            ("docs/en/d.md", "# D\n"),
            ("docs/ja/a.md", "# A\n"),
            ("docs/ja/b.md", "# B\n"),
            ("docs/ja/c.md", "# C\n"),
        ]);
        assert_eq!(
            faults_of_contents(&english, &japanese),
            [
                "docs/en/SUMMARY.md:3: docs/en/c.md does not exist",
                "docs/en/d.md:1: docs/en/SUMMARY.md does not list it",
                "docs/ja/SUMMARY.md:2: lists c, where docs/en/SUMMARY.md:2 has b",
            ]
        );
    }

    #[test]
    fn headings_have_the_same_levels_in_the_same_order() {
        assert_eq!(faults_between("# A\n## B\n", "# あ\n## い\n"), Vec::<String>::new());
        assert_eq!(
            faults_between("# A\n\n## B\n", "# あ\n### い\n"),
            ["docs/ja/a.md:2: a heading of level 3, where docs/en/a.md:3 has one of level 2"]
        );
        assert_eq!(
            faults_between("# A\n## B\n", "# あ\n"),
            ["docs/ja/a.md:1: has 1 headings, the English page 2"]
        );
    }

    #[test]
    fn blocks_are_the_same_but_for_comments_of_the_shell() {
        let block = |language: &str, text: &str| format!("```{language}\n{text}\n```\n");
        let same = faults_between(&block("sh", "ls   # lists"), &block("sh", "ls   # 一覧\n"));
        assert_eq!(same, Vec::<String>::new());
        for (english, japanese) in [
            (block("sh", "ls"), block("sh", "ls -l")),
            (block("sh", "ls"), block("text", "ls")),
            (block("text", "a # b"), block("text", "a # c")),
        ] {
            assert_eq!(
                faults_between(&english, &format!("\n{japanese}")),
                ["docs/ja/a.md:2: the block differs from that at docs/en/a.md:1"]
            );
        }
        assert_eq!(
            faults_between(&block("sh", "ls"), ""),
            ["docs/ja/a.md:1: has 0 blocks, the English page 1"]
        );
        assert_eq!(
            faults_between("<details>\n", ""),
            ["docs/ja/a.md:1: has 0 times <details>, the English page 1"]
        );
    }
}
