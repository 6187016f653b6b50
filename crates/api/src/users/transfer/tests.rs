//! What the readers make of files, in whatever pieces they come, and that they read what the writer writes.

use domain::{Email, NewUser, Timestamp, User, UserId, UserName};
use proptest::{collection::vec, prelude::*};

use super::*;

const CSV: TransferFormat = TransferFormat::Csv;
const NDJSON: TransferFormat = TransferFormat::Ndjson;

fn read_in_pieces(format: TransferFormat, file: &[u8], piece_bytes: usize) -> Result<Vec<Row>, InvalidHeader> {
    let mut reader = RowReader::new(format);
    let mut rows = Vec::new();
    for piece in file.chunks(piece_bytes) {
        reader.push(Bytes::copy_from_slice(piece));
        while let Some(row) = reader.next_row()? {
            rows.push(row);
        }
    }
    reader.end();
    while let Some(row) = reader.next_row()? {
        rows.push(row);
    }
    assert_eq!(reader.next_row()?, None);
    Ok(rows)
}

/// Reads a file in pieces of several sizes, which must not matter.
fn try_read(format: TransferFormat, file: &[u8]) -> Result<Vec<Row>, InvalidHeader> {
    let whole = read_in_pieces(format, file, file.len().max(1));
    let sizes: &[usize] = if file.len() > 10_000 {
        &[1000, 65_536]
    } else {
        &[1, 2, 3, 7]
    };
    for size in sizes {
        assert_eq!(read_in_pieces(format, file, *size), whole, "in pieces of {size}");
    }
    whole
}

/// Lines, and the address or the code of the fault on each.
fn outline(format: TransferFormat, file: impl AsRef<[u8]>) -> Vec<(u64, String)> {
    let rows = try_read(format, file.as_ref()).unwrap();
    let said = |row: Row| match row.user {
        Ok(user) => (row.line, user.email.into_string()),
        Err(fault) => (row.line, fault.code.as_str().to_owned()),
    };
    rows.into_iter().map(said).collect()
}

#[track_caller]
fn expect(format: TransferFormat, file: impl AsRef<[u8]>, expected: &[(u64, &str)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(line, said)| (*line, (*said).to_owned()))
        .collect();
    assert_eq!(outline(format, file), expected);
}

#[test]
fn json_lines_end_with_either_line_break_or_the_file() {
    let ann = r#"{"name": "Ann", "email": "ann@example.com"}"#;
    let bob = r#"{"email":"BOB@example.com","name":" Bob "}"#;
    for file in [
        format!("{ann}\n{bob}\n"),
        format!("{ann}\r\n{bob}\r\n"),
        format!("{ann}\n{bob}"),
    ] {
        expect(NDJSON, file, &[(1, "ann@example.com"), (2, "bob@example.com")]);
    }
    let blanks = format!("\n  \t\n\r\n{ann}\n\n{bob}\n \n");
    expect(NDJSON, blanks, &[(4, "ann@example.com"), (6, "bob@example.com")]);
    for nothing in ["", "\n", " ", "\r\n\r\n"] {
        expect(NDJSON, nothing, &[]);
    }
}

