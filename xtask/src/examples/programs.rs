//! Runs the program of an example: in an empty folder, for a limited time, with its output kept.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// How long an example may take. A reader waits for two seconds; a machine that has much to do gets more.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// How a program ended.
pub(super) enum Ended {
    /// With success, and having left nothing behind.
    Well {
        printed: String,
    },
    Badly {
        reason: String,
    },
}

/// Runs a program to its end, or to the end of its time.
pub(super) fn run(name: &str, command: Command) -> Result<Ended> {
    run_for(TIME_LIMIT, name, command)
}

fn run_for(limit: Duration, name: &str, mut command: Command) -> Result<Ended> {
    let folder = std::env::temp_dir().join(format!("async-starter-example-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // What is asked of the programs that we build does not concern those that we run.
    command.env_remove("RUST_LOG").env_remove("RUST_BACKTRACE");
    let ended = run_in(&folder, limit, &mut command);
    let left = names_in(&folder);
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    Ok(match ended? {
        Ended::Well { .. } if !left.is_empty() => Ended::Badly {
            reason: format!("it leaves behind {}", left.join(", ")),
        },
        ended => ended,
    })
}

fn run_in(folder: &Path, limit: Duration, command: &mut Command) -> Result<Ended> {
    let mut child = command
        .current_dir(folder)
        // Its temporary files are below this too, so that we see whether it deletes them.
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let printed = child.stdout.take().map(read_beside);
    let complaints = child.stderr.take().map(read_beside);
    let Some(printed) = printed.and_then(|printed| printed.recv_timeout(limit).ok()) else {
        child.kill()?;
        child.wait()?;
        return Ok(Ended::Badly {
            reason: format!("it did not end within {} s", limit.as_secs()),
        });
    };
    let status = child.wait()?;
    let printed = String::from_utf8(printed);
    let complaints = complaints
        .and_then(|complaints| complaints.recv().ok())
        .unwrap_or_default();
    let complaints = String::from_utf8_lossy(&complaints);
    Ok(match printed {
        Ok(printed) if status.success() => Ended::Well { printed },
        Ok(printed) => Ended::Badly {
            reason: format!("it failed ({status})\n{printed}{complaints}"),
        },
        Err(_) => Ended::Badly {
            reason: "it prints something other than UTF-8".to_owned(),
        },
    })
}

/// Reads in a thread of its own, so that a program that prints much never waits for us. The bytes come when it has ended.
fn read_beside(mut source: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What could not be read is missing in the comparison, and nobody waits for it any more after the time limit.
        let _ = source.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::{Ended, run_for};

    fn ended(name: &str, script: &str) -> Result<String, String> {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        match run_for(Duration::from_secs(1), name, shell).unwrap() {
            Ended::Well { printed } => Ok(printed),
            Ended::Badly { reason } => Err(reason),
        }
    }

    #[test]
    fn what_a_program_prints_is_kept() {
        assert_eq!(ended("prints", "echo said; echo not >&2"), Ok("said\n".to_owned()));
    }

    #[test]
    fn a_program_that_fails_is_heard() {
        let reason = ended("fails", "echo said; echo why >&2; exit 3").unwrap_err();
        assert_eq!(reason, "it failed (exit status: 3)\nsaid\nwhy\n");
    }

    #[test]
    fn a_program_that_leaves_files_behind_is_told_which() {
        assert_eq!(
            ended("leaves", "touch users.db").unwrap_err(),
            "it leaves behind users.db"
        );
        let reason = ended("leaves-temporary", "mkdir \"$TMPDIR/pool\"").unwrap_err();
        assert_eq!(reason, "it leaves behind pool");
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        assert_eq!(
            ended("endless", "exec sleep 60").unwrap_err(),
            "it did not end within 1 s"
        );
    }
}
