//! The book in one language: its table of contents and its pages.

use std::collections::BTreeMap;

use super::files::Files;
use super::page::Page;

/// A language that the book is in.
#[derive(Clone, Copy)]
pub(super) struct Language {
    /// Its folder below `docs/`.
    pub(super) code: &'static str,
    /// What the last section of a chapter is called.
    pub(super) exercises: &'static str,
    /// How the last line of a chapter, which leads to the next one, begins.
    pub(super) next: &'static str,
}

pub(super) const ENGLISH: Language = Language {
    code: "en",
    exercises: "Exercises",
    next: "Next: [",
};
pub(super) const JAPANESE: Language = Language {
    code: "ja",
    exercises: "練習問題",
    next: "次の章：[",
};

/// A chapter as `SUMMARY.md` lists it.
pub(super) struct Entry {
    pub(super) line: usize,
    /// The name of its file without `.md`.
    pub(super) chapter: String,
}

/// The book in one language.
pub(super) struct Edition {
    pub(super) language: Language,
    pub(super) contents: Vec<Entry>,
    /// The pages that exist, listed or not, by chapter.
    pub(super) pages: BTreeMap<String, Page>,
}

impl Edition {
    /// Reads the book in `language`.
    pub(super) fn read(files: &Files, language: Language) -> Self {
        let folder = format!("docs/{}/", language.code);
        let chapter = |path: &str| Some(path.strip_prefix(&folder)?.strip_suffix(".md")?.to_owned());
        let mut pages: BTreeMap<String, Page> = files
            .texts()
            .filter_map(|(path, text)| Some((chapter(path)?, Page::parse(text))))
            .collect();
        let links = pages.remove("SUMMARY").unwrap_or_default().links.into_iter();
        let entry = |link: super::page::Link| Entry {
            line: link.line,
            chapter: link.target.trim_end_matches(".md").to_owned(),
        };
        Self {
            language,
            contents: links.map(entry).collect(),
            pages,
        }
    }

    /// The folder of the book.
    pub(super) fn folder(&self) -> String {
        format!("docs/{}", self.language.code)
    }

    /// A place in a page, as an editor takes it.
    pub(super) fn place(&self, chapter: &str, line: usize) -> String {
        format!("docs/{}/{chapter}.md:{line}", self.language.code)
    }
}
