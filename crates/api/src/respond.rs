//! From values to answers: status, headers and body in one place for each kind of success.

use actix_web::{HttpRequest, HttpResponse, Responder, body::BoxBody, http::header};
use serde::Serialize;

use crate::etag::{ETag, TagList};

/// 200 with a JSON body and the tag of the state that it shows; or 304 when that is the state that the caller has already.
#[derive(Debug)]
pub(crate) struct Tagged<T> {
    pub(crate) etag: ETag,
    pub(crate) if_none_match: Option<TagList>,
    pub(crate) body: T,
}

/// 204.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoContent;

/// 200 with a JSON body and links to other pages (RFC 8288).
#[derive(Debug)]
pub(crate) struct Linked<T> {
    pub(crate) link: Option<String>,
    pub(crate) body: T,
}

// ANCHOR: tagged
impl<T: Serialize> Responder for Tagged<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let is_known = self.if_none_match.is_some_and(|tags| tags.matches_weakly(&self.etag));
        let mut response = if is_known {
            HttpResponse::NotModified()
        } else {
            HttpResponse::Ok()
        };
        response.insert_header((header::ETAG, self.etag.as_str()));
        if is_known {
            response.finish()
        } else {
            response.json(self.body)
        }
    }
}
// ANCHOR_END: tagged

impl Responder for NoContent {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::NoContent().finish()
    }
}

impl<T: Serialize> Responder for Linked<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        if let Some(link) = self.link {
            response.insert_header((header::LINK, link));
        }
        response.json(self.body)
    }
}
