//! Calls of the API as a client makes them, each judged by what is promised of every answer.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use serde_json::Value;

use super::balancer::Balancer;
use super::tally::{End, Tally};

/// An answer may come so much later than the product's own limit: the machine is busy.
const LATE: Duration = Duration::from_secs(1);
/// After this much more the client gives up.
const GIVE_UP: Duration = Duration::from_millis(500);

/// An HTTP client that uses no proxy and follows nothing.
///
/// It sends each request once. Finding that a kept connection was closed before any of the next request was sent, it takes
/// another: to close between two requests is every server's right (RFC 9112 section 9.5).
///
/// # Errors
/// When the system refuses.
pub(super) fn http_client(limit: Duration) -> Result<Client> {
    let client = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(limit);
    client.build().context("no HTTP client")
}

/// A call.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// What is done, for people.
    pub(super) what: &'static str,
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) headers: &'a [(&'static str, &'a str)],
    pub(super) body: Option<&'a Value>,
    /// The statuses that it may be answered with, beside 503 and 504.
    pub(super) statuses: &'static [u16],
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

/// What a client knows after a call.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was done.
    Done(Answer),
    /// For certain nothing was done; the answer, if there was a connection.
    NotDone(Option<Answer>),
    /// It may have been done, or may yet be.
    Unclear,
}

impl Answer {
    /// A header, if it is there and text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The `code` of a problem document.
    pub(super) fn code(&self) -> &str {
        self.body.get("code").and_then(Value::as_str).unwrap_or_default()
    }
}

/// The product as its clients reach it.
#[derive(Debug)]
pub(super) struct Api {
    client: Client,
    balancer: Rc<Balancer>,
    tally: Rc<Tally>,
    /// An answer that comes later than this is wrong.
    limit: Duration,
}

impl Api {
    /// Behind this load balancer. `request_timeout` is the product's.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn new(balancer: &Rc<Balancer>, tally: &Rc<Tally>, request_timeout: Duration) -> Result<Self> {
        let limit = request_timeout + LATE;
        Ok(Self {
            client: http_client(limit + GIVE_UP)?,
            balancer: Rc::clone(balancer),
            tally: Rc::clone(tally),
            limit,
        })
    }

    /// Something is wrong that the answer alone does not show.
    pub(super) fn wrong(&self, what: String) {
        self.tally.wrong(what);
    }

    /// Makes a call.
    pub(super) async fn call(&self, call: Call<'_>) -> Outcome {
        let Some(address) = self.balancer.next() else {
            self.wrong("no instance is ready".to_owned());
            return Outcome::NotDone(None);
        };
        let mut request = self
            .client
            .request(call.method, format!("http://{address}{}", call.path));
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = call.body {
            request = request.json(body);
        }
        let sent = self.tally.sent();
        let received = async {
            let answer = request.send().await?;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let body = answer.bytes().await?;
            Ok::<_, reqwest::Error>((status, headers, body))
        };
        let (end, outcome) = match received.await {
            Ok((status, headers, body)) => {
                let body = serde_json::from_slice(&body).unwrap_or_default();
                let answer = Answer { status, headers, body };
                self.check(call.what, call.statuses, &answer);
                (end_of(status), outcome_of(answer))
            }
            Err(error) if error.is_connect() => (End::NotConnected, Outcome::NotDone(None)),
            Err(error) if error.is_timeout() => (End::Silent, Outcome::Unclear),
            Err(_) => (End::Broken, Outcome::Unclear),
        };
        let elapsed = self.tally.ended(&sent, end);
        if elapsed > self.limit {
            self.wrong(format!("{}: no answer within {:?}", call.what, self.limit));
        }
        outcome
    }

    fn check(&self, what: &str, statuses: &[u16], answer: &Answer) {
        let (status, code) = (answer.status, answer.code());
        match status {
            503 if answer.header("retry-after").is_none() => {
                self.wrong(format!("{what}: 503 {code} without Retry-After"));
            }
            503 | 504 => {}
            _ if statuses.contains(&status) => {}
            _ => self.wrong(format!("{what}: {status} {code}")),
        }
    }
}

fn end_of(status: u16) -> End {
    match status {
        200..=299 => End::Success,
        400..=499 => End::Refused,
        503 => End::Unavailable,
        504 => End::DeadlineExceeded,
        _ => End::Other,
    }
}

fn outcome_of(answer: Answer) -> Outcome {
    match (answer.status, answer.code()) {
        (200..=299, _) => Outcome::Done(answer),
        (400..=499, _) | (503, "overloaded" | "shutting_down") => Outcome::NotDone(Some(answer)),
        // COMMIT may have been sent.
        _ => Outcome::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(status: u16, code: &str) -> Outcome {
        outcome_of(Answer {
            status,
            headers: HeaderMap::new(),
            body: json!({"code": code}),
        })
    }

    #[test]
    fn only_an_answer_that_says_so_is_certain() {
        assert!(matches!(outcome(201, ""), Outcome::Done(_)));
        for (status, code) in [(409, "email_taken"), (412, "precondition_failed"), (503, "overloaded")] {
            assert!(
                matches!(outcome(status, code), Outcome::NotDone(Some(_))),
                "{status} {code}"
            );
        }
        for (status, code) in [
            (503, "database_unavailable"),
            (504, "deadline_exceeded"),
            (500, "internal"),
        ] {
            assert!(matches!(outcome(status, code), Outcome::Unclear), "{status} {code}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_was_sent_nothing() {
        let balancer = Rc::new(Balancer::default());
        balancer.add(std::net::SocketAddr::from((
            [127, 0, 0, 1],
            crate::process::free_port().unwrap(),
        )));
        let tally = Rc::new(Tally::default());
        let api = Api::new(&balancer, &tally, Duration::from_secs(1)).unwrap();
        let outcome = api
            .call(Call {
                what: "get",
                method: Method::GET,
                path: "/",
                headers: &[],
                body: None,
                statuses: &[200],
            })
            .await;
        assert!(matches!(outcome, Outcome::NotDone(None)), "{outcome:?}");
        assert_eq!(tally.count(End::NotConnected), 1);
    }
}
