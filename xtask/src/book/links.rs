//! Links and images lead to something: to chapters and headings that exist, to pictures, or to the web.

use std::collections::{BTreeMap, BTreeSet};

use super::edition::Edition;
use super::files::{self, Files};
use super::page::Page;

/// Links of all chapters that lead nowhere, or out of the book.
pub(super) fn faults(editions: &[&Edition], files: &Files) -> Vec<String> {
    // Path of a chapter → the ids of its headings.
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for edition in editions {
        for (chapter, page) in &edition.pages {
            let folder = edition.folder();
            ids.insert(format!("{folder}/{chapter}.md"), ids_of(page, &folder, files));
        }
    }
    let mut faults = Vec::new();
    for edition in editions {
        for (chapter, page) in &edition.pages {
            for link in &page.links {
                let fault = if link.is_image {
                    fault_of_image(&link.target, edition, files)
                } else {
                    fault_of_link(&link.target, edition, chapter, &ids, files)
                };
                faults.extend(fault.map(|fault| format!("{}: {fault}", edition.place(chapter, link.line))));
            }
        }
    }
    faults
}

/// The ids of a page, with those of a page that it includes as a whole.
fn ids_of(page: &Page, folder: &str, files: &Files) -> BTreeSet<String> {
    let mut ids = page.ids();
    let included = page.includes.iter().filter(|include| !include.is_in_block);
    for (target, _) in included.filter_map(|include| include.parts()) {
        let text = files::resolve(folder, target).and_then(|path| files.text(&path));
        ids.extend(Page::parse(text.unwrap_or_default()).ids());
    }
    ids
}

fn fault_of_image(target: &str, edition: &Edition, files: &Files) -> Option<String> {
    if !target.starts_with("../images/") {
        return Some(format!("the image {target} is not one of ../images/"));
    }
    let exists = files::resolve(&edition.folder(), target).is_some_and(|path| files.has(&path));
    (!exists).then(|| format!("the image {target} does not exist"))
}

fn fault_of_link(
    target: &str,
    edition: &Edition,
    chapter: &str,
    ids: &BTreeMap<String, BTreeSet<String>>,
    files: &Files,
) -> Option<String> {
    if target.starts_with("https://") {
        return None;
    }
    if target.starts_with("../images/") {
        return fault_of_image(target, edition, files);
    }
    let (page, fragment) = target
        .split_once('#')
        .map_or((target, None), |(page, fragment)| (page, Some(fragment)));
    let path = if page.is_empty() {
        format!("{}/{chapter}.md", edition.folder())
    } else if page.contains(':') || page.starts_with('/') {
        return Some(format!("{target} is neither a chapter nor https://"));
    } else {
        files::resolve(&edition.folder(), page).unwrap_or_default()
    };
    let Some(headings) = ids.get(&path) else {
        return Some(format!(
            "{target} is no chapter; files of the repository stand in backticks"
        ));
    };
    let fragment = fragment?;
    (!headings.contains(fragment)).then(|| format!("{path} has no heading with the id {fragment}"))
}

#[cfg(test)]
mod tests {
    use super::super::edition::{ENGLISH, Edition, JAPANESE};
    use super::super::files::Files;
    use super::faults;

    fn faults_of(page: &str) -> Vec<String> {
        let files = Files::of(&[
            ("docs/en/a.md", page),
            ("docs/en/b.md", "# B\n## What it costs\n{{#include ../table.md}}\n"),
            ("docs/ja/b.md", "# い\n## 何が起きるか：`SELECT`\n"),
            ("docs/table.md", "## The table\n"),
            ("docs/images/a.svg", "<svg/>"),
        ]);
        let (english, japanese) = (Edition::read(&files, ENGLISH), Edition::read(&files, JAPANESE));
        faults(&[&english, &japanese], &files)
    }

    #[test]
    fn links_lead_to_chapters_headings_pictures_and_the_web() {
        let page = "# A\n[1](b.md) [2](b.md#what-it-costs) [3](#a) [4](../ja/b.md#何が起きるかselect) [5](b.md#the-table)\n\
                    [6](../images/a.svg) ![7](../images/a.svg) [8](https://docs.rs)\n";
        assert_eq!(faults_of(page), Vec::<String>::new());
    }

    #[test]
    fn all_other_links_are_faults() {
        for (link, fault) in [
            (
                "[1](c.md)",
                "c.md is no chapter; files of the repository stand in backticks",
            ),
            (
                "[1](../table.md)",
                "../table.md is no chapter; files of the repository stand in backticks",
            ),
            ("[1](b.md#no)", "docs/en/b.md has no heading with the id no"),
            ("[1](#no)", "docs/en/a.md has no heading with the id no"),
            (
                "[1](http://docs.rs)",
                "http://docs.rs is neither a chapter nor https://",
            ),
            ("[1](/b.md)", "/b.md is neither a chapter nor https://"),
            ("![1](../images/b.svg)", "the image ../images/b.svg does not exist"),
            (
                "![1](https://a.example/b.svg)",
                "the image https://a.example/b.svg is not one of ../images/",
            ),
        ] {
            assert_eq!(
                faults_of(&format!("# A\n\n{link}\n")),
                [format!("docs/en/a.md:3: {fault}")]
            );
        }
    }
}
