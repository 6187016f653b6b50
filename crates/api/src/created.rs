//! What is answered when something was created: at once, or again to a request with the same idempotency key.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    http::header::{self, ContentType, HeaderName},
};
use serde::Serialize;
use service::KeptOnce;

use crate::{etag::ETag, problem::Problem};

const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A 201 with a JSON body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Created {
    location: Option<String>,
    etag: Option<String>,
    body: Vec<u8>,
    is_replay: bool,
}

impl Created {
    /// The answer with this body.
    pub(crate) fn new(body: &impl Serialize) -> Self {
        Self {
            // Strings and numbers always serialise; were it otherwise, the status would still say what matters.
            body: serde_json::to_vec(body).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// The same, with the path and the tag of the one thing that was created.
    pub(crate) fn at(self, location: String, etag: &ETag) -> Self {
        Self {
            location: Some(location),
            etag: Some(etag.to_string()),
            ..self
        }
    }

    /// The answer as it is kept with an idempotency key: status and fields, an empty line, the body. What people find who
    /// look into the table is what went over the wire.
    pub(crate) fn into_record(self) -> Vec<u8> {
        let line = |name, value: Option<String>| value.map_or_else(String::new, |value| format!("{name}: {value}\n"));
        let head = format!(
            "201\ncontent-type: application/json\n{}{}\n",
            line("location", self.location),
            line("etag", self.etag)
        );
        [head.into_bytes(), self.body].concat()
    }

    /// The answer that was kept. The first answer takes this way as well, so that a later one is the same to the byte.
    ///
    /// # Errors
    /// An internal problem when the record is not one of ours.
    pub(crate) fn from_kept(kept: &KeptOnce) -> Result<Self, Problem> {
        let broken = || Problem::internal("the answer kept with an idempotency key cannot be read");
        let end_of_head = kept
            .answer
            .windows(2)
            .position(|bytes| bytes == b"\n\n")
            .ok_or_else(broken)?;
        let (head, body) = kept.answer.split_at(end_of_head);
        let head = std::str::from_utf8(head).map_err(|_| broken())?;
        let fields = head.strip_prefix("201\n").ok_or_else(broken)?;
        let field = |name| {
            let mut fields = fields.lines().filter_map(|line| line.split_once(": "));
            fields.find_map(|(field, value)| (field == name).then(|| value.to_owned()))
        };
        Ok(Self {
            location: field("location"),
            etag: field("etag"),
            body: body.get(2..).unwrap_or_default().to_vec(),
            is_replay: kept.is_replay,
        })
    }
}

impl Responder for Created {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Created();
        response.content_type(ContentType::json());
        for (name, value) in [(header::LOCATION, self.location), (header::ETAG, self.etag)] {
            if let Some(value) = value {
                response.insert_header((name, value));
            }
        }
        if self.is_replay {
            response.insert_header((IDEMPOTENCY_REPLAYED, "true"));
        }
        response.body(self.body)
    }
}

#[cfg(test)]
mod tests {
    use domain::{Revision, Timestamp, UserId};
    use serde_json::json;

    use super::*;

    fn kept(answer: impl Into<Vec<u8>>) -> KeptOnce {
        KeptOnce {
            answer: answer.into(),
            is_replay: true,
        }
    }

    #[test]
    fn a_record_gives_back_the_answer_whatever_its_body_holds() {
        let revision = Revision {
            id: UserId::new(7).unwrap(),
            created_at: Timestamp::now(),
            version: 1,
        };
        let one =
            || Created::new(&json!({"name": "a\n\nlocation: b"})).at("/api/v1/users/7".to_owned(), &ETag::of(revision));
        let many = || Created::new(&json!([1, 2]));
        for (answer, again) in [(one(), one()), (many(), many())] {
            let read = Created::from_kept(&kept(answer.into_record())).unwrap();
            assert_eq!(
                read,
                Created {
                    is_replay: true,
                    ..again
                }
            );
        }
    }

    #[test]
    fn what_is_no_record_is_a_defect_and_no_answer() {
        for broken in ["", "201", "201\nlocation: /", "200\n\n{}", "\n\n201\n"] {
            assert!(Created::from_kept(&kept(broken)).is_err(), "{broken:?}");
        }
    }
}
