//! The links of the pages that mdBook has written: each leads to a file, and its fragment to an id in there.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{Files, has_extension, resolve};

/// Links that lead nowhere, in all pages below `folder` of the files.
pub(super) fn dead_links(files: &Files) -> Vec<String> {
    let pages: Vec<(&str, &str)> = files
        .texts()
        .filter(|(path, _)| has_extension(path, "html") && !path.ends_with("/print.html"))
        .collect();
    let ids: BTreeMap<&str, BTreeSet<&str>> = pages
        .iter()
        .map(|(path, text)| (*path, attributes(text, "id").collect()))
        .collect();
    let mut dead = BTreeSet::new();
    for (path, text) in &pages {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for target in attributes(text, "href").chain(attributes(text, "src")) {
            if !is_within(target) {
                continue;
            }
            let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() {
                Some((*path).to_owned())
            } else {
                resolve(folder, &decoded(file))
            };
            let exists = file.as_deref().is_some_and(|file| files.has(file));
            let headings = file.as_deref().and_then(|file| ids.get(file));
            let fragment = decoded(fragment);
            let is_there = fragment.is_empty() || headings.is_none_or(|ids| ids.contains(fragment.as_str()));
            if !exists || !is_there {
                dead.insert(format!("{path}: {target} leads nowhere"));
            }
        }
    }
    dead.into_iter().collect()
}

/// Whether a link stays within the book.
fn is_within(target: &str) -> bool {
    !["https://", "http://", "mailto:", "data:", "javascript:"]
        .iter()
        .any(|scheme| target.starts_with(scheme))
}

/// The values of an attribute in a page.
fn attributes<'a>(page: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let begin = format!(" {name}=\"");
    let mut rest = page;
    std::iter::from_fn(move || {
        let (_, value) = rest.split_once(&begin)?;
        let (value, after) = value.split_once('"')?;
        rest = after;
        Some(value)
    })
}

/// A link as it is meant: `%E3%81%82` and `&amp;` are how it is written.
fn decoded(link: &str) -> String {
    let link = link.replace("&amp;", "&");
    let mut bytes = Vec::new();
    let mut rest = link.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| first == b'%');
        let escaped = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() {
            after.get(2..).unwrap_or_default()
        } else {
            after
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::files::Files;
    use super::dead_links;

    #[test]
    fn links_to_files_and_ids_that_are_not_there_are_dead() {
        let page = r##"<a href="b.html#%E3%81%82">1</a> <a href="#here">2</a> <p id="here"> <img src="../i/a.svg">
            <a href="https://docs.rs">3</a> <a href="c.html">4</a> <a href="b.html#no">5</a> <a href="#no">6</a>"##;
        let files = Files::of(&[("en/a.html", page), ("en/b.html", "<h2 id=\"あ\">"), ("i/a.svg", "")]);
        assert_eq!(
            dead_links(&files),
            [
                "en/a.html: #no leads nowhere",
                "en/a.html: b.html#no leads nowhere",
                "en/a.html: c.html leads nowhere",
            ]
        );
    }
}
