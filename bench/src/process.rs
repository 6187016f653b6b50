//! Server processes: started, waited for, asked what they use, and stopped.

use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::time::sleep;

use crate::load::Connection;

/// How long a server may take to answer for the first time.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(20);
/// How long a server may take to end when asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// How often a server that starts is asked whether it is ready.
const START_PROBE: Duration = Duration::from_millis(1);
/// The clock of `/proc/PID/stat`: Linux counts in hundredths of a second there on every architecture.
const MICROS_PER_TICK: u64 = 10_000;

/// A free port of this machine.
///
/// # Errors
/// When there is none.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

/// A running server, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to the first answer 2xx.
    pub(crate) time_to_ready: Duration,
    log: PathBuf,
}

impl Server {
    /// Starts `command`, which must listen on `port` and write its log to standard output, and waits until it answers a
    /// GET of `probe_path` with 2xx.
    ///
    /// # Errors
    /// When it cannot be started, ends, or does not answer so in time; the end of its log is part of the message.
    pub(crate) async fn start(command: Command, port: u16, probe_path: &str, log: &Path) -> Result<Self> {
        Self::start_within(START_PATIENCE, command, port, probe_path, log).await
    }

    /// The same with another limit for the time until the first answer.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) async fn start_within(
        patience: Duration,
        mut command: Command,
        port: u16,
        probe_path: &str,
        log: &Path,
    ) -> Result<Self> {
        // Appending, so that the log can be emptied while it is written.
        let output = OpenOptions::new().create(true).append(true).open(log);
        let output = output.with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let begin = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let mut server = Self {
            child,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            time_to_ready: Duration::ZERO,
            log: log.to_owned(),
        };
        while !server.answers(probe_path).await {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended ({status}):\n{}", server.end_of_log());
            }
            if begin.elapsed() > patience {
                bail!("the server is not ready after {patience:?}:\n{}", server.end_of_log());
            }
            sleep(START_PROBE).await;
        }
        server.time_to_ready = begin.elapsed();
        Ok(server)
    }

    /// How the process ended, if it did.
    ///
    /// # Errors
    /// When the system does not say.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    async fn answers(&self, path: &str) -> bool {
        let Ok(mut connection) = Connection::open(self.address).await else {
            return false;
        };
        matches!(connection.get(path).await, Ok(answer) if (200..300).contains(&answer.status))
    }

    /// Empties the log: at tens of thousands of lines a second it would fill the disk.
    ///
    /// # Errors
    /// When the file cannot be changed.
    pub(crate) fn empty_log(&self) -> Result<()> {
        OpenOptions::new().write(true).open(&self.log)?.set_len(0)?;
        Ok(())
    }

    /// The last lines of the log.
    pub(crate) fn end_of_log(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(10)..)
            .unwrap_or_default()
            .join("\n")
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// When it has ended, or the system is not Linux.
    pub(crate) fn usage(&self) -> Result<Usage> {
        Usage::of(&self.child.id().to_string())
    }

    /// Forgets the peak of memory, so that the next one is that of what follows.
    ///
    /// # Errors
    /// When the kernel does not do that.
    pub(crate) fn reset_peak_memory(&self) -> Result<()> {
        let path = format!("/proc/{}/clear_refs", self.child.id());
        fs::write(&path, "5").with_context(|| format!("cannot write {path}"))
    }

    /// Asks it to end and waits for that.
    ///
    /// # Errors
    /// When it does not end, or fails.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let asked = Command::new("sh")
            .args(["-c", r#"kill -TERM "$0""#, &self.child.id().to_string()])
            .status()
            .context("cannot run sh")?;
        let begin = Instant::now();
        while asked.success() && begin.elapsed() < STOP_PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return ended_well(status, &self.end_of_log());
            }
            sleep(Duration::from_millis(5)).await;
        }
        bail!("a server does not end; the end of its log:\n{}", self.end_of_log())
    }
}

fn ended_well(status: ExitStatus, log: &str) -> Result<()> {
    if !status.success() {
        bail!("a server failed at its end ({status}):\n{log}");
    }
    Ok(())
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing can be done about a process that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Time on a processor, in user and system mode, in microseconds; it moves in steps of 10 000.
    pub(crate) cpu_micros: u64,
    /// Resident memory.
    pub(crate) resident_kib: u64,
    /// Its peak.
    pub(crate) peak_kib: u64,
}

impl Usage {
    /// That of the process with this id, or of `self`.
    ///
    /// # Errors
    /// When there is none, or the system is not Linux.
    pub(crate) fn of(process: &str) -> Result<Self> {
        let read = |file: &str| {
            let path = format!("/proc/{process}/{file}");
            fs::read_to_string(&path).with_context(|| format!("cannot read {path} (the benchmark needs Linux)"))
        };
        Self::parse(&read("stat")?, &read("status")?).context("cannot understand what Linux says of a process")
    }

    fn parse(stat: &str, status: &str) -> Option<Self> {
        // The second field is a file name in parentheses, which may hold anything. The 14th and 15th are the times.
        let (_, after_name) = stat.rsplit_once(')')?;
        let mut times = after_name.split_whitespace().skip(11);
        let user: u64 = times.next()?.parse().ok()?;
        let system: u64 = times.next()?.parse().ok()?;
        let kib = |name: &str| {
            let value = status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value?.trim().strip_suffix(" kB")?.parse().ok()
        };
        Some(Self {
            cpu_micros: (user + system) * MICROS_PER_TICK,
            resident_kib: kib("VmRSS")?,
            peak_kib: kib("VmHWM")?,
        })
    }
}

/// Runs a command to its end; what it prints. Its log goes to `log`.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn run(command: &mut Command, log: &Path) -> Result<String> {
    let shown = command
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ");
    let errors = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let output = command.stdin(Stdio::null()).stderr(errors).output();
    let output = output.with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = fs::read_to_string(log).unwrap_or_default();
        bail!("`{shown}` failed ({}):\n{printed}{errors}", output.status);
    }
    Ok(printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_of_a_process_is_understood() {
        let stat = "77 (a) b (c)) S 1 77 77 0 -1 4194304 900 0 0 0 250 50 3 4 20 0 5 0 1000 9000000 2000 1844 1 1";
        let status = "Name:\ta\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\nThreads:\t5\n";
        let expected = Usage {
            cpu_micros: 3_000_000,
            resident_kib: 10_240,
            peak_kib: 20_480,
        };
        assert_eq!(Usage::parse(stat, status), Some(expected));
        assert_eq!(Usage::parse(stat, "Name:\tzombie\n"), None);
    }

    #[tokio::test]
    async fn a_server_that_ends_at_once_is_reported_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such database; exit 3"]);
        let log = folder.path().join("server.log");
        let error = Server::start(command, free_port().unwrap(), "/", &log)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("no such database"), "{error}");
    }
}
