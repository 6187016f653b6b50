//! What the service answered.

use std::fmt;

use reqwest::header::HeaderMap;
use serde_json::Value;

/// An answer, however it was fetched.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body, which has to be JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The header, which has to be there at most once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next();
        assert!(values.next().is_none(), "{name} more than once: {self}");
        value.map(|value| value.to_str().unwrap())
    }

    /// The problem that the body has to be, with this status and code.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(
            (self.status, self.json()["code"].as_str()),
            (status, Some(code)),
            "{self}"
        );
        self.json()
    }

    /// Requires a 422 with exactly these faults, pointer and code, in this order.
    #[track_caller]
    pub(crate) fn has_faults(&self, expected: &[(&str, &str)]) {
        let problem = self.problem(422, "validation_failed");
        assert_eq!(faults(&problem), expected, "{self}");
        let detail = match expected.len() {
            1 => "1 field is invalid".to_owned(),
            count => format!("{count} fields are invalid"),
        };
        assert_eq!(problem["detail"], *detail);
    }
}

/// Pointers and codes of the faults that a problem lists.
pub(crate) fn faults(problem: &Value) -> Vec<(&str, &str)> {
    let listed = problem["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let text = |fault: &'_ Value, member| fault[member].as_str().unwrap_or_default().len();
    listed
        .iter()
        .inspect(|fault| assert!(text(fault, "message") > 0, "{fault}"))
        .map(|fault| (fault["pointer"].as_str().unwrap(), fault["code"].as_str().unwrap()))
        .collect()
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.body[..self.body.len().min(2000)];
        let (status, body) = (self.status, String::from_utf8_lossy(shown));
        write!(formatter, "{status} {:?} {body}", self.headers)
    }
}
