//! The chapter about the Python original: every heading of its guide has a chapter that took its place, and each of its
//! mistakes a test that exists.

use super::edition::Edition;
use super::files::Files;

/// The chapter with both tables.
const CHAPTER: &str = "from-python";
/// The headings of the guide, in its language and its order.
const HEADINGS: &str = include_str!("original_headings.txt");

/// What the tables of the chapter lack.
pub(super) fn faults(edition: &Edition, files: &Files) -> Vec<String> {
    let Some(page) = edition.pages.get(CHAPTER) else {
        return Vec::new(); // the contents tell that it is missing
    };
    let mut faults = Vec::new();
    let mut headings = HEADINGS.lines();
    for (line, cells) in &page.rows {
        let place = edition.place(CHAPTER, *line);
        let (first, others) = cells
            .split_first()
            .map_or(("", &[][..]), |(first, others)| (first.as_str(), others));
        let heading = first.strip_prefix('`').and_then(|heading| heading.strip_suffix('`'));
        if let Some(heading) = heading.filter(|heading| heading.starts_with('#')) {
            match headings.next() {
                Some(expected) if expected == heading => {}
                Some(expected) => faults.push(format!("{place}: `{heading}`, where the guide has `{expected}`")),
                None => faults.push(format!("{place}: `{heading}` is one too many")),
            }
            if !others.iter().any(|cell| cell.contains(".md)")) {
                faults.push(format!("{place}: `{heading}` leads to no chapter"));
            }
        }
        faults.extend(
            tests_that_are_missing(&cells.join(" "), files)
                .map(|test| format!("{place}: there is no test `{test}` in the file that is named with it")),
        );
    }
    faults.extend(headings.map(|heading| format!("{}: `{heading}` is missing", edition.place(CHAPTER, 1))));
    faults
}

/// The tests that a row names, and the files that it names do not have.
fn tests_that_are_missing<'a>(row: &'a str, files: &Files) -> impl Iterator<Item = &'a str> {
    let spans = || row.split('`').skip(1).step_by(2);
    let sources: Vec<&str> = spans().filter_map(|span| files.text(span)).collect();
    let is_test = |span: &&str| {
        let is_word = |character: char| matches!(character, 'a'..='z' | '0'..='9' | '_');
        span.matches('_').count() > 2 && span.chars().all(is_word)
    };
    spans()
        .filter(is_test)
        .filter(move |test| !sources.iter().any(|source| source.contains(&format!("fn {test}("))))
}

#[cfg(test)]
mod tests {
    use super::super::edition::{ENGLISH, Edition};
    use super::super::files::Files;
    use super::{HEADINGS, faults};

    fn faults_of(table: &str) -> Vec<String> {
        let files = Files::of(&[
            ("docs/en/from-python.md", table),
            (
                "crates/a/tests/it/a.rs",
                "async fn what_is_there_is_found(db: TestDatabase) {}\n",
            ),
        ]);
        faults(&Edition::read(&files, ENGLISH), &files)
    }

    fn whole() -> String {
        let rows: Vec<String> = HEADINGS
            .lines()
            .map(|heading| format!("| `{heading}` | [P](pools.md) |\n"))
            .collect();
        rows.concat()
    }

    #[test]
    fn every_heading_of_the_guide_has_a_row_once_and_in_order() {
        assert_eq!(faults_of(&whole()), Vec::<String>::new());
        assert_eq!(
            faults_of(&whole().replace("| `### Python` | [P](pools.md) |\n", "")),
            ["docs/en/from-python.md:1: `### Python` is missing"]
        );
        assert_eq!(
            faults_of(&(whole() + "| `### Python` | [P](pools.md) |\n")),
            ["docs/en/from-python.md:33: `### Python` is one too many"]
        );
        let first = HEADINGS.lines().next().unwrap();
        assert_eq!(
            faults_of(&whole().replace(&format!("| `{first}` | [P](pools.md)"), "| `# Else` | pools")),
            [
                format!("docs/en/from-python.md:1: `# Else`, where the guide has `{first}`"),
                "docs/en/from-python.md:1: `# Else` leads to no chapter".to_owned()
            ]
        );
    }

    #[test]
    fn a_test_that_is_named_is_in_the_file_that_is_named_with_it() {
        let row = |test: &str| format!("{}| a mistake | `{test}` in `crates/a/tests/it/a.rs` |\n", whole());
        assert_eq!(faults_of(&row("what_is_there_is_found")), Vec::<String>::new());
        assert_eq!(
            faults_of(&row("what_is_not_there")),
            ["docs/en/from-python.md:33: there is no test `what_is_not_there` in the file that is named with it"]
        );
    }
}
