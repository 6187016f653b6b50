//! Writes log lines without waiting for whoever reads them.
//!
//! A write to a pipe waits until somebody takes what is in it. Were lines written where they are made, a collector that stops
//! reading would stop the service. So they are put in memory, and a thread of its own writes them, all that wait in one go. What
//! waits is bounded: when there is no more room, lines are left out and counted, and how many is the first line that is written
//! when there is room again. The last of the room is kept for warnings and errors.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracing::Level;

/// The most bytes of lines that wait, while as many again may be being written. A busy service logs as much in five seconds or so.
const MAX_WAITING_BYTES: usize = 8 * 1024 * 1024;

/// The part of it that is for warnings and errors alone.
const RESERVED_BYTES: usize = MAX_WAITING_BYTES / 4;

/// How long the end of the program waits for lines to be taken.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);

/// Takes lines, and has them written. Cloning shares it.
#[derive(Clone)]
pub(crate) struct LineWriter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to write.
    filled: Condvar,
    /// All is written.
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    is_writing: bool,
    /// Lines that were left out and have not been told of.
    lost_lines: u64,
}

impl LineWriter {
    /// A writer to `sink`. `report_loss` is called on its thread when lines were left out, with their number, and may give lines
    /// itself.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(
        mut sink: impl Write + Send + 'static,
        report_loss: impl Fn(u64) + Send + 'static,
    ) -> io::Result<Self> {
        let writer = Self(Arc::default());
        let shared = writer.0.clone();
        // It ends with the process: nobody can know that no other thread will log another line.
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            let mut lines = Vec::new();
            loop {
                let lost = shared.next(&mut lines);
                // Nobody may be there to read it, and there is no other place to complain.
                let _ = sink.write_all(&lines).and_then(|()| sink.flush());
                if lost > 0 {
                    report_loss(lost);
                }
            }
        })?;
        Ok(writer)
    }

    /// Has a line written, with its end. Where too much waits already, it is left out and counted.
    pub(crate) fn write(&self, level: Level, line: &[u8]) {
        let room = match level {
            Level::ERROR | Level::WARN => MAX_WAITING_BYTES,
            _ => MAX_WAITING_BYTES - RESERVED_BYTES,
        };
        let mut state = self.0.state();
        if state.waiting.len() + line.len() > room {
            state.lost_lines += 1;
            return;
        }
        state.waiting.extend_from_slice(line);
        // While it writes, it looks again by itself.
        let is_asleep = !state.is_writing;
        drop(state);
        if is_asleep {
            self.0.filled.notify_one();
        }
    }

    /// Waits until all lines are written, a little: for the end of the program.
    pub(crate) fn flush(&self) {
        let is_unwritten = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        let state = self.0.state();
        // What cannot be written by then is lost with the process.
        drop(self.0.emptied.wait_timeout_while(state, FLUSH_PATIENCE, is_unwritten));
    }
}

impl Shared {
    /// Waits for lines, and takes all of them in place of those in `lines`, which are written. Returns how many were left out.
    fn next(&self, lines: &mut Vec<u8>) -> u64 {
        lines.clear();
        let mut state = self.state();
        if state.waiting.is_empty() {
            state.is_writing = false;
            self.emptied.notify_all();
            // An outburst is no reason to keep its memory.
            lines.shrink_to(RESERVED_BYTES);
            let is_idle = |state: &mut State| state.waiting.is_empty();
            state = self
                .filled
                .wait_while(state, is_idle)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.is_writing = true;
        mem::swap(&mut state.waiting, lines);
        mem::take(&mut state.lost_lines)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked with the lock left whole lines.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A sink that says what it is given, and takes it only when it is told to.
    struct Slow {
        given: Sender<Vec<u8>>,
        go_on: Receiver<()>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.given.send(bytes.to_vec()).unwrap();
            self.go_on.recv().unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Scene {
        writer: LineWriter,
        given: Receiver<Vec<u8>>,
        go_on: Sender<()>,
        losses: Receiver<u64>,
    }

    fn scene() -> Scene {
        let ((to_given, given), (to_go_on, go_on), (to_losses, losses)) = (channel(), channel(), channel());
        let sink = Slow { given: to_given, go_on };
        let writer = LineWriter::start(sink, move |lost| to_losses.send(lost).unwrap()).unwrap();
        Scene {
            writer,
            given,
            go_on: to_go_on,
            losses,
        }
    }

    #[test]
    fn lines_that_come_while_one_is_written_are_written_together_and_in_order() {
        let scene = scene();
        scene.writer.write(Level::INFO, b"one\n");
        assert_eq!(scene.given.recv().unwrap(), b"one\n");
        scene.writer.write(Level::INFO, b"two\n");
        scene.writer.write(Level::ERROR, b"three\n");
        scene.go_on.send(()).unwrap();
        assert_eq!(scene.given.recv().unwrap(), b"two\nthree\n");
        scene.go_on.send(()).unwrap();
        scene.writer.flush();
        assert!(scene.losses.try_recv().is_err(), "nothing was left out");
    }

    #[test]
    fn what_finds_no_room_is_left_out_and_counted_and_errors_find_room_longer() {
        let scene = scene();
        scene.writer.write(Level::INFO, b"held up\n");
        scene.given.recv().unwrap();
        let line = vec![b'x'; 1024 * 1024];
        for _ in 0..20 {
            scene.writer.write(Level::INFO, &line);
        }
        for _ in 0..5 {
            scene.writer.write(Level::ERROR, &line);
        }
        scene.go_on.send(()).unwrap();
        let written = scene.given.recv().unwrap().len() / line.len();
        assert_eq!(written, 8, "6 of the 20, and 2 of the 5");
        scene.go_on.send(()).unwrap();
        assert_eq!(scene.losses.recv().unwrap(), 14 + 3);
        scene.writer.flush();
    }

    #[test]
    fn the_end_waits_for_the_last_line() {
        let scene = scene();
        scene.writer.write(Level::INFO, b"the last\n");
        let taking = thread::spawn(move || {
            let last = scene.given.recv().unwrap();
            scene.go_on.send(()).unwrap();
            (last, scene.given)
        });
        scene.writer.flush();
        assert!(!scene.writer.0.state().is_writing);
        assert_eq!(taking.join().unwrap().0, b"the last\n");
    }
}
