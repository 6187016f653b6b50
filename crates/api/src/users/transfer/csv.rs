//! Reading comma-separated values (RFC 4180).

use actix_web::web::{Buf, Bytes};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

use super::{
    MAX_LINE_BYTES,
    row::{LineFault, Row, read_columns},
};

/// The columns, in their order.
const COLUMNS: [&str; 2] = ["name", "email"];

/// What spreadsheets put before text in UTF-8.
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// How many columns of a record are looked at: one more than there may be tells that there are too many.
const MAX_COLUMNS: usize = COLUMNS.len() + 1;

/// A file does not begin with the header that tells what its columns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The first line must be the header name,email")]
pub struct InvalidHeader;

/// Reads records from pieces. A record ends with LF or CRLF outside of quotes; the last need not end. A line of nothing but
/// blanks is passed over, and a byte order mark at the start.
#[derive(Debug)]
pub(super) struct CsvReader {
    reader: Reader,
    piece: Bytes,
    has_ended: bool,
    /// How many bytes of a byte order mark have been seen; all of them, too, where there is none.
    mark: usize,
    has_header: bool,
    /// The physical line that is being read, from 1.
    line: u64,
    record: Record,
}

/// The record that is being read.
#[derive(Debug)]
struct Record {
    /// The line on which it began; 0 between records.
    line: u64,
    /// Its columns, one after the other.
    text: Vec<u8>,
    text_bytes: usize,
    /// Where each column ends in `text`.
    ends: [usize; MAX_COLUMNS],
    columns: usize,
    /// How long it is in the file, without the line break that ends it.
    raw_bytes: usize,
    quotes: usize,
    has_too_many_columns: bool,
}

impl CsvReader {
    pub(super) fn new() -> Self {
        // A carriage return before the line break ends up in the last column, whose blanks are trimmed.
        let mut reader = ReaderBuilder::new().terminator(Terminator::Any(b'\n')).build();
        // It looks for a byte order mark itself, if only for one that comes in one piece. Behind a blank line it does not.
        let _ = reader.read_record(b"\n", &mut [0], &mut [0]);
        Self {
            reader,
            piece: Bytes::new(),
            has_ended: false,
            mark: 0,
            has_header: false,
            line: 1,
            record: Record {
                line: 0,
                text: vec![0; MAX_LINE_BYTES],
                text_bytes: 0,
                ends: [0; MAX_COLUMNS],
                columns: 0,
                raw_bytes: 0,
                quotes: 0,
                has_too_many_columns: false,
            },
        }
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        self.piece = piece;
    }

    pub(super) fn end(&mut self) {
        self.has_ended = true;
    }

    pub(super) fn next_row(&mut self) -> Result<Option<Row>, InvalidHeader> {
        self.pass_mark()?;
        while self.read_record() {
            let record = &self.record;
            let line = record.line;
            if !self.has_header {
                if !record.is_blank() {
                    self.has_header = record.is_header();
                    if !self.has_header {
                        return Err(InvalidHeader);
                    }
                }
            } else if !record.is_blank() {
                let user = record.user(self.has_ended && self.piece.is_empty());
                self.record.line = 0;
                return Ok(Some(Row { line, user }));
            }
            self.record.line = 0;
        }
        if self.has_ended && !self.has_header {
            return Err(InvalidHeader);
        }
        Ok(None)
    }

    /// Passes over a byte order mark, which may come in pieces.
    fn pass_mark(&mut self) -> Result<(), InvalidHeader> {
        while let (Some(expected), Some(byte)) = (BYTE_ORDER_MARK.get(self.mark), self.piece.first()) {
            if byte == expected {
                self.piece.advance(1);
                self.mark += 1;
            } else if self.mark == 0 {
                self.mark = BYTE_ORDER_MARK.len();
            } else {
                // Part of a mark is no text.
                return Err(InvalidHeader);
            }
        }
        Ok(())
    }

    /// Reads on to the end of a record. False when more must be handed in, or there is no more.
    fn read_record(&mut self) -> bool {
        if self.record.line == 0 {
            while self.piece.first() == Some(&b'\n') {
                self.piece.advance(1);
                self.line += 1;
            }
            if self.piece.is_empty() {
                return false;
            }
            self.record.begin(self.line);
        }
        loop {
            if self.piece.is_empty() && !self.has_ended {
                return false;
            }
            let record = &mut self.record;
            let text = record.text.get_mut(record.text_bytes..).unwrap_or_default();
            let ends = record.ends.get_mut(record.columns..).unwrap_or_default();
            let (result, read, written, ended) = self.reader.read_record(&self.piece, text, ends);
            let bytes = self.piece.split_to(read);
            self.line += count(&bytes, b'\n');
            record.quotes += usize::try_from(count(&bytes, b'"')).unwrap_or(usize::MAX);
            record.raw_bytes += read;
            record.text_bytes += written;
            record.columns += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                // The rest is read to find its end, and forgotten.
                ReadRecordResult::OutputFull => {
                    record.text_bytes = 0;
                    // Without quotes it would be as long as its text.
                    record.raw_bytes = record.raw_bytes.max(MAX_LINE_BYTES + 1);
                }
                ReadRecordResult::OutputEndsFull => {
                    record.columns = 0;
                    record.has_too_many_columns = true;
                }
                ReadRecordResult::Record => {
                    if bytes.last() == Some(&b'\n') {
                        record.raw_bytes -= 1;
                    }
                    return true;
                }
                ReadRecordResult::End => return false,
            }
        }
    }
}

impl Record {
    fn begin(&mut self, line: u64) {
        self.line = line;
        self.text_bytes = 0;
        self.columns = 0;
        self.raw_bytes = 0;
        self.quotes = 0;
        self.has_too_many_columns = false;
    }

    /// The column at this index from 0.
    fn column(&self, index: usize) -> &[u8] {
        let end_of = |index: usize| self.ends.get(index).copied().unwrap_or_default();
        let start = index.checked_sub(1).map_or(0, end_of);
        self.text.get(start..end_of(index)).unwrap_or_default()
    }

    fn has_columns(&self, count: usize) -> bool {
        self.columns == count && !self.has_too_many_columns
    }

    fn is_blank(&self) -> bool {
        self.quotes == 0 && self.has_columns(1) && self.column(0).trim_ascii().is_empty()
    }

    fn is_header(&self) -> bool {
        let is_named = |(index, name): (usize, &str)| self.column(index).trim_ascii() == name.as_bytes();
        self.has_columns(COLUMNS.len()) && COLUMNS.into_iter().enumerate().all(is_named)
    }

    /// The user that it describes. The last record of a file is the only one in which a quote can be left open.
    fn user(&self, is_last: bool) -> Result<domain::NewUser, LineFault> {
        if is_last && self.quotes % 2 == 1 {
            // All that follows the quote belongs to this one value, be it the rest of a long file.
            Err(LineFault::malformed(
                "a quote that is opened here is never closed; nothing behind it was read",
            ))
        } else if self.raw_bytes > MAX_LINE_BYTES {
            Err(LineFault::too_long())
        } else if self.has_columns(COLUMNS.len()) {
            read_columns(self.column(0), self.column(1))
        } else {
            Err(LineFault::malformed(
                "must have the two columns name,email; quote a value with a comma in it",
            ))
        }
    }
}

fn count(bytes: &[u8], wanted: u8) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == wanted)).sum()
}
