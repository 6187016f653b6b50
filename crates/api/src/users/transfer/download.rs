//! The body of an export, given out page by page.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    web::Bytes,
};
use futures_util::stream::{self, Stream};
use service::{Export, Freshness, UserService};
use tracing::Span;

use super::{TransferFormat, UserWriter};
use crate::{
    accept,
    extract::FromHeaders,
    middleware::RequestNotes,
    problem::{Code, Problem, error_chain},
};

/// The form in which the caller wants the users.
impl FromHeaders for TransferFormat {
    fn read(request: &HttpRequest, _: &Bytes) -> Result<Self, Problem> {
        let offer = Self::media_types();
        let preferred = accept::preferred(request, &offer).and_then(Self::of_media_type);
        preferred.ok_or_else(|| {
            let detail = format!("The users can be had as {}", offer.join(" or "));
            Problem::new(Code::NotAcceptable, detail)
        })
    }
}

/// An answer whose body is written while it is sent.
pub(super) struct Download {
    format: TransferFormat,
    /// What is sent; nothing where only the head was asked for.
    body: Option<Body>,
}

/// What is still to be sent.
struct Body {
    export: Export,
    writer: UserWriter,
    /// What has been written already.
    ready: Option<Bytes>,
    span: Span,
    /// While a copy is kept, the request holds its place and counts as in progress.
    _notes: Option<RequestNotes>,
}

/// The connection is to be cut. Why is in the log.
#[derive(Debug, thiserror::Error)]
#[error("the export cannot go on")]
struct CutOff;

impl Download {
    /// Fetches the first page, so that a database that is away shows before anything is sent.
    pub(super) async fn begin(
        users: &UserService,
        (format, freshness): (TransferFormat, Freshness),
        request: &HttpRequest,
    ) -> Result<Self, Problem> {
        let notes = RequestNotes::of(request);
        if notes.as_ref().is_some_and(RequestNotes::is_head) {
            return Ok(Self { format, body: None });
        }
        let mut body = Body {
            export: users.export(freshness),
            writer: UserWriter::new(format),
            ready: None,
            span: Span::current(),
            _notes: notes,
        };
        let mut text = body.writer.header().to_vec();
        if let Some(page) = body.export.next_page().await? {
            body.writer.write(page, &mut text);
        }
        body.ready = Some(text.into());
        Ok(Self {
            format,
            body: Some(body),
        })
    }
}

impl Body {
    // ANCHOR: next
    /// The next piece; nothing at the end.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, CutOff> {
        if let Some(ready) = self.ready.take() {
            return Ok(Some((ready, self)));
        }
        match self.export.next_page().await {
            Ok(None) => Ok(None),
            Ok(Some(page)) => {
                let mut text = Vec::new();
                self.writer.write(page, &mut text);
                Ok(Some((text.into(), self)))
            }
            Err(error) => {
                let (cause, users) = (error_chain(&error), self.export.users());
                self.span
                    .in_scope(|| tracing::error!(cause, users, "export failed; the connection is cut"));
                Err(CutOff)
            }
        }
    }
    // ANCHOR_END: next

    fn into_stream(self) -> impl Stream<Item = Result<Bytes, CutOff>> {
        stream::try_unfold(self, Self::next)
    }
}

impl Responder for Download {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let name = self.format.name();
        let mut response = HttpResponse::Ok();
        response
            .insert_header((CONTENT_TYPE, self.format.content_type()))
            .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"users.{name}\"")));
        match self.body {
            Some(body) => response.streaming(body.into_stream()),
            // As long as the body would be: unknown.
            None => response.streaming(stream::empty::<Result<Bytes, CutOff>>()),
        }
    }
}
