//! The database engines that the tests and the benchmark run on, the Redis that some of them share, the groups of servers that
//! some need, and how each is had: servers that the environment names, that run already, or private ones that are started for
//! these tests and stopped after them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::workspace;

/// A database engine that the product supports; Redis, which can hold its rate limit; or several servers of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    Sqlite,
    Mysql,
    Mariadb,
    Postgres,
    Redis,
    /// A MariaDB primary with two read replicas
    Replicas,
    /// A Galera cluster of three MariaDB nodes
    Galera,
    /// Three MySQL servers with Group Replication
    GroupReplication,
}

impl Engine {
    /// In the order in which they are shown.
    pub(crate) const ALL: [Self; 8] = [
        Self::Sqlite,
        Self::Mysql,
        Self::Mariadb,
        Self::Postgres,
        Self::Redis,
        Self::Replicas,
        Self::Galera,
        Self::GroupReplication,
    ];

    /// All that there is a server of.
    pub(crate) const WITH_SERVER: [Self; 7] = [
        Self::Mysql,
        Self::Mariadb,
        Self::Postgres,
        Self::Redis,
        Self::Replicas,
        Self::Galera,
        Self::GroupReplication,
    ];

    /// The name for people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Mysql => "MySQL",
            Self::Mariadb => "MariaDB",
            Self::Postgres => "PostgreSQL",
            Self::Redis => "Redis",
            Self::Replicas => "replicas",
            Self::Galera => "Galera",
            Self::GroupReplication => "Group Replication",
        }
    }

    /// How a server of this engine is found and started; SQLite has none.
    fn server(self) -> Option<ServerKind> {
        // As in `tools/`: the last column is what a script adds to its port for the others that it takes.
        let (name, variable, port, offsets): (_, _, _, &[u16]) = match self {
            Self::Sqlite => return None,
            Self::Mysql => ("mysql", "TEST_MYSQL_URL", 13_970, &[0]),
            Self::Mariadb => ("mariadb", "TEST_MARIADB_URL", 13_971, &[0]),
            Self::Postgres => ("postgres", "TEST_POSTGRES_URL", 13_972, &[0]),
            Self::Redis => ("redis", "TEST_REDIS_URL", 13_973, &[0]),
            Self::Replicas => ("mariadb-replicas", "TEST_REPLICAS_URLS", 13_974, &[0, 1, 2]),
            Self::Galera => (
                "galera",
                "TEST_GALERA_URLS",
                13_980,
                &[0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32],
            ),
            Self::GroupReplication => ("group-replication", "TEST_GROUP_URLS", 14_020, &[0, 1, 2, 10, 11, 12]),
        };
        Some(ServerKind {
            engine: self,
            name,
            variable,
            port,
            offsets,
        })
    }

    /// Finds or starts a server. `may_start` allows starting one, `required` also what that takes to download.
    pub(crate) fn find(self, may_start: bool, required: bool) -> Found {
        let Some(kind) = self.server() else {
            return Found {
                engine: self,
                server: Server::Embedded,
            };
        };
        Found {
            engine: self,
            server: kind.find(may_start, required),
        }
    }

    /// A private server that runs or is started, whatever the environment names: its settings are those of this repository.
    pub(crate) fn start_private(self) -> Found {
        let server = self.server().map_or(Server::Embedded, |kind| kind.find_private());
        Found { engine: self, server }
    }
}

/// An engine and the server that its tests will use.
pub(crate) struct Found {
    pub(crate) engine: Engine,
    server: Server,
}

