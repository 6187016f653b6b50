//! The least of an HTTP/1.1 response parser that a load generator needs: the status, and where the answer ends.
//!
//! It follows RFC 9112 for answers framed by `Content-Length` or the chunked coding. Anything else is refused with the
//! reason rather than guessed, because a wrong end of one answer would spoil the times of all that follow.

use anyhow::{Context as _, Result, bail, ensure};

/// The longest head that is accepted, in bytes.
const LONGEST_HEAD_BYTES: usize = 64 * 1024;

/// Where in an answer the parser stands.
#[derive(Debug)]
enum State {
    /// Bytes of a head that has not ended yet.
    Head(Vec<u8>),
    /// Bytes of the body that are still to come.
    Fixed(u64),
    /// Within the line that gives a chunk's size; the digits so far.
    ChunkSize { size: Option<u64>, in_extension: bool },
    /// Bytes of the chunk that are still to come.
    ChunkData(u64),
    /// The line end after a chunk.
    ChunkEnd,
    /// Lines after the last chunk; whether the present one has a character.
    Trailer { line_is_empty: bool },
}

/// Parses one answer after another from the pieces in which they arrive.
#[derive(Debug)]
pub(crate) struct ResponseParser {
    state: State,
    status: u16,
}

impl Default for ResponseParser {
    fn default() -> Self {
        Self {
            state: State::Head(Vec::new()),
            status: 0,
        }
    }
}

impl ResponseParser {
    /// Takes in the next bytes from the connection and hands those of the body to `body`. The status, if the answer is
    /// complete with them.
    ///
    /// # Errors
    /// When this is no answer that the parser understands, or when bytes follow its end: nothing is pipelined here.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut body: impl FnMut(&[u8])) -> Result<Option<u16>> {
        while !bytes.is_empty() {
            let (used, is_complete) = self.step(bytes, &mut body)?;
            bytes = bytes.get(used..).unwrap_or_default();
            if is_complete {
                ensure!(bytes.is_empty(), "{} bytes follow the end of an answer", bytes.len());
                self.state = State::Head(Vec::new());
                return Ok(Some(self.status));
            }
        }
        Ok(None)
    }

    /// How many bytes were used, and whether they end the answer.
    fn step(&mut self, bytes: &[u8], body: &mut impl FnMut(&[u8])) -> Result<(usize, bool)> {
        match &mut self.state {
            State::Head(seen) => {
                // The usual case, a head that arrives whole, is parsed where it lies.
                if seen.is_empty()
                    && let Some(head) = Head::parse(bytes)?
                {
                    return Ok((head.bytes, self.begin_body(&head)));
                }
                let seen_before = seen.len();
                seen.extend_from_slice(bytes);
                match Head::parse(seen)? {
                    Some(head) => Ok((head.bytes - seen_before, self.begin_body(&head))),
                    None => Ok((bytes.len(), false)),
                }
            }
            State::Fixed(remaining) => {
                let used = take(bytes, *remaining, body);
                *remaining -= used as u64;
                Ok((used, *remaining == 0))
            }
            State::ChunkData(remaining) => {
                let used = take(bytes, *remaining, body);
                *remaining -= used as u64;
                if *remaining == 0 {
                    self.state = State::ChunkEnd;
                }
                Ok((used, false))
            }
            State::ChunkSize { .. } | State::ChunkEnd | State::Trailer { .. } => {
                let byte = bytes.first().copied().unwrap_or_default();
                Ok((1, self.frame_byte(byte)?))
            }
        }
    }

    /// Whether the answer ends with its head.
    fn begin_body(&mut self, head: &Head) -> bool {
        self.status = head.status;
        match head.framing {
            Framing::Fixed(0) => true,
            Framing::Fixed(length) => {
                self.state = State::Fixed(length);
                false
            }
            Framing::Chunked => {
                self.state = State::ChunkSize {
                    size: None,
                    in_extension: false,
                };
                false
            }
        }
    }

    /// One byte between the data of two chunks; whether it ends the answer.
    fn frame_byte(&mut self, byte: u8) -> Result<bool> {
        match (&mut self.state, byte) {
            (_, b'\r') => {}
            (State::ChunkSize { size, .. }, b'\n') => {
                self.state = match size {
                    None => bail!("a chunk has no size"),
                    Some(0) => State::Trailer { line_is_empty: true },
                    Some(size) => State::ChunkData(*size),
                };
            }
            (State::ChunkSize { in_extension, .. }, b';' | b' ' | b'\t') => *in_extension = true,
            (
                State::ChunkSize {
                    size,
                    in_extension: false,
                },
                digit,
            ) => {
                let value = char::from(digit)
                    .to_digit(16)
                    .context("the size of a chunk is no number")?;
                let grown = size
                    .unwrap_or_default()
                    .checked_mul(16)
                    .context("the size of a chunk is too large")?;
                *size = Some(grown + u64::from(value));
            }
            (State::ChunkEnd, b'\n') => {
                self.state = State::ChunkSize {
                    size: None,
                    in_extension: false,
                };
            }
            (State::ChunkEnd, _) => bail!("a chunk is longer than it said"),
            (State::Trailer { line_is_empty: true }, b'\n') => return Ok(true),
            (State::Trailer { line_is_empty }, byte) => *line_is_empty = byte == b'\n',
            (State::ChunkSize { .. } | State::Head(_) | State::Fixed(_) | State::ChunkData(_), _) => {}
        }
        Ok(false)
    }
}

