//! The real program, started as a reader of the page would, on a port that the system picks.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use tempfile::TempDir;

/// How long the program may take to start, and how long to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server, in an empty folder of its own. Dropping it kills it.
pub(crate) struct Server {
    process: Child,
    log: Receiver<String>,
    address: String,
    folder: TempDir,
}

impl Server {
    /// Starts the program with no settings but a port, and the address of a database if it is not to make one itself.
    pub(crate) fn start(database_url: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A command that hangs is ended. The commands know nothing else of whoever runs the tests, not even a proxy.
        std::fs::write(folder.path().join(".curlrc"), "max-time = 30\n").unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_async-starter"))
            .env_clear()
            .env("PORT", "0")
            .envs(database_url.map(|url| ("DATABASE_URL", url)))
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The log is read to its end, or the program would one day wait for room in the pipe.
        let (sender, log) = channel();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));

        let mut server = Self {
            process,
            log,
            address: String::new(),
            folder,
        };
        server.address = server.announced_address();
        server
    }

    /// Waits for the line of the log that says `listening address=…`.
    fn announced_address(&self) -> String {
        let mut seen = Vec::new();
        while let Ok(line) = self.log.recv_timeout(PATIENCE) {
            if let Some((_, rest)) = line.split_once("listening address=") {
                return rest.split(' ').next().unwrap().to_owned();
            }
            seen.push(line);
        }
        panic!("the server did not start to listen:\n{}", seen.join("\n"));
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Runs a command line, and returns what it prints.
    pub(crate) fn bash(&self, command: &str) -> String {
        let output = Command::new("bash")
            .args(["-c", command])
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| name == "PATH"))
            .env("HOME", self.folder.path())
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("the tour needs bash: {error}"));
        assert!(
            output.status.success(),
            "`{command}` failed ({}):\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Ends the program as an orchestrator does, which must succeed, and returns what it printed.
    pub(crate) async fn stop(mut self) -> String {
        self.bash(&format!("kill -TERM {}", self.process.id()));
        let process = &mut self.process;
        let end = async {
            loop {
                match process.try_wait().unwrap() {
                    Some(status) => return status,
                    None => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        let status = tokio::time::timeout(PATIENCE, end).await.unwrap();
        assert!(status.success(), "after SIGTERM the server ended with {status}");
        let mut printed = String::new();
        let stdout = self.process.stdout.as_mut().unwrap();
        stdout.read_to_string(&mut printed).unwrap();
        printed
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails where the process has ended, which is what is wanted.
        self.process.kill().ok();
        self.process.wait().ok();
        if thread::panicking() {
            let log: Vec<String> = self.log.iter().collect();
            eprintln!("--- the log of the server\n{}", log.join("\n"));
        }
    }
}
