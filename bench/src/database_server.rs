//! A database server of our own, to be killed and started again: `tools/real-*` knows how.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::database::Engine;
use crate::guardian::Guardian;
use crate::report;

/// Ports that the system gives to nobody who asks for any: such a port could be taken while the server is down.
const PORTS: std::ops::Range<u16> = 21_000..29_000;

/// A running server, stopped when it is dropped.
#[derive(Debug)]
pub(crate) struct DatabaseServer {
    tool: Tool,
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
    pub(crate) async fn start(engine: Engine, folders: &Path, required: bool) -> Result<Option<Self>> {
        if engine == Engine::Sqlite {
            return Ok(None);
        }
        let folder = folders.join(engine.name());
        if engine == Engine::Mysql {
            use_unpacked(&folder, required)?;
        }
        let tool = Tool::new(engine.name(), folder)?;
        let port = steady_port()?;
        let (url, guardian) = tool.start(port).await?;
        Ok(Some(Self {
            tool,
            port,
            url,
            _guardian: guardian,
        }))
    }

    /// Where it is, with its password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Ends it as a crash does.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) async fn kill(&self) -> Result<()> {
        self.tool.run("kill", None).await.map(|_| ())
    }

    /// Starts it again at the same port, and waits until it takes connections.
    ///
    /// # Errors
    /// When it does not come up.
    pub(crate) async fn start_again(&self) -> Result<()> {
        self.tool.run("start", Some(self.port.to_string())).await.map(|_| ())
    }
}

/// A port below those that the system hands out, free at the moment.
///
/// # Errors
/// When there is none.
pub(crate) fn steady_port() -> Result<u16> {
    steady_ports(&[0])
}

/// The same with those that lie so far behind it.
///
/// # Errors
/// When there is none.
pub(crate) fn steady_ports(offsets: &[u16]) -> Result<u16> {
    // Not always the same ones first: several drills may look at the same time.
    let count = u32::from(PORTS.end - PORTS.start);
    let begin = u16::try_from(std::process::id().wrapping_mul(37) % count).unwrap_or_default();
    let ports = (PORTS.start + begin..PORTS.end).chain(PORTS);
    let is_free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let free = ports
        .into_iter()
        .find(|port| offsets.iter().all(|offset| is_free(port + offset)));
    free.context("no port is free on 127.0.0.1")
}

/// The programs of MySQL are large: those that `cargo xtask test` unpacked serve here too.
fn use_unpacked(folder: &Path, required: bool) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let own = folder.join("root");
    let unpacked = unpacked();
    if own.exists() {
        return Ok(());
    }
    if unpacked.exists() {
        // A link that leads nowhere is in the way.
        let _ = fs::remove_file(&own);
        #[cfg(unix)]
        return std::os::unix::fs::symlink(&unpacked, &own).context("cannot link to the programs of MySQL");
    }
    if required { Ok(()) } else { ensure_unpacked() }
}

/// Whether the programs of MySQL are there, where `cargo xtask test` unpacks them.
///
/// # Errors
/// When they are not.
pub(crate) fn ensure_unpacked() -> Result<()> {
    ensure!(
        unpacked().exists(),
        "needs a download of about 400 MB, once: cargo xtask test --require mysql"
    );
    Ok(())
}

fn unpacked() -> PathBuf {
    report::root().join("target/test-servers/mysql/root")
}

/// A script that manages servers in a folder.
#[derive(Debug)]
pub(crate) struct Tool {
    script: PathBuf,
    folder: PathBuf,
}

impl Tool {
    /// `tools/real-NAME`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub(crate) fn new(name: &str, folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let script = report::root().join(format!("tools/real-{name}"));
        Ok(Self { script, folder })
    }

    /// Starts its servers at this port and those that go with it; what it prints of them, and who stops them.
    ///
    /// # Errors
    /// When they run already, or cannot be started.
    pub(crate) async fn start(&self, port: u16) -> Result<(String, Guardian)> {
        if self.run("status", None).await.is_ok() {
            bail!(
                "another run is at work, or one was cut off; if there is none: {} stop {}",
                self.script.display(),
                self.folder.display()
            );
        }
        // First the guardian, so that there is no moment in which a server runs and nobody would stop it.
        let guardian = Guardian::of_database(self.script.as_os_str(), self.folder.as_os_str())?;
        let printed = self.run("start", Some(port.to_string())).await?;
        Ok((printed, guardian))
    }

    /// Runs the script; the last line that it prints. Others go on meanwhile.
    ///
    /// # Errors
    /// When it fails, with its reason of one line.
    pub(crate) async fn run(&self, action: &'static str, argument: Option<String>) -> Result<String> {
        let mut command = Command::new(&self.script);
        command.arg(action).arg(&self.folder).args(argument);
        command.stdin(Stdio::null());
        let script = self.script.display();
        let output = tokio::task::spawn_blocking(move || command.output()).await?;
        let output = output.with_context(|| format!("cannot run {script}"))?;
        let printed = if output.status.success() {
            output.stdout
        } else {
            output.stderr
        };
        let printed = String::from_utf8_lossy(&printed);
        let last_line = printed.lines().next_back().unwrap_or_default().trim().to_owned();
        if !output.status.success() {
            bail!("{script} {action}: {last_line} ({})", output.status);
        }
        Ok(last_line)
    }
}