/// Hands at most `remaining` bytes to `body`; how many.
fn take(bytes: &[u8], remaining: u64, body: &mut impl FnMut(&[u8])) -> usize {
    let wanted = usize::try_from(remaining).unwrap_or(usize::MAX).min(bytes.len());
    if let Some(part) = bytes.get(..wanted) {
        body(part);
    }
    wanted
}

/// How the end of a body is told.
enum Framing {
    Fixed(u64),
    Chunked,
}

/// What counts in a head.
struct Head {
    /// Its length, the blank line included.
    bytes: usize,
    status: u16,
    framing: Framing,
}

impl Head {
    /// The head at the start of `bytes`; nothing while its end is missing.
    fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let mut status = None;
        let mut length: Option<u64> = None;
        let mut is_chunked = false;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let line = bytes.get(start..end).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            start = end + 1;
            match (status, line) {
                (None, line) => status = Some(status_of(line)?),
                (Some(status), []) => {
                    return Ok(Some(Self {
                        bytes: start,
                        status,
                        framing: framing(status, length, is_chunked)?,
                    }));
                }
                // A look at the first letter spares most lines the comparison.
                (Some(_), [b'c' | b'C', ..]) => {
                    if let Some(value) = value_of(line, b"content-length") {
                        let value = std::str::from_utf8(value).unwrap_or_default().trim();
                        let value = value
                            .parse()
                            .with_context(|| format!("a content length of {value:?}"))?;
                        ensure!(length.is_none_or(|before| before == value), "two content lengths");
                        length = Some(value);
                    }
                }
                (Some(_), [b't' | b'T', ..]) => {
                    if let Some(value) = value_of(line, b"transfer-encoding") {
                        ensure!(
                            value.trim_ascii().eq_ignore_ascii_case(b"chunked"),
                            "the transfer encoding is {:?}; only chunked is understood",
                            String::from_utf8_lossy(value)
                        );
                        is_chunked = true;
                    }
                }
                (Some(_), _) => {}
            }
        }
        ensure!(
            bytes.len() <= LONGEST_HEAD_BYTES,
            "a head of more than {LONGEST_HEAD_BYTES} bytes"
        );
        Ok(None)
    }
}

fn framing(status: u16, length: Option<u64>, is_chunked: bool) -> Result<Framing> {
    match (length, is_chunked) {
        _ if matches!(status, 204 | 304) => Ok(Framing::Fixed(0)),
        (Some(length), false) => Ok(Framing::Fixed(length)),
        (None, true) => Ok(Framing::Chunked),
        (Some(_), true) => bail!("an answer has a content length and is chunked"),
        (None, false) => bail!("an answer {status} tells neither its length nor that it is chunked"),
    }
}

fn status_of(line: &[u8]) -> Result<u16> {
    let digits = line.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let status = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    match status {
        Some(status @ 200..=599) => Ok(status),
        Some(status) => bail!("an interim or unknown status {status}"),
        None => bail!("no status line of HTTP/1.1: {:?}", String::from_utf8_lossy(line)),
    }
}

/// The value of a header line, if it has this name.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = line.split_at_checked(name.len())?;
    found.eq_ignore_ascii_case(name).then_some(())?;
    value.strip_prefix(b":")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXED: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-LENGTH: 5\r\nX: y\r\n\r\nhello";
    const CHUNKED: &str =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n";

    /// Feeds an answer in pieces of `size` bytes.
    fn parse(text: &str, size: usize) -> Result<(Option<u16>, String)> {
        let mut parser = ResponseParser::default();
        let mut body = Vec::new();
        let mut status = None;
        for piece in text.as_bytes().chunks(size) {
            assert_eq!(status, None, "complete before its end");
            status = parser.feed(piece, |part| body.extend_from_slice(part))?;
        }
        Ok((status, String::from_utf8(body)?))
    }

    #[test]
    fn an_answer_is_found_however_it_is_cut() {
        for size in 1..=FIXED.len() {
            assert_eq!(
                parse(FIXED, size).unwrap(),
                (Some(200), "hello".to_owned()),
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn a_chunked_answer_is_found_however_it_is_cut() {
        for size in 1..=CHUNKED.len() {
            let expected = (Some(200), "hello0123456789".to_owned());
            assert_eq!(parse(CHUNKED, size).unwrap(), expected, "pieces of {size}");
        }
    }

    #[test]
    fn answers_follow_one_another_on_a_connection() {
        let mut parser = ResponseParser::default();
        for answer in [
            FIXED,
            CHUNKED,
            "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n",
            FIXED,
        ] {
            assert!(parser.feed(answer.as_bytes(), |_| {}).unwrap().is_some());
        }
    }

    #[test]
    fn an_answer_without_content_ends_with_its_head() {
        assert_eq!(
            parse("HTTP/1.1 204 No Content\r\n\r\n", 1).unwrap(),
            (Some(204), String::new())
        );
    }

    #[test]
    fn an_answer_that_is_not_over_is_not_complete() {
        for text in [
            &FIXED[..FIXED.len() - 1],
            &CHUNKED[..CHUNKED.len() - 1],
            "HTTP/1.1 200 OK\r\nContent-Le",
        ] {
            assert_eq!(parse(text, 7).unwrap().0, None, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab",
            "SSH-2.0-x\r\n",
        ] {
            assert!(parse(text, text.len()).is_err(), "{text:?}");
        }
    }
}
