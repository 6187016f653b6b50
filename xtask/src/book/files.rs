//! The files of the repository as the checks of the book see them: by their path from its top, with `/` between the parts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// What is in a folder and is not ours to check: what Cargo writes, and what Git knows.
const LEFT_OUT: &[&str] = &["target", ".git"];

/// All files of the repository. One that is not text has none.
#[derive(Default)]
pub(super) struct Files(BTreeMap<String, Option<String>>);

impl Files {
    /// Reads what is below `root`.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut files = Self::default();
        files.read_folder(root, "")?;
        Ok(files)
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if LEFT_OUT.contains(&name.as_str()) {
                continue;
            }
            if kind.is_dir() {
                self.read_folder(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
                self.0.insert(path, String::from_utf8(bytes).ok());
            }
        }
        Ok(())
    }

    /// The files that a test names.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| ((*path).to_owned(), Some((*text).to_owned()));
        Self(files.iter().map(file).collect())
    }

    /// Whether there is a file of this path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// The text of a file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path)?.as_deref()
    }

    /// Every file that is text, in the order of the paths.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }
}

/// Whether the name of a file ends in this extension.
pub(super) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// The path that `target` names, seen from a file in `folder`; `None` if it leads out of the repository.
pub(super) fn resolve(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn paths_are_resolved_from_the_folder_and_not_beyond_the_repository() {
        let crates = resolve("docs/en", "../../crates/x/src/lib.rs");
        assert_eq!(crates.as_deref(), Some("crates/x/src/lib.rs"));
        assert_eq!(resolve("docs/en", "./pools.md").as_deref(), Some("docs/en/pools.md"));
        assert_eq!(resolve("docs/en", "../../../etc/passwd"), None);
    }
}
