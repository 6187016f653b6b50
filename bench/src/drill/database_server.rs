//! A database server of the drill's own, to be killed and started again: `tools/real-*` knows how.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::guardian::Guardian;
use crate::database::Engine;
use crate::report;

/// Ports that the system gives to nobody who asks for any: such a port could be taken while the server is down.
const PORTS: std::ops::Range<u16> = 21_000..29_000;

/// A running server, stopped when it is dropped.
#[derive(Debug)]
pub(super) struct DatabaseServer {
    tool: PathBuf,
    folder: PathBuf,
    port: u16,
    url: String,
    _guardian: Guardian,
}

impl DatabaseServer {
    /// Starts a server of this engine in a folder of its own below `folders`; nothing for SQLite. Only if it is
    /// `required` what that takes is downloaded.
    ///
    /// # Errors
    /// When it cannot be had, with a reason of one line.
    pub(super) async fn start(engine: Engine, folders: &Path, required: bool) -> Result<Option<Self>> {
        if engine == Engine::Sqlite {
            return Ok(None);
        }
        let folder = folders.join(engine.name());
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        if engine == Engine::Mysql {
            use_unpacked(&folder, required)?;
        }
        let tool = report::root().join(format!("tools/real-{}", engine.name()));
        if run(&tool, "status", &folder, None).await.is_ok() {
            bail!(
                "another drill is at work, or one was cut off; if there is none: {} stop {}",
                tool.display(),
                folder.display()
            );
        }
        let port = steady_port()?;
        // First the guardian, so that there is no moment in which the server runs and nobody would stop it.
        let guardian = Guardian::of_database(tool.as_os_str(), folder.as_os_str())?;
        let url = run(&tool, "start", &folder, Some(port)).await?;
        Ok(Some(Self {
            tool,
            folder,
            port,
            url,
            _guardian: guardian,
        }))
    }

    /// Where it is, with its password.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Ends it as a crash does.
    ///
    /// # Errors
    /// When it does not run.
    pub(super) async fn kill(&self) -> Result<()> {
        run(&self.tool, "kill", &self.folder, None).await.map(|_| ())
    }

    /// Starts it again at the same port, and waits until it takes connections.
    ///
    /// # Errors
    /// When it does not come up.
    pub(super) async fn start_again(&self) -> Result<()> {
        run(&self.tool, "start", &self.folder, Some(self.port))
            .await
            .map(|_| ())
    }
}

/// A port below those that the system hands out, free at the moment.
///
/// # Errors
/// When there is none.
pub(super) fn steady_port() -> Result<u16> {
    // Not always the same ones first: several drills may look at the same time.
    let count = u32::from(PORTS.end - PORTS.start);
    let begin = u16::try_from(std::process::id().wrapping_mul(37) % count).unwrap_or_default();
    let ports = (PORTS.start + begin..PORTS.end).chain(PORTS);
    let free = ports
        .into_iter()
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.context("no port is free on 127.0.0.1")
}

/// The programs of MySQL are large: those that `cargo xtask test` unpacked serve here too.
fn use_unpacked(folder: &Path, required: bool) -> Result<()> {
    let own = folder.join("root");
    let unpacked = report::root().join("target/test-servers/mysql/root");
    if own.exists() {
        return Ok(());
    }
    if unpacked.exists() {
        // A link that leads nowhere is in the way.
        let _ = fs::remove_file(&own);
        #[cfg(unix)]
        return std::os::unix::fs::symlink(&unpacked, &own).context("cannot link to the programs of MySQL");
    }
    if !required {
        bail!("needs a download of about 400 MB, once: cargo xtask test --require mysql");
    }
    Ok(())
}

/// Runs the script that manages the server; the last line that it prints. Clients go on meanwhile.
async fn run(tool: &Path, action: &'static str, folder: &Path, port: Option<u16>) -> Result<String> {
    let mut command = Command::new(tool);
    command
        .arg(action)
        .arg(folder)
        .args(port.map(|port| OsString::from(port.to_string())));
    command.stdin(Stdio::null());
    let tool = tool.display().to_string();
    let output = tokio::task::spawn_blocking(move || command.output()).await?;
    let output = output.with_context(|| format!("cannot run {tool}"))?;
    let printed = if output.status.success() {
        output.stdout
    } else {
        output.stderr
    };
    let printed = String::from_utf8_lossy(&printed);
    let last_line = printed.lines().next_back().unwrap_or_default().trim().to_owned();
    if !output.status.success() {
        bail!("{tool} {action}: {last_line} ({})", output.status);
    }
    Ok(last_line)
}
