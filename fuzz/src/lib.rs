//! What several targets share.
//!
//! A target asserts what must be true of whatever a client sends; a finding is an input for which it is not. `cargo xtask fuzz`
//! runs them all. The parsers are those of the product: what is private of the crate `api` is reached by its feature `fuzzing`.

use std::collections::BTreeMap;

use api::{Row, RowReader, TransferFormat, fuzzing::MAX_LINE_BYTES};

/// The longest message about a line. It tells of at most five members, each by at most 100 characters of its name.
const MAX_MESSAGE_BYTES: usize = 4096;

/// What a file says, and whether it ended with a header that cannot be read.
type Rows = (Vec<Row>, bool);

/// Checks an import of one form. The first byte of `input` decides how the rest is cut.
pub fn check_import(format: TransferFormat, input: &[u8]) {
    let Some((&cut, file)) = input.split_first() else {
        return;
    };
    let (rows, is_refused) = read(format, [file]);
    let line_breaks = file.iter().filter(|byte| **byte == b'\n').count();
    assert!(rows.len() <= line_breaks + 1, "more rows than lines");
    assert!(rows.is_sorted_by(|one, next| one.line < next.line), "lines must ascend");
    for Row { line, user } in &rows {
        assert!((1..=line_breaks as u64 + 1).contains(line), "a line that there is not");
        match user {
            Ok(user) => {
                let (name, email) = (user.name.as_str(), user.email.as_str());
                assert!(
                    name.len() + email.len() <= MAX_LINE_BYTES,
                    "a line that is too long was read"
                );
                assert_eq!(domain::UserName::parse(name).as_ref(), Ok(&user.name));
                assert_eq!(domain::Email::parse(email).as_ref(), Ok(&user.email));
            }
            Err(fault) => {
                let message = fault.to_string();
                assert!(
                    message.len() <= MAX_MESSAGE_BYTES,
                    "a message of {} bytes",
                    message.len()
                );
                assert!(
                    !message.contains(char::is_control),
                    "a message that is more than a line"
                );
            }
        }
    }
    for pieces in [1, 2, usize::from(cut) + 3] {
        assert_eq!(
            read(format, file.chunks(pieces)),
            (clone(&rows), is_refused),
            "in pieces of {pieces} bytes"
        );
    }
    if !is_refused {
        check_again(format, &rows);
    }
}

/// What was read as users is read as the same users when it is written as a file again.
fn check_again(format: TransferFormat, rows: &[Row]) {
    let users: Vec<_> = rows.iter().filter_map(|row| row.user.as_ref().ok()).collect();
    let mut file = String::new();
    if format == TransferFormat::Csv {
        file.push_str("name,email\r\n");
    }
    for user in &users {
        let (name, email) = (user.name.as_str(), user.email.as_str());
        file += &match format {
            TransferFormat::Csv => format!("\"{}\",{email}\r\n", name.replace('"', "\"\"")),
            TransferFormat::Ndjson => {
                let members = BTreeMap::from([("email", email), ("name", name)]);
                serde_json::to_string(&members).unwrap_or_default() + "\n"
            }
        };
    }
    let (again, is_refused) = read(format, [file.as_bytes()]);
    assert!(!is_refused);
    let again: Vec<_> = again.iter().map(|row| row.user.as_ref()).collect();
    assert_eq!(again, users.into_iter().map(Ok).collect::<Vec<_>>());
}

fn read<'f>(format: TransferFormat, pieces: impl IntoIterator<Item = &'f [u8]>) -> Rows {
    let mut reader = RowReader::new(format);
    let mut rows = Vec::new();
    for piece in pieces {
        reader.push(piece.to_vec().into());
        if take_rows(&mut reader, &mut rows).is_err() {
            return (rows, true);
        }
    }
    reader.end();
    let is_refused = take_rows(&mut reader, &mut rows).is_err();
    (rows, is_refused)
}

fn take_rows(reader: &mut RowReader, rows: &mut Vec<Row>) -> Result<(), api::InvalidHeader> {
    while let Some(row) = reader.next_row()? {
        rows.push(row);
    }
    Ok(())
}

fn clone(rows: &[Row]) -> Vec<Row> {
    let clone = |row: &Row| Row {
        line: row.line,
        user: row.user.clone(),
    };
    rows.iter().map(clone).collect()
}
