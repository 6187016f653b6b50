//! A connection to a server, and single calls over it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::response::ResponseParser;

/// Bytes read at once. An answer of the API fits in, so that it takes one system call.
const BUFFER_BYTES: usize = 16 * 1024;
/// How long opening a connection, or a single call, may take.
const CALL_PATIENCE: Duration = Duration::from_mins(1);

/// A kept connection that carries one request at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    parser: ResponseParser,
    buffer: Box<[u8]>,
}

/// An answer to a single call.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The answer itself if it is 2xx.
    ///
    /// # Errors
    /// Otherwise, with what was `asked`.
    pub(crate) fn successful(self, asked: &str) -> Result<Self> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        // A problem document names itself; the rest of it differs from time to time.
        let code = self
            .json()
            .ok()
            .and_then(|problem| Some(problem.get("code")?.as_str()?.to_owned()));
        bail!("{asked} is answered with {} {}", self.status, code.unwrap_or_default())
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).context("the body of an answer is no JSON")
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens at `address`.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = timeout(CALL_PATIENCE, TcpStream::connect(address)).await;
        let stream = stream.context("no connection in time")?.context("no connection")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            parser: ResponseParser::default(),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
        })
    }

    /// Sends a request and waits for the end of its answer. The caller limits the time.
    ///
    /// # Errors
    /// When the connection breaks, or the answer is not 2xx or cannot be understood.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await.context("cannot send")?;
        let status = self.answer(|_| {}).await?;
        ensure!((200..300).contains(&status), "an answer {status}");
        Ok(())
    }

    /// Sends a request and waits for the end of its answer; the status of that, whatever it is.
    ///
    /// # Errors
    /// When the connection breaks or is silent for a minute, or the answer cannot be understood.
    pub(crate) async fn status_of(&mut self, request: &[u8]) -> Result<u16> {
        let exchange = async {
            self.stream.write_all(request).await.context("cannot send")?;
            self.answer(|_| {}).await
        };
        timeout(CALL_PATIENCE, exchange).await.context("no answer in time")?
    }

    /// Sends a request and waits for the end of its answer; all of that, whatever its status.
    ///
    /// # Errors
    /// As [`Self::status_of`].
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        let mut body = Vec::new();
        let exchange = async {
            self.stream.write_all(request).await.context("cannot send")?;
            self.answer(|part| body.extend_from_slice(part)).await
        };
        let status = timeout(CALL_PATIENCE, exchange).await.context("no answer in time")??;
        Ok(Answer { status, body })
    }

    /// Makes a single GET call, and hands the body over as it arrives.
    ///
    /// # Errors
    /// When the connection breaks or is silent for a minute, or the answer cannot be understood.
    pub(crate) async fn stream(&mut self, path: &str, mut body: impl FnMut(&[u8])) -> Result<u16> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        timeout(CALL_PATIENCE, self.stream.write_all(request.as_bytes()))
            .await
            .context("cannot send in time")??;
        loop {
            let read = timeout(CALL_PATIENCE, self.stream.read(&mut self.buffer));
            let read = read
                .await
                .with_context(|| format!("{path}: no answer in time"))?
                .context("cannot receive")?;
            ensure!(read > 0, "the server closed the connection within an answer");
            let bytes = self.buffer.get(..read).unwrap_or_default();
            if let Some(status) = self.parser.feed(bytes, &mut body)? {
                return Ok(status);
            }
        }
    }

    /// Makes a single GET call.
    ///
    /// # Errors
    /// As [`Self::stream`].
    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer> {
        let mut body = Vec::new();
        let status = self.stream(path, |part| body.extend_from_slice(part)).await?;
        Ok(Answer { status, body })
    }

    async fn answer(&mut self, mut body: impl FnMut(&[u8])) -> Result<u16> {
        loop {
            let read = self.stream.read(&mut self.buffer).await.context("cannot receive")?;
            ensure!(read > 0, "the server closed the connection within an answer");
            let bytes = self.buffer.get(..read).unwrap_or_default();
            if let Some(status) = self.parser.feed(bytes, &mut body)? {
                return Ok(status);
            }
        }
    }
}

/// Sends a POST request whose body is made as it is sent, in the chunked coding, and waits for the answer, which may come
/// before the end of the body.
///
/// `fill` appends the next piece of the body to the buffer; a piece that stays empty is the end.
///
/// # Errors
/// When the connection breaks, the answer cannot be understood, or all takes longer than `patience`.
pub(crate) async fn upload(
    address: SocketAddr,
    path: &str,
    content_type: &str,
    patience: Duration,
    mut fill: impl FnMut(&mut String),
) -> Result<Answer> {
    let (mut receiving, mut sending) = Connection::open(address).await?.stream.into_split();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let write = async move {
        sending.write_all(head.as_bytes()).await?;
        let (mut piece, mut chunk) = (String::new(), Vec::new());
        loop {
            piece.clear();
            fill(&mut piece);
            chunk.clear();
            chunk.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            chunk.extend_from_slice(piece.as_bytes());
            chunk.extend_from_slice(b"\r\n");
            sending.write_all(&chunk).await?;
            if piece.is_empty() {
                // Kept: closing our side could be taken for giving up.
                return Ok::<_, std::io::Error>(sending);
            }
        }
    };
    let receive = async move {
        let mut parser = ResponseParser::default();
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut body = Vec::new();
        loop {
            let read = receiving.read(&mut buffer).await.context("cannot receive")?;
            ensure!(read > 0, "the server closed the connection without an answer");
            let bytes = buffer.get(..read).unwrap_or_default();
            if let Some(status) = parser.feed(bytes, |part| body.extend_from_slice(part))? {
                return Ok(Answer { status, body });
            }
        }
    };
    let exchange = async {
        tokio::pin!(receive);
        tokio::select! {
            answer = &mut receive => answer,
            // A server that has answered may refuse the rest of the body, so the answer counts even then.
            sent = write => match receive.await {
                Ok(answer) => Ok(answer),
                Err(error) => Err(sent.err().map_or(error, |cause| anyhow::Error::new(cause).context("cannot send"))),
            },
        }
    };
    timeout(patience, exchange)
        .await
        .with_context(|| format!("POST {path}: no answer in time"))?
}
