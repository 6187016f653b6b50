//! The real program, as an operator runs it: commands to their end, servers until they are stopped. It sees the settings
//! that a test gives it and nothing else, in a folder without a `.env`.

use std::{
    io::Read,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

/// The names and values of settings.
pub(crate) type Settings<'a> = &'a [(&'a str, &'a str)];

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// What a command that must succeed printed.
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }
}

fn command(folder: &Path, arguments: &[&str], settings: Settings<'_>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_async-starter"));
    command
        .args(arguments)
        .env_clear()
        .envs(settings.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a command to its end in `folder`.
pub(crate) async fn run_in(folder: &Path, arguments: &[&str], settings: Settings<'_>) -> Outcome {
    let mut command = command(folder, arguments, settings);
    let output = spawn_blocking(move || command.output()).await.unwrap().unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Sends a process a signal, such as `TERM`.
pub(crate) fn signal(process: &Child, name: &str) {
    let kill = format!("kill -{name} {}", process.id());
    let status = Command::new("sh").args(["-c", &kill]).status().unwrap();
    assert!(status.success(), "{kill}: {status}");
}

/// Runs a command to its end in a folder of its own.
pub(crate) async fn run(arguments: &[&str], settings: Settings<'_>) -> Outcome {
    run_in(tempfile::tempdir().unwrap().path(), arguments, settings).await
}

/// Waits until `condition` holds, and fails when it takes too long.
pub(crate) async fn eventually<Condition>(what: &str, mut condition: impl FnMut() -> Condition)
where
    Condition: Future<Output = bool>,
{
    for _ in 0..600 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never came true: {what}");
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    /// Null if it was not JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// Reads an answer to its end.
    pub(crate) async fn read(response: reqwest::Response) -> reqwest::Result<Self> {
        Ok(Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: serde_json::from_slice(&response.bytes().await?).unwrap_or_default(),
        })
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    process: Child,
    output: Arc<Mutex<String>>,
    client: reqwest::Client,
    address: String,
    /// Deleted with the server.
    folder: Option<TempDir>,
}

impl Server {
    /// Starts `serve` in a folder of its own, and waits until it listens.
    pub(crate) async fn start(settings: Settings<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self::start_in(folder.path(), settings).await;
        server.folder = Some(folder);
        server
    }

    /// Starts `serve` in `folder`, and waits until it listens.
    pub(crate) async fn start_in(folder: &Path, settings: Settings<'_>) -> Self {
        let usual = [("PORT", "0"), ("LOG_FORMAT", "pretty"), ("WORKERS", "2")];
        let all: Vec<_> = usual.iter().chain(settings).copied().collect();
        let mut process = command(folder, &[], &all).spawn().unwrap();
        // Both pipes are read to their ends, or the program would one day wait for room in them.
        let output = Arc::<Mutex<String>>::default();
        collect(process.stdout.take().unwrap(), output.clone());
        collect(process.stderr.take().unwrap(), output.clone());
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_mins(1));
        let mut server = Self {
            process,
            output,
            client: client.build().unwrap(),
            address: String::new(),
            folder: None,
        };
        server.address = server.announced_address().await;
        server
    }

    async fn announced_address(&mut self) -> String {
        for _ in 0..1200 {
            let log = self.log();
            // As logs for people have it, or as those for machines do.
            let announced = log
                .split_once("listening address=")
                .or_else(|| log.split_once("\"listening\",\"address\":\""));
            if let Some((address, _)) = announced.and_then(|(_, rest)| rest.split_once([' ', '"'])) {
                return address.to_owned();
            }
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("the server ended with {status}:\n{}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the server did not start to listen:\n{}", self.log());
    }

    /// All that the server has printed until now, the log included.
    pub(crate) fn log(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.try_send(method, path, body).await.unwrap()
    }

    /// Asks with headers.
    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.client.get(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::read(request.send().await.unwrap()).await.unwrap()
    }

    /// Sends a request and answers nothing if there is no server to answer it.
    pub(crate) fn try_send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> impl Future<Output = reqwest::Result<Answer>> + Send + use<> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("http://{}{path}", self.address));
        if let Some(body) = body {
            request = request.json(&body);
        }
        async move {
            let response = request.send().await?;
            Ok(Answer {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body: serde_json::from_slice(&response.bytes().await?).unwrap_or_default(),
            })
        }
    }

    /// Sends the process a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.process, name);
    }

    /// Waits until the process ends, `patience` at most.
    pub(crate) async fn ended_within(&mut self, patience: Duration) -> ExitStatus {
        let process = &mut self.process;
        let end = async {
            loop {
                match process.try_wait().unwrap() {
                    Some(status) => return status,
                    None => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        tokio::time::timeout(patience, end).await.expect("the server goes on")
    }

    /// Stops the server as an orchestrator does, which must succeed, and returns all that it printed.
    pub(crate) async fn stop(mut self) -> String {
        self.signal("TERM");
        let status = self.ended_within(Duration::from_secs(30)).await;
        assert!(status.success(), "after SIGTERM: {status}\n{}", self.log());
        eventually("the log is complete", async || self.log().contains("stopped")).await;
        self.log()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails where the process has ended, which is what is wanted.
        self.process.kill().ok();
        self.process.wait().ok();
        if thread::panicking() {
            eprintln!("--- what the server printed\n{}", self.log());
        }
    }
}

/// Appends all that comes through a pipe to `output`.
fn collect(mut pipe: impl Read + Send + 'static, output: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut piece) {
            let text = String::from_utf8_lossy(&piece[..length]);
            output.lock().unwrap().push_str(&text);
        }
    });
}
