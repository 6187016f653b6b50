//! Writing users into files.

use std::borrow::Cow;

use csv_core::Writer;
use domain::User;

use super::TransferFormat;
use crate::users::dto;

/// The header of a file with comma-separated values.
const HEADER: &[u8] = b"id,name,email,created_at,updated_at\r\n";

/// Writes users, one to a line.
#[derive(Debug)]
pub struct UserWriter {
    format: TransferFormat,
    csv: Writer,
}

impl UserWriter {
    /// A writer of a file of this form.
    #[must_use]
    pub fn new(format: TransferFormat) -> Self {
        Self {
            format,
            csv: Writer::new(),
        }
    }

    /// What stands before the first user.
    #[must_use]
    pub fn header(&self) -> &'static [u8] {
        match self.format {
            TransferFormat::Ndjson => b"",
            TransferFormat::Csv => HEADER,
        }
    }

    /// Appends the lines of `users` to `out`.
    pub fn write(&self, users: Vec<User>, out: &mut Vec<u8>) {
        for user in users {
            let user = dto::User::from(user);
            match self.format {
                TransferFormat::Ndjson => user.write_json(out),
                TransferFormat::Csv => self.write_record(&user.columns(), out),
            }
        }
    }

    pub(super) fn write_record(&self, columns: &[Cow<'_, str>], out: &mut Vec<u8>) {
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.write_column(column, out);
        }
        // RFC 4180 section 2.1.
        out.extend_from_slice(b"\r\n");
    }

    fn write_column(&self, column: &str, out: &mut Vec<u8>) {
        if !self.csv.should_quote(column.as_bytes()) {
            out.extend_from_slice(column.as_bytes());
            return;
        }
        out.push(b'"');
        for (index, part) in column.split('"').enumerate() {
            if index > 0 {
                out.extend_from_slice(b"\"\"");
            }
            out.extend_from_slice(part.as_bytes());
        }
        out.push(b'"');
    }
}