enum Server {
    /// The engine is part of the tests.
    Embedded,
    /// The environment names it.
    Given { variable: &'static str },
    /// It runs where we would have started it, and is left running.
    Running { variable: &'static str, url: String },
    /// We started it; it is stopped when the guardian is dropped.
    Started {
        variable: &'static str,
        url: String,
        _guardian: Guardian,
    },
    /// It cannot be had.
    Missing { variable: &'static str, reason: String },
}

impl Found {
    /// Why there is nothing to test this engine on; `None` if there is.
    pub(crate) fn missing(&self) -> Option<&str> {
        match &self.server {
            Server::Missing { reason, .. } => Some(reason),
            Server::Embedded | Server::Given { .. } | Server::Running { .. } | Server::Started { .. } => None,
        }
    }

    /// Where the server is, with its password, also if the environment names it; `None` if there is none.
    pub(crate) fn given_url(&self) -> Option<String> {
        match &self.server {
            Server::Given { variable } => workspace::variable(variable),
            _ => self.url().map(str::to_owned),
        }
    }

    /// Where a private server is, with its password; `None` if there is none.
    pub(crate) fn url(&self) -> Option<&str> {
        match &self.server {
            Server::Running { url, .. } | Server::Started { url, .. } => Some(url),
            Server::Embedded | Server::Given { .. } | Server::Missing { .. } => None,
        }
    }

    /// Where the server comes from, without passwords.
    pub(crate) fn origin(&self) -> String {
        match &self.server {
            Server::Embedded => "embedded".to_owned(),
            Server::Given { variable } => format!("from {variable}"),
            Server::Running { url, .. } => format!("runs already at {}", address(url)),
            Server::Started { url, .. } => format!("started at {}", address(url)),
            Server::Missing { .. } => "none".to_owned(),
        }
    }

    /// Tells the tests in `command` where the server is, or that there is none.
    pub(crate) fn tell(&self, command: &mut Command) {
        match &self.server {
            Server::Embedded | Server::Given { .. } => {}
            Server::Running { variable, url } | Server::Started { variable, url, .. } => {
                command.env(variable, url);
            }
            Server::Missing { variable, .. } => {
                command.env_remove(variable);
            }
        }
    }
}

/// The host and port of a URL, or of the first of several, without user, password and database.
fn address(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority)
}

struct ServerKind {
    engine: Engine,
    name: &'static str,
    variable: &'static str,
    port: u16,
    offsets: &'static [u16],
}

/// How far apart the ports of two runs at the same time are.
const PORT_STRIDE: u16 = 100;

/// Where the ports begin that Linux gives to outgoing connections unless told otherwise; other systems begin higher.
const OUTGOING_PORTS_BEGIN: u16 = 32_768;

impl ServerKind {
    fn find(&self, may_start: bool, required: bool) -> Server {
        let variable = self.variable;
        if workspace::variable(variable).is_some() {
            return Server::Given { variable };
        }
        if let Ok(url) = self.tool("status", None) {
            return Server::Running { variable, url };
        }
        if !may_start {
            return Server::Missing {
                variable,
                reason: format!("{variable} is not set, and --no-start was given"),
            };
        }
        self.start_or_tell_why_not(required)
    }

    /// A private server, downloaded first where that is needed.
    fn find_private(&self) -> Server {
        let variable = self.variable;
        match self.tool("status", None) {
            Ok(url) => Server::Running { variable, url },
            Err(_) => self.start_or_tell_why_not(true),
        }
    }

    fn start_or_tell_why_not(&self, required: bool) -> Server {
        let variable = self.variable;
        if [Engine::Mysql, Engine::GroupReplication].contains(&self.engine) && !is_mysql_unpacked() {
            if !required {
                let reason = "needs a download of about 400 MB, once: cargo xtask test --require mysql".to_owned();
                return Server::Missing { variable, reason };
            }
            println!(
                "Unpacking MySQL into {} (about 400 MB, once) …",
                folder_of("mysql").display()
            );
        }
        match self.start() {
            Ok((url, guardian)) => Server::Started {
                variable,
                url,
                _guardian: guardian,
            },
            Err(error) => Server::Missing {
                variable,
                reason: format!("{error:#}"),
            },
        }
    }

    fn start(&self) -> Result<(String, Guardian)> {
        let port = self.free_port()?;
        // First the guardian, so that there is no moment in which the server runs and nobody would stop it.
        let guardian = Guardian::of(&self.script(), &self.folder())?;
        Ok((self.tool("start", Some(port))?, guardian))
    }

    /// A port that nobody has, nor those that go with it: the usual one, or one of a later stride. All lie below those that
    /// the system gives to outgoing connections, which would come and go between this look and the start of the server.
    fn free_port(&self) -> Result<u16> {
        let is_free = |port: &u16| self.offsets.iter().all(|offset| can_listen_on(port + offset));
        (self.port..OUTGOING_PORTS_BEGIN - PORT_STRIDE)
            .step_by(PORT_STRIDE.into())
            .find(is_free)
            .with_context(|| format!("no port is free from {} to {OUTGOING_PORTS_BEGIN}", self.port))
    }

    /// Runs the script that manages this server, and returns the last line it prints: the URL.
    fn tool(&self, action: &str, port: Option<u16>) -> Result<String> {
        let script = self.script();
        let output = Command::new(&script)
            .arg(action)
            .arg(self.folder())
            .args(port.map(|port| port.to_string()))
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {}", script.display()))?;
        let printed = if output.status.success() {
            output.stdout
        } else {
            output.stderr
        };
        let printed = String::from_utf8_lossy(&printed);
        let last_line = printed.lines().next_back().unwrap_or_default().trim().to_owned();
        if !output.status.success() {
            bail!(
                "{}",
                if last_line.is_empty() {
                    output.status.to_string()
                } else {
                    last_line
                }
            );
        }
        Ok(last_line)
    }

    fn script(&self) -> PathBuf {
        workspace::root().join("tools").join(format!("real-{}", self.name))
    }

    fn folder(&self) -> PathBuf {
        folder_of(self.name)
    }
}

fn folder_of(name: &str) -> PathBuf {
    workspace::root().join("target/test-servers").join(name)
}

fn is_mysql_unpacked() -> bool {
    folder_of("mysql").join("root").exists()
}

fn can_listen_on(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// A process that stops a server when it can no longer read from us: when this value is dropped, and also when we end in
/// any other way, Ctrl-C and `kill -9` included. It needs no signal handler.
struct Guardian(Child);

impl Guardian {
    fn of(script: &Path, folder: &Path) -> Result<Self> {
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"trap "" HUP INT TERM; cat > /dev/null; exec "$0" stop "$1""#])
            .arg(script)
            .arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        // Away from the terminal's foreground group, which is what Ctrl-C is sent to.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(Self(command.spawn().context("cannot run sh")?))
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        if let Err(error) = self.0.wait() {
            eprintln!("warning: a test server may still be running: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::{Engine, PORT_STRIDE, ServerKind, address};

    #[test]
    fn servers_move_on_together_where_one_of_their_ports_is_taken() {
        let taken = (21_000..22_000)
            .find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok())
            .unwrap();
        let usual_port = taken.local_addr().unwrap().port() - 2;
        let kind = ServerKind {
            engine: Engine::Replicas,
            name: "mariadb-replicas",
            variable: "TEST_REPLICAS_URLS",
            port: usual_port,
            offsets: &[0, 1, 2],
        };
        let port = kind.free_port().unwrap();
        assert!(port > usual_port, "{port}");
        assert_eq!((port - usual_port) % PORT_STRIDE, 0);
    }

    #[test]
    fn an_address_has_no_password_and_no_database() {
        assert_eq!(address("mysql://app:app-secret@127.0.0.1:13970/app"), "127.0.0.1:13970");
        assert_eq!(address("postgres://localhost"), "localhost");
    }

    #[test]
    fn sqlite_needs_nothing() {
        let found = Engine::Sqlite.find(false, false);
        assert_eq!((found.missing(), found.origin().as_str()), (None, "embedded"));
    }
}
