//! Requests byte by byte, for what no well-behaved client sends, and answers to be read as they come.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::{answer::Answer, contract, support::TestApp};

/// An answer that takes longer will not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to the service.
pub(crate) struct Wire {
    stream: TcpStream,
    /// What was received and not yet read.
    received: Vec<u8>,
}

impl Wire {
    pub(crate) async fn open(app: &TestApp) -> Self {
        Self {
            stream: TcpStream::connect(app.address).await.unwrap(),
            received: Vec::new(),
        }
    }

    /// A connection that takes in little that is not read.
    pub(crate) async fn open_narrow(app: &TestApp) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8 * 1024).unwrap();
        Self {
            stream: socket.connect(app.address).await.unwrap(),
            received: Vec::new(),
        }
    }

    /// Sends a chunk of a body.
    pub(crate) async fn write_chunk(&mut self, text: &str) {
        if !text.is_empty() {
            self.write(format!("{:x}\r\n{text}\r\n", text.len())).await;
        }
    }

    /// Everything that comes until the service closes the connection.
    pub(crate) async fn until_closed(&mut self) -> String {
        let read = async {
            // A connection may also be closed with unread bytes on it.
            while let Ok(1..) = self.stream.read_buf(&mut self.received).await {}
        };
        timeout(PATIENCE, read).await.unwrap();
        String::from_utf8(std::mem::take(&mut self.received)).unwrap()
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Says that nothing more will be sent.
    pub(crate) async fn end_writing(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Sends a request that has no body and returns the answer.
    pub(crate) async fn ask(&mut self, method: &str, target: &str) -> Answer {
        self.write(format!("{method} {target} HTTP/1.1\r\nHost: test\r\n\r\n"))
            .await;
        self.answer(method, target).await
    }

    /// Reads the answer to the request for `target`.
    pub(crate) async fn answer(&mut self, method: &str, target: &str) -> Answer {
        let read = timeout(PATIENCE, self.read_answer(method));
        let answer = read.await.unwrap_or_else(|_| panic!("no answer to {method} {target}"));
        contract::check(method, target, &answer);
        answer
    }

    /// Reads exactly `expected`.
    pub(crate) async fn until(&mut self, expected: &str) {
        while self.received.len() < expected.len() {
            let received = timeout(PATIENCE, self.receive()).await;
            assert!(received.unwrap_or_default(), "{:?} is not {expected:?}", self.received);
        }
        let received: Vec<u8> = self.received.drain(..expected.len()).collect();
        assert_eq!(String::from_utf8(received).unwrap(), expected);
    }

    /// Whether the service has closed the connection, or does so shortly, without sending more.
    pub(crate) async fn is_closed(&mut self) -> bool {
        assert_eq!(self.received, b"", "more than one answer");
        let mut byte = [0];
        match timeout(Duration::from_secs(3), self.stream.read(&mut byte)).await {
            Ok(Ok(0) | Err(_)) => true,
            Ok(Ok(_)) => panic!("more than one answer"),
            Err(_) => false,
        }
    }

    async fn read_answer(&mut self, method: &str) -> Answer {
        let head = loop {
            if let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break String::from_utf8(self.received.drain(..end + 4).collect()).unwrap();
            }
            assert!(self.receive().await, "closed without an answer: {:?}", self.received);
        };
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let length = headers
            .get("content-length")
            .map_or("0", |length| length.to_str().unwrap());
        let length = if method == "HEAD" { 0 } else { length.parse().unwrap() };
        while self.received.len() < length {
            assert!(self.receive().await, "closed in the middle of a body");
        }
        let body = self.received.drain(..length).collect();
        Answer { status, headers, body }
    }

    /// Whether anything came before the end.
    async fn receive(&mut self) -> bool {
        self.stream.read_buf(&mut self.received).await.unwrap() > 0
    }
}
