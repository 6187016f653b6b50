//! The file that is imported, read by a thread of its own.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    thread,
};

use actix_web::web::Bytes;
use tokio::sync::mpsc;

use super::STANDARD_STREAM;

/// How much is read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// How many pieces are read ahead.
const PIECES_AHEAD: usize = 4;

/// The pieces of a file. The thread that reads them ends with the file, or when this is dropped; or, where it waits for a
/// terminal that says nothing, with the program, which does not wait for it as it would for a task of the runtime.
pub(super) struct Input {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    bytes: Option<u64>,
}

impl Input {
    pub(super) fn open(file: &Path) -> io::Result<Self> {
        if file == Path::new(STANDARD_STREAM) {
            return Self::start(io::stdin(), None);
        }
        let file = File::open(file)?;
        let metadata = file.metadata()?;
        Self::start(file, metadata.is_file().then_some(metadata.len()))
    }

    fn start(mut source: impl Read + Send + 'static, bytes: Option<u64>) -> io::Result<Self> {
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let read = move || {
            loop {
                let mut piece = vec![0; PIECE_BYTES];
                let read = match source.read(&mut piece) {
                    Ok(0) => return,
                    Ok(bytes) => {
                        piece.truncate(bytes);
                        Ok(Bytes::from(piece))
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let has_failed = read.is_err();
                if sender.blocking_send(read).is_err() || has_failed {
                    return;
                }
            }
        };
        thread::Builder::new().name("import".to_owned()).spawn(read)?;
        Ok(Self { pieces, bytes })
    }

    /// How large the file is, if that can be known.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// The next piece; nothing at the end. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        self.pieces.recv().await.transpose()
    }
}
