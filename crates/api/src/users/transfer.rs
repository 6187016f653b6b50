//! Users in files: the forms in which many of them travel, and the operations that take them in and give them out.
//!
//! - `format`: which forms there are
//! - `row`: what one line says, or why it cannot be read
//! - `ndjson`, `csv`: from bytes, in pieces of any size, to rows
//! - `writer`: from users to bytes
//! - `upload`, `download`: the bodies of the two operations
//! - `report`: what an import answers
//! - `handlers`: the operations
//!
//! The readers and the writer know nothing of HTTP, and serve the command line as well.

mod csv;
mod download;
mod format;
pub(super) mod handlers;
mod ndjson;
mod report;
mod row;
mod upload;
mod writer;

pub use csv::InvalidHeader;
pub use format::TransferFormat;
pub use row::{LineCode, LineFault, Row};
pub use writer::UserWriter;

use actix_web::web::Bytes;

/// The longest line that is read, in bytes without its end. With CSV a record counts as one line, line breaks between quotes
/// included.
pub(crate) const MAX_LINE_BYTES: usize = 64 * 1024;

/// Reads users from the pieces of a file, in as little memory as its longest line takes, which is bounded.
///
/// Push a piece, take rows until there are none, and so on; say that it ends, and take the last rows.
#[derive(Debug)]
pub struct RowReader(Form);

#[derive(Debug)]
enum Form {
    Ndjson(ndjson::NdjsonReader),
    Csv(Box<csv::CsvReader>),
}

impl RowReader {
    /// A reader of a file of this form.
    #[must_use]
    pub fn new(format: TransferFormat) -> Self {
        Self(match format {
            TransferFormat::Ndjson => Form::Ndjson(ndjson::NdjsonReader::default()),
            TransferFormat::Csv => Form::Csv(Box::new(csv::CsvReader::new())),
        })
    }

    /// Hands in the next piece. All rows of the one before must have been taken.
    pub fn push(&mut self, piece: Bytes) {
        match &mut self.0 {
            Form::Ndjson(reader) => reader.push(piece),
            Form::Csv(reader) => reader.push(piece),
        }
    }

    /// Says that there are no more pieces.
    pub fn end(&mut self) {
        match &mut self.0 {
            Form::Ndjson(reader) => reader.end(),
            Form::Csv(reader) => reader.end(),
        }
    }

    /// The next row; nothing until more is handed in, or the file is at its end.
    ///
    /// # Errors
    /// [`InvalidHeader`] when the file cannot be read at all.
    pub fn next_row(&mut self) -> Result<Option<Row>, InvalidHeader> {
        match &mut self.0 {
            Form::Ndjson(reader) => Ok(reader.next_row()),
            Form::Csv(reader) => reader.next_row(),
        }
    }
}

#[cfg(test)]
mod tests;
