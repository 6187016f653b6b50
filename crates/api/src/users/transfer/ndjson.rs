//! Reading a JSON object from each line.

use actix_web::web::Bytes;

use super::{
    MAX_LINE_BYTES,
    row::{LineFault, Row, read_json},
};

/// Reads lines from pieces. Lines end with LF or CRLF; the last need not end. A line of nothing but blanks is passed over.
#[derive(Debug, Default)]
pub(super) struct NdjsonReader {
    piece: Bytes,
    /// The start of a line that did not end with its piece, up to a byte more than it may have.
    begun: Vec<u8>,
    /// Lines that have ended.
    lines: u64,
    has_ended: bool,
}

impl NdjsonReader {
    pub(super) fn push(&mut self, piece: Bytes) {
        self.piece = piece;
    }

    pub(super) fn end(&mut self) {
        self.has_ended = true;
    }

    pub(super) fn next_row(&mut self) -> Option<Row> {
        loop {
            let Some(length) = self.piece.iter().position(|byte| *byte == b'\n') else {
                let rest = std::mem::take(&mut self.piece);
                self.begin(&rest);
                let last = self.has_ended && !self.begun.is_empty();
                return last.then(|| self.take_begun()).and_then(|line| self.row(&line));
            };
            let rest = self.piece.split_off(length + 1);
            let line = std::mem::replace(&mut self.piece, rest);
            let line = line.get(..length).unwrap_or_default();
            let row = if self.begun.is_empty() {
                self.row(line)
            } else {
                self.begin(line);
                let line = self.take_begun();
                let row = self.row(&line);
                self.begun = line;
                self.begun.clear();
                row
            };
            if row.is_some() {
                return row;
            }
        }
    }

    /// Keeps the start of a line, as far as it needs to be known. A carriage return may belong to its end.
    fn begin(&mut self, start: &[u8]) {
        let room = (MAX_LINE_BYTES + 2).saturating_sub(self.begun.len());
        self.begun.extend_from_slice(start.get(..room).unwrap_or(start));
    }

    fn take_begun(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.begun)
    }

    /// The row on a whole line; nothing where it is blank.
    fn row(&mut self, line: &[u8]) -> Option<Row> {
        self.lines += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let user = if line.len() > MAX_LINE_BYTES {
            Err(LineFault::too_long())
        } else if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
            return None;
        } else {
            read_json(line)
        };
        Some(Row { line: self.lines, user })
    }
}
