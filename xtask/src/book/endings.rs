//! A chapter ends with exercises whose solutions are tests, and with a link to the next chapter.

use super::edition::Edition;
use super::page::Page;

/// The chapter that has nothing to exercise yet.
const FIRST: &str = "introduction";
/// The chapter that ends in no such way: the list of sources.
const LAST: &str = "further-reading";

/// Faults of how the chapters end.
pub(super) fn faults(edition: &Edition) -> Vec<String> {
    let mut faults = Vec::new();
    let following = edition
        .contents
        .iter()
        .skip(1)
        .map(|entry| Some(entry.chapter.as_str()));
    for (entry, next) in edition.contents.iter().zip(following.chain([None])) {
        let chapter = entry.chapter.as_str();
        let Some(page) = edition.pages.get(chapter) else {
            continue;
        };
        if chapter == LAST {
            continue;
        }
        let mut found: Vec<(usize, String)> = fault_of_last_line(page, next, edition.language.next)
            .into_iter()
            .collect();
        if chapter != FIRST {
            found.extend(faults_of_exercises(page, edition.language.exercises));
        }
        faults.extend(
            found
                .into_iter()
                .map(|(line, fault)| format!("{}: {fault}", edition.place(chapter, line))),
        );
    }
    faults
}

fn fault_of_last_line(page: &Page, next: Option<&str>, beginning: &str) -> Option<(usize, String)> {
    let next = next?;
    let (line, text) = &page.last_line;
    let leads_on = text.starts_with(beginning) && text.ends_with(&format!("]({next}.md)"));
    (!leads_on).then(|| (*line, format!("the last line is not `{beginning}…]({next}.md)`")))
}

fn faults_of_exercises(page: &Page, title: &str) -> Vec<(usize, String)> {
    let last = page.headings.iter().rposition(|heading| heading.level <= 2);
    let section = last.and_then(|index| page.headings.get(index..)).unwrap_or_default();
    let Some((heading, exercises)) = section.split_first().filter(|(heading, _)| heading.text == title) else {
        let line = section.first().map_or(1, |heading| heading.line);
        return vec![(line, format!("the last section of the chapter is not `## {title}`"))];
    };
    let exercises: Vec<usize> = exercises
        .iter()
        .filter(|heading| heading.level == 3)
        .map(|heading| heading.line)
        .collect();
    let mut faults = Vec::new();
    if exercises.len() < 2 {
        faults.push((heading.line, "there are fewer than two exercises".to_owned()));
    }
    let ends = exercises.iter().skip(1).copied().chain([usize::MAX]);
    for (&begin, end) in exercises.iter().zip(ends) {
        let within = |line: usize| begin < line && line < end;
        let solutions = page.solutions.iter().filter(|&&line| within(line)).count();
        let is_tested = page
            .includes
            .iter()
            .filter(|include| within(include.line))
            .filter_map(|include| include.parts())
            .any(|(path, _)| path.contains("/tests/"));
        if solutions != 1 {
            faults.push((
                begin,
                format!("the exercise has {solutions} solutions in <details>, not one"),
            ));
        } else if !is_tested {
            faults.push((begin, "the solution includes no test (`/tests/`)".to_owned()));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::super::edition::{ENGLISH, Edition};
    use super::super::files::Files;
    use super::faults;

    fn faults_of(chapter: &str, page: &str) -> Vec<String> {
        let (path, contents) = (format!("docs/en/{chapter}.md"), format!("[A]({chapter}.md)\n"));
        let files = Files::of(&[(&path, page), ("docs/en/SUMMARY.md", &contents)]);
        faults(&Edition::read(&files, ENGLISH))
    }

    const EXERCISE: &str =
        "### Do\n<details>\n```rust\n{{#include ../../crates/a/tests/it/a.rs:one}}\n```\n</details>\n";

    #[test]
    fn a_chapter_ends_with_two_exercises_whose_solutions_are_tests() {
        let page = format!("# A\n## Exercises\n{EXERCISE}{EXERCISE}");
        assert_eq!(faults_of("pools", &page), Vec::<String>::new());
        assert_eq!(
            faults_of("pools", &format!("# A\n## Exercises\n{EXERCISE}")),
            ["docs/en/pools.md:2: there are fewer than two exercises"]
        );
        let untested = EXERCISE.replace("/tests/", "/src/");
        assert_eq!(
            faults_of("pools", &format!("# A\n## Exercises\n{EXERCISE}{untested}")),
            ["docs/en/pools.md:9: the solution includes no test (`/tests/`)"]
        );
        assert_eq!(
            faults_of("pools", &format!("# A\n## Exercises\n{EXERCISE}### Do\n")),
            ["docs/en/pools.md:9: the exercise has 0 solutions in <details>, not one"]
        );
    }

    #[test]
    fn nothing_comes_behind_the_exercises() {
        let page = format!("# A\n## Exercises\n{EXERCISE}{EXERCISE}## More\n");
        assert_eq!(
            faults_of("pools", &page),
            ["docs/en/pools.md:15: the last section of the chapter is not `## Exercises`"]
        );
    }

    #[test]
    fn the_last_line_leads_to_the_next_chapter() {
        let contents = "[A](introduction.md)\n- [B](pools.md)\n";
        let faults_of = |page: &str| {
            let files = Files::of(&[("docs/en/introduction.md", page), ("docs/en/SUMMARY.md", contents)]);
            faults(&Edition::read(&files, ENGLISH))
        };
        assert_eq!(faults_of("# A\n\nNext: [Pools](pools.md)\n\n"), Vec::<String>::new());
        assert_eq!(
            faults_of("# A\n\nNext: [Others](others.md)\n"),
            ["docs/en/introduction.md:3: the last line is not `Next: […](pools.md)`"]
        );
    }

    #[test]
    fn some_chapters_have_no_exercises() {
        for chapter in ["introduction", "further-reading"] {
            assert_eq!(faults_of(chapter, "# A\n"), Vec::<String>::new());
        }
    }
}
