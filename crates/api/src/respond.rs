//! From values to answers: status, headers and body in one place for each kind of success.

use actix_web::{HttpRequest, HttpResponse, Responder, body::BoxBody, http::header};
use serde::Serialize;

/// 200 with a JSON body.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

/// 201 with a JSON body, and the address of what was created where that is one thing.
#[derive(Debug)]
pub(crate) struct Created<T> {
    pub(crate) location: Option<String>,
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

impl<T: Serialize> Responder for Json<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().json(self.0)
    }
}

impl<T: Serialize> Responder for Created<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Created();
        if let Some(location) = self.location {
            response.insert_header((header::LOCATION, location));
        }
        response.json(self.body)
    }
}

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
