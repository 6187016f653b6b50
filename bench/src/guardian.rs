//! What a drill or a measurement started is ended with it, however that ends.

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

/// A process that acts when it can no longer read from us: when this value is dropped, and also when we end in any other
/// way, Ctrl-C and `kill -9` included. It needs no signal handler.
#[derive(Debug)]
pub(crate) struct Guardian(Child);

impl Guardian {
    /// Stops a database server: `tool stop FOLDER`.
    pub(crate) fn of_database(tool: &OsStr, folder: &OsStr) -> Result<Self> {
        Self::start(r#"exec "$0" stop "$1""#, &[tool, folder])
    }

    /// Kills a process.
    pub(crate) fn of_process(id: u32) -> Result<Self> {
        Self::start(r#"kill -KILL "$0" 2> /dev/null"#, &[OsStr::new(&id.to_string())])
    }

    fn start(act: &str, arguments: &[&OsStr]) -> Result<Self> {
        let script = format!(r#"trap "" HUP INT TERM; read -r word; [ "$word" = done ] || {act}"#);
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        // Away from the terminal's foreground group, which is what Ctrl-C is sent to.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(Self(command.spawn().context("cannot run sh")?))
    }

    /// There is nothing left to do for it: what it guarded has ended.
    pub(crate) fn release(mut self) {
        if let Some(input) = &mut self.0.stdin {
            // If it has gone, nothing is left to be told.
            let _ = input.write_all(b"done\n");
        }
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        if let Err(error) = self.0.wait() {
            eprintln!("warning: a server that was started may still be running: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").spawn().unwrap()
    }

    #[test]
    fn a_process_ends_with_its_guardian() {
        let mut child = sleeper();
        drop(Guardian::of_process(child.id()).unwrap());
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn a_released_guardian_does_nothing() {
        let mut child = sleeper();
        Guardian::of_process(child.id()).unwrap().release();
        assert_eq!(child.try_wait().unwrap(), None);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