#[test]
fn a_json_line_is_read_as_strictly_as_the_body_of_a_create() {
    let lines: [(&[u8], &str); 17] = [
        (br#"{"name": "Ann"}"#, "required"),
        (br"{}", "required"),
        (br#"{"name": 7, "email": "a@example.com"}"#, "type"),
        (br#"{"name": null, "email": "a@example.com"}"#, "type"),
        (br#"{"name": " ", "email": "a@example.com"}"#, "length"),
        (br#"{"name": "A\u0000", "email": "a@example.com"}"#, "control_character"),
        (br#"{"name": "Ann", "email": "nowhere"}"#, "format"),
        (
            br#"{"name": "Ann", "email": "a@example.com", "age": 7}"#,
            "unknown_field",
        ),
        (
            br#"{"name": "Ann", "name": "Ann", "email": "a@example.com"}"#,
            "duplicate_field",
        ),
        (br#"["Ann", "a@example.com"]"#, "malformed_request"),
        (b"null", "malformed_request"),
        (b"Ann", "malformed_request"),
        (br#"{"name": "Ann", "email": "a@example.com""#, "malformed_request"),
        (br#"{"name": "Ann", "email": "a@example.com"} {}"#, "malformed_request"),
        (
            b"\xef\xbb\xbf{\"name\": \"Ann\", \"email\": \"a@example.com\"}",
            "malformed_request",
        ),
        (
            b"{\"name\": \"\xff\", \"email\": \"a@example.com\"}",
            "malformed_request",
        ),
        (b"\xff\xfe", "malformed_request"),
    ];
    let file: Vec<u8> = lines.iter().flat_map(|(line, _)| [*line, b"\n"].concat()).collect();
    let expected: Vec<_> = (1..).zip(lines.iter().map(|(_, code)| *code)).collect();
    expect(NDJSON, file, &expected);
}

#[test]
fn all_faults_of_a_line_are_told_without_what_it_says() {
    let line = br#"{"name": "", "email": "secret", "more": 1}"#;
    let row = try_read(NDJSON, line).unwrap().remove(0);
    assert_eq!(
        row.user.unwrap_err().to_string(),
        "email must be an e-mail address such as ann@example.com; more is not known here; name must be 1 to 100 \
         characters (format)"
    );
    let members: Vec<_> = (0..3000).map(|number| format!(r#""m{number}": 0"#)).collect();
    let row = try_read(NDJSON, format!("{{{}}}", members.join(",")).as_bytes())
        .unwrap()
        .remove(0);
    let fault = row.user.unwrap_err();
    assert!(
        fault.message.len() < 1000 && fault.message.ends_with("and 2997 more"),
        "{fault}"
    );
}

#[test]
fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
    let padded = |bytes: usize| {
        let line = r#"{"name": "Ann", "email": "ann@example.com"}"#;
        format!("{line}{}", " ".repeat(bytes - line.len()))
    };
    for end in ["\n", "\r\n"] {
        let (longest, longer) = (padded(MAX_LINE_BYTES), padded(MAX_LINE_BYTES + 1));
        let file = format!(
            "{longest}{end}{longer}{end}{longest}{end}{}{end}{longest}",
            padded(1_000_000)
        );
        let (user, fault) = ("ann@example.com", "payload_too_large");
        expect(NDJSON, file, &[(1, user), (2, fault), (3, user), (4, fault), (5, user)]);
    }
    let record = |bytes: usize| format!("Ann,ann@example.com{}", " ".repeat(bytes - 19));
    let (longest, longer) = (record(MAX_LINE_BYTES), record(MAX_LINE_BYTES + 1));
    // With line breaks between quotes it is still one line.
    let quoted = format!("\"{}\",a@example.com", "x\n".repeat(40_000));
    let file = format!(
        "name,email\n{longest}\n{longer}\n{longest}\n{quoted}\n{}\nAnn,end@example.com\n",
        record(1_000_000)
    );
    let (user, fault) = ("ann@example.com", "payload_too_large");
    let last = 6 + 40_000;
    expect(
        CSV,
        file,
        &[
            (2, user),
            (3, fault),
            (4, user),
            (5, fault),
            (last, fault),
            (last + 1, "end@example.com"),
        ],
    );
}

#[test]
fn csv_is_read_under_its_header_and_no_other() {
    for header in [
        "name,email\n",
        "name,email\r\n",
        "\u{feff}name,email\n",
        "\"name\",\"email\"\r\n",
        " name , email \n",
    ] {
        let file = format!("{header}Ann,ann@example.com\n");
        expect(CSV, file, &[(2, "ann@example.com")]);
        expect(CSV, header, &[]);
    }
    expect(CSV, "name,email", &[]);
    expect(CSV, "\n\nname,email\n\nAnn,ann@example.com", &[(5, "ann@example.com")]);
    for header in [
        "",
        "\n",
        "\u{feff}",
        "email,name\n",
        "Name,Email\n",
        "name\n",
        "name,email,age\n",
        "name;email\n",
        "Ann,ann@example.com\n",
        "\u{feff}\u{feff}name,email\n",
    ] {
        let file = format!("{header}Ann,ann@example.com\n");
        assert_eq!(try_read(CSV, file.as_bytes()), Err(InvalidHeader), "{header:?}");
    }
    assert_eq!(try_read(CSV, b""), Err(InvalidHeader));
    assert_eq!(try_read(CSV, b"\xef\xbbname,email\n"), Err(InvalidHeader));
}

#[test]
fn quotes_hold_commas_quotes_and_line_breaks_and_lines_are_physical() {
    let file = concat!(
        "name,email\r\n",
        "\"Lee, Ann\",a@example.com\r\n",
        "\"Ann \"\"The\"\" Lee\",b@example.com\r\n",
        "\"\n\r\nAnn\n\",c@example.com\r\n",
        "\r\n",
        "\"Ann\nLee\",d@example.com\r\n",
        "Ann,\"e@example.com\"\r\n",
    );
    expect(
        CSV,
        file,
        &[
            (2, "a@example.com"),
            (3, "b@example.com"),
            (4, "c@example.com"),
            (9, "control_character"),
            (11, "e@example.com"),
        ],
    );
    let names: Vec<_> = try_read(CSV, file.as_bytes())
        .unwrap()
        .into_iter()
        .filter_map(|row| Some(row.user.ok()?.name.into_string()))
        .collect();
    assert_eq!(names, ["Lee, Ann", "Ann \"The\" Lee", "Ann", "Ann"]);
}

#[test]
fn every_bad_record_is_told_by_its_line_and_the_next_is_read() {
    let file = b"name,email\n\
        Ann\n\
        Lee, Ann,a@example.com\n\
        ,a@example.com\n\
        Ann,nowhere\n\
        \xff,a@example.com\n\
        \"\"\n\
        ,\n\
        a,b,c,d,e,f,g,h\n\
        Ann,ann@example.com\n\
        Bob,\"bob@example.com\n\n";
    expect(
        CSV,
        file,
        &[
            (2, "malformed_request"),
            (3, "malformed_request"),
            (4, "length"),
            (5, "format"),
            (6, "malformed_request"),
            (7, "malformed_request"),
            (8, "length"),
            (9, "malformed_request"),
            (10, "ann@example.com"),
            (11, "malformed_request"),
        ],
    );
}

fn name() -> impl Strategy<Value = UserName> {
    prop_oneof![any::<String>(), "[a-z,\"' =+@-]{1,20}", "\\PC{1,100}"]
        .prop_filter_map("a name", |text| UserName::parse(&text).ok())
}

fn email() -> impl Strategy<Value = Email> {
    "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,20}@[a-z]{1,9}\\.(com|jp)".prop_map(|text| Email::parse(&text).unwrap())
}

fn user() -> impl Strategy<Value = User> {
    (1..=i64::MAX, name(), email(), 0..253_402_300_799_999_999_i64).prop_map(|(id, name, email, micros)| User {
        id: UserId::new(id).unwrap(),
        name,
        email,
        created_at: Timestamp::from_unix_micros(micros).unwrap(),
        updated_at: Timestamp::from_unix_micros(micros).unwrap(),
        version: 1,
    })
}

proptest! {
    /// Exports have more columns than imports take, so those are cut out by another reader.
    #[test]
    fn what_is_written_is_read_back_as_it_was(users in vec(user(), 0..20)) {
        let new_users: Vec<_> = users
            .iter()
            .map(|user| NewUser { name: user.name.clone(), email: user.email.clone() })
            .collect();
        for format in TransferFormat::ALL {
            let writer = UserWriter::new(format);
            let mut file = writer.header().to_vec();
            writer.write(users.clone(), &mut file);
            let columns = match format {
                TransferFormat::Csv => csv_columns(&file),
                TransferFormat::Ndjson => json_columns(&file),
            };
            let times = |user: &User| (user.id.to_string(), user.created_at.to_string());
            let written: Vec<_> = columns.iter().map(|it| (it[0].clone(), it[3].clone())).collect();
            prop_assert_eq!(written, users.iter().map(times).collect::<Vec<_>>());
            let mut file = match format {
                TransferFormat::Csv => b"name,email\n".to_vec(),
                TransferFormat::Ndjson => Vec::new(),
            };
            for column in &columns {
                match format {
                    TransferFormat::Csv => {
                        writer.write_record(&[column[1].as_str().into(), column[2].as_str().into()], &mut file);
                    }
                    TransferFormat::Ndjson => {
                        let object = serde_json::json!({"name": column[1], "email": column[2]});
                        file.extend_from_slice(format!("{object}\n").as_bytes());
                    }
                }
            }
            let rows = read_in_pieces(format, &file, 7).unwrap();
            let read: Vec<_> = rows.into_iter().map(|row| row.user.unwrap()).collect();
            prop_assert_eq!(&read, &new_users);
        }
    }

    #[test]
    fn no_file_is_too_odd_to_be_read(file in vec(any::<u8>(), 0..200), size in 1..9_usize) {
        for format in TransferFormat::ALL {
            let whole = read_in_pieces(format, &file, 1000);
            prop_assert_eq!(read_in_pieces(format, &file, size), whole);
        }
    }

    #[test]
    fn no_csv_is_too_odd_to_be_read(text in "name,email\r?\n([ab@.,\"\r\n]|a,a@b\\.jp\n){0,60}", size in 1..9_usize) {
        let whole = read_in_pieces(CSV, text.as_bytes(), 1000);
        prop_assert_eq!(read_in_pieces(CSV, text.as_bytes(), size), whole);
    }
}

fn json_columns(file: &[u8]) -> Vec<Vec<String>> {
    let lines = std::str::from_utf8(file).unwrap().lines();
    let columns = |line| {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| {
            object[name]
                .as_str()
                .map_or_else(|| object[name].to_string(), str::to_owned)
        };
        ["id", "name", "email", "created_at", "updated_at"].map(text).to_vec()
    };
    lines.map(columns).collect()
}

/// The records of a file behind its header, read by the rules of RFC 4180 and nothing else.
fn csv_columns(file: &[u8]) -> Vec<Vec<String>> {
    let text = std::str::from_utf8(file).unwrap();
    let (mut records, mut record, mut column, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => column.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut column)),
            '\r' if !quoted => {
                assert_eq!(characters.next(), Some('\n'));
                record.push(std::mem::take(&mut column));
                records.push(std::mem::take(&mut record));
            }
            other => column.push(other),
        }
    }
    assert!(record.is_empty() && column.is_empty() && !quoted);
    assert_eq!(records.remove(0), ["id", "name", "email", "created_at", "updated_at"]);
    records
}
