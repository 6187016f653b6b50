//! `cargo xtask book build`: both languages by mdBook, one page that leads to both, and a look at every link.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::files::Files;
use super::html;
use crate::workspace;

/// Where the pages go, from the top of the repository. Each `book.toml` names its part of it.
const FOLDER: &str = "target/book";
/// Where mdBook is installed, so that it belongs to this working copy alone.
const TOOLS: &str = "target/tools";

/// Options of `cargo xtask book build`.
#[derive(Args)]
pub(crate) struct Options {
    /// Install mdBook into target/tools, if it cannot be found: it takes some minutes, once
    #[arg(long)]
    pub(super) install: bool,
}

/// The page at the top, which leads to both languages.
const ENTRANCE: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>async-starter: the book</title>
  <style>
    body { font: 1.1rem/1.6 system-ui, sans-serif; margin: 20vh auto 0; max-width: 32rem; padding: 0 1rem; }
    a { display: block; padding: 0.5rem 0; }
  </style>
</head>
<body>
  <h1>async-starter</h1>
  <a href="en/index.html" hreflang="en">Async database work in Rust</a>
  <a href="ja/index.html" hreflang="ja" lang="ja">Rust による非同期データベースプログラミング</a>
</body>
</html>
"#;

/// Builds the book, and fails if a link in it leads nowhere.
pub(super) fn run(options: &Options) -> Result<()> {
    let root = workspace::root();
    let mdbook = mdbook(options)?;
    let folder = root.join(FOLDER);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {FOLDER}"))?;
    }
    for language in ["en", "ja"] {
        let mut build = workspace::nested(&mdbook);
        workspace::succeed(build.arg("build").arg(root.join("docs").join(language)))?;
    }
    copy_images(&root.join("docs/images"), &folder.join("images"))?;
    fs::write(folder.join("index.html"), ENTRANCE)?;
    let dead = html::dead_links(&Files::read(&folder)?);
    if !dead.is_empty() {
        bail!("links lead nowhere:\n{}", dead.join("\n"));
    }
    println!("the book is in {FOLDER}: open {}", folder.join("index.html").display());
    Ok(())
}

/// mdBook from PATH, or our own.
fn mdbook(options: &Options) -> Result<PathBuf> {
    let own = workspace::root().join(TOOLS).join("bin/mdbook");
    let candidates = [PathBuf::from("mdbook"), own.clone()];
    if let Some(found) = candidates.into_iter().find(|program| runs(program)) {
        return Ok(found);
    }
    let arguments = ["install", "mdbook", "--locked", "--root", TOOLS];
    if !options.install {
        bail!(
            "mdBook is not installed: `cargo {}` installs it, or call this with --install",
            arguments.join(" ")
        );
    }
    workspace::succeed(&mut workspace::cargo_at_root(&arguments))?;
    Ok(own)
}

fn runs(program: &Path) -> bool {
    let mut version = Command::new(program);
    version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// Copies the pictures of the book, which both languages share.
fn copy_images(from: &Path, to: &Path) -> Result<()> {
    if !from.exists() {
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))
                .with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}
