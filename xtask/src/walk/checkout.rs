//! A clean checkout of the repository, and the commands that are run in it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// What a reader's shell has that the commands need: programs, toolchains, and the way to the registry.
const VARIABLES: [&str; 13] = [
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "SSL_CERT_FILE",
    "http_proxy",
    "https_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "CARGO_HTTP_CAINFO",
    "CARGO_NET_OFFLINE",
];

/// The repository as somebody has it who has just cloned it.
pub(super) struct Checkout {
    folder: PathBuf,
    target: PathBuf,
}

impl Checkout {
    /// Clones the repository, or brings the clone of the last walk to its state.
    pub(super) fn make(uncommitted: bool) -> Result<Self> {
        let root = workspace::root();
        let home = root.join("target/walk");
        let checkout = Self {
            folder: home.join("checkout"),
            target: home.join("target"),
        };
        fs::create_dir_all(&home)?;
        // A request that hangs is ended, and none draws a meter between the lines of the walk.
        fs::write(home.join(".curlrc"), "max-time = 30\nno-progress-meter\n")?;
        if !checkout.folder.join(".git").exists() {
            let clone = ["clone", "--quiet", "--no-hardlinks"];
            let mut git = git(&home, &clone);
            workspace::succeed(git.arg(&root).arg(&checkout.folder))?;
        }
        let commit = printed(&root, &["rev-parse", "HEAD"])?;
        let mut fetch = checkout.git(&["fetch", "--quiet", "--update-shallow"]);
        workspace::succeed(fetch.arg(&root).arg("HEAD"))?;
        workspace::succeed(&mut checkout.git(&["checkout", "--quiet", "--force", "--detach", commit.trim()]))?;
        workspace::succeed(&mut checkout.git(&["clean", "--quiet", "-ffdx"]))?;

        let changes = printed(&root, &["status", "--porcelain"])?;
        if uncommitted {
            checkout.take_uncommitted(&root)?;
        } else if !changes.is_empty() {
            println!("What is not committed is left out (--uncommitted takes it):\n{changes}");
        }
        Ok(checkout)
    }

    /// Brings over what is changed or new in the working tree.
    fn take_uncommitted(&self, root: &Path) -> Result<()> {
        let changes = printed(root, &["diff", "--binary", "HEAD"])?;
        if !changes.is_empty() {
            self.apply(&changes)?;
        }
        let added = printed(root, &["ls-files", "--others", "--exclude-standard", "-z"])?;
        for path in added.split('\0').filter(|path| !path.is_empty()) {
            let copy = self.folder.join(path);
            if let Some(parent) = copy.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::copy(root.join(path), copy).with_context(|| format!("cannot copy {path}"))?;
        }
        Ok(())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file of the checkout.
    pub(super) fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.folder.join(path)).with_context(|| format!("cannot read {path}"))
    }

    /// Makes an edit.
    pub(super) fn apply(&self, diff: &str) -> Result<()> {
        let mut git = self.git(&["apply", "-"]).stdin(Stdio::piped()).spawn()?;
        if let Some(mut input) = git.stdin.take() {
            input.write_all(diff.as_bytes())?;
        }
        ensure!(git.wait()?.success(), "the edit cannot be made:\n{diff}");
        Ok(())
    }

    /// Runs commands to their end, which must succeed, and returns what they print.
    pub(super) fn bash(&self, commands: &str) -> Result<String> {
        let mut bash = self.command("bash");
        bash.args(["-euo", "pipefail", "-c", commands]).stdin(Stdio::null());
        workspace::standard_output(&mut bash)
    }

    /// A program in the environment of somebody who has set nothing, but where Cargo builds.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| VARIABLES.iter().any(|known| name == known)))
            // The server is asked directly.
            .env("no_proxy", "localhost,127.0.0.1")
            .env("CARGO_TARGET_DIR", &self.target)
            .envs(self.folder.parent().map(|home| ("CURL_HOME", home)))
            .current_dir(&self.folder);
        command
    }

    fn git(&self, arguments: &[&str]) -> Command {
        git(&self.folder, arguments)
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.args(arguments).current_dir(folder);
    // Within a hook git tells where its repository is, and would be told so here.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(name);
    }
    git
}

fn printed(folder: &Path, arguments: &[&str]) -> Result<String> {
    workspace::standard_output(&mut git(folder, arguments))
}
