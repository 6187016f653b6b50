//! The report: a table in the terminal, and pages and plots in `docs/benchmarks/` that are written from `results.json`.

mod markdown;
pub(crate) mod plots;
pub(crate) mod terminal;
mod words;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::results::Results;
use markdown::with_tables;
use words::Language;
pub(crate) use words::{grouped, ratio};

/// The file that holds all numbers.
pub(crate) const RESULTS: &str = "results.json";
/// The pages that show them.
const PAGES: [(&str, Language); 2] = [("README.md", Language::English), ("README.ja.md", Language::Japanese)];

/// The folder of the repository.
pub(crate) fn root() -> PathBuf {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
    bench.parent().unwrap_or(bench).to_owned()
}

/// The folder of the report.
pub(crate) fn folder() -> PathBuf {
    root().join("docs/benchmarks")
}

/// Keeps results and writes the report.
///
/// # Errors
/// When a page lacks the markers, or a file cannot be written.
pub(crate) fn write(folder: &Path, results: &Results) -> Result<()> {
    let path = folder.join(RESULTS);
    fs::write(&path, results.to_json()?).with_context(|| format!("cannot write {}", path.display()))?;
    write_pages(folder, results)
}

/// Writes the report from the results that are kept.
///
/// # Errors
/// When those cannot be read, and as [`write()`].
pub(crate) fn rewrite() -> Result<()> {
    let folder = folder();
    let results = Results::read(&folder.join(RESULTS))?;
    write_pages(&folder, &results)
}

fn write_pages(folder: &Path, results: &Results) -> Result<()> {
    let files = rendered(folder, results)?;
    for plot in plots_in(folder)? {
        if !files.contains_key(&plot) {
            fs::remove_file(folder.join(&plot))?;
        }
    }
    for (name, text) in files {
        fs::write(folder.join(&name), text).with_context(|| format!("cannot write {name}"))?;
        println!("wrote docs/benchmarks/{name}");
    }
    Ok(())
}

/// Fails if pages or plots are not what the kept results say.
///
/// # Errors
/// Then, with the names of the files.
pub(crate) fn check() -> Result<()> {
    let folder = folder();
    let stale = stale_files(&folder)?;
    if !stale.is_empty() {
        bail!(
            "out of date in docs/benchmarks: {}. `cargo xtask bench --report` writes them",
            stale.join(", ")
        );
    }
    println!("docs/benchmarks is what results.json says");
    Ok(())
}

/// The files of the report that differ from what the kept results say.
fn stale_files(folder: &Path) -> Result<Vec<String>> {
    let files = rendered(folder, &Results::read(&folder.join(RESULTS))?)?;
    let differs =
        |(name, text): &(&String, &String)| fs::read_to_string(folder.join(name)).map_or(true, |kept| kept != **text);
    let mut stale: Vec<String> = files.iter().filter(differs).map(|(name, _)| name.clone()).collect();
    stale.extend(plots_in(folder)?.into_iter().filter(|plot| !files.contains_key(plot)));
    Ok(stale)
}

/// The files of the report by name, as they should be.
fn rendered(folder: &Path, results: &Results) -> Result<BTreeMap<String, String>> {
    let mut files = plots::all(results)?;
    let plots: Vec<String> = files.keys().cloned().collect();
    for (name, language) in PAGES {
        let path = folder.join(name);
        let page = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        files.insert(name.to_owned(), with_tables(&page, results, &plots, language)?);
    }
    Ok(files)
}

/// The plots that lie in the folder.
fn plots_in(folder: &Path) -> Result<Vec<String>> {
    let mut plots = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|extension| extension == "svg") {
            plots.push(name);
        }
    }
    plots.sort();
    Ok(plots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Engine;
    use crate::results::tests::{comparison, engine_results};
    use crate::results::{Figure, Group, GroupResults};

    #[test]
    fn the_report_in_the_repository_is_what_its_results_say() {
        assert_eq!(
            stale_files(&folder()).unwrap(),
            Vec::<String>::new(),
            "`cargo xtask bench --report` writes them"
        );
    }

    /// A copy of the pages, and results of a get and a start.
    fn folder_with_results() -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        for (page, _) in PAGES {
            fs::copy(folder().join(page), copy.path().join(page)).unwrap();
        }
        let get = GroupResults {
            comparisons: vec![comparison(1, &[0.95, 0.97]), comparison(32, &[1.5, 1.6, 1.7])],
            ..GroupResults::default()
        };
        let start = GroupResults {
            figures: [(Figure::StartMillis, vec![40.0, 44.0])].into(),
            ..GroupResults::default()
        };
        let mut results = Results::default();
        results.merge(
            Engine::Sqlite,
            engine_results("0123abcd", [(Group::Get, get), (Group::Start, start)]),
        );
        write(copy.path(), &results).unwrap();
        copy
    }

    #[test]
    fn what_was_written_is_up_to_date() {
        let folder = folder_with_results();
        assert_eq!(stale_files(folder.path()).unwrap(), Vec::<String>::new());
        for (page, _) in PAGES {
            let text = fs::read_to_string(folder.path().join(page)).unwrap();
            assert!(text.contains("1.60×") && text.contains("ratio-get.svg"), "{text}");
            assert!(text.contains("42.0") && text.contains("0123abcd"), "{text}");
        }
    }

    #[test]
    fn each_file_that_was_changed_by_hand_is_found() {
        let folder = folder_with_results();
        let page = folder.path().join("README.md");
        fs::write(&page, fs::read_to_string(&page).unwrap().replace("1.60×", "9.60×")).unwrap();
        fs::write(folder.path().join("ratio-get.svg"), "<svg/>").unwrap();
        fs::write(folder.path().join("ratio-old.svg"), "<svg/>").unwrap();
        assert_eq!(
            stale_files(folder.path()).unwrap(),
            ["README.md", "ratio-get.svg", "ratio-old.svg"]
        );
    }

    #[test]
    fn text_outside_the_markers_is_left_alone() {
        let folder = folder_with_results();
        let page = folder.path().join("README.md");
        let text = fs::read_to_string(&page).unwrap().replacen("# ", "# About ", 1);
        fs::write(&page, &text).unwrap();
        assert_eq!(stale_files(folder.path()).unwrap(), Vec::<String>::new());
    }
}
