//! Conditional requests (RFC 9110 section 13): "only if it is still as I know it", and "only if it is not".

use actix_web::{
    HttpRequest,
    http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH},
    web::Bytes,
};
use domain::Precondition;
use utoipa::IntoParams;

use crate::{
    AppState,
    etag::{SentTag, TagList},
    extract::FromHeaders,
    problem::{Code, Problem},
};

/// `If-Match`, which guards a change against overwriting another that the caller has not seen.
#[derive(Debug)]
pub(crate) struct IfMatch(Option<TagList>);

/// `If-None-Match`, which saves sending what the caller has already.
#[derive(Debug)]
pub(crate) struct IfNoneMatch(pub(crate) Option<TagList>);

/// `If-Match` as the OpenAPI document describes it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header that is read by hand")]
pub(crate) struct IfMatchHeader {
    /// The `ETag` of the user as you know it; the request is refused (412) if it has changed since. Also a list of tags, or
    /// `*`.
    #[param(rename = "If-Match", nullable = false, example = "\"1-5f5e100-1\"")]
    if_match: Option<String>,
}

/// `If-None-Match` as the OpenAPI document describes it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header that is read by hand")]
pub(crate) struct IfNoneMatchHeader {
    /// The `ETag` of the user as you know it; the answer is 304, without the user, if that is still so.
    #[param(rename = "If-None-Match", nullable = false, example = "\"1-5f5e100-1\"")]
    if_none_match: Option<String>,
}

impl IfMatch {
    /// What the change is to depend on. `*` asks for any state, and the change itself finds out whether there is one.
    pub(crate) fn into_precondition(self) -> Precondition {
        match self.0 {
            None | Some(TagList::Any) => Precondition::None,
            Some(TagList::Tags(tags)) => Precondition::OneOf(tags.iter().filter_map(SentTag::revision).collect()),
        }
    }
}

impl FromHeaders for IfMatch {
    fn read(request: &HttpRequest, _: &Bytes) -> Result<Self, Problem> {
        tag_list(request, &IF_MATCH).map(Self)
    }

    fn check_presence(&self, state: &AppState) -> Result<(), Problem> {
        if self.0.is_none() && state.options().require_if_match {
            return Err(Problem::new(
                Code::PreconditionRequired,
                "Send If-Match with the ETag of the user as you know it",
            ));
        }
        Ok(())
    }
}

impl FromHeaders for IfNoneMatch {
    fn read(request: &HttpRequest, _: &Bytes) -> Result<Self, Problem> {
        tag_list(request, &IF_NONE_MATCH).map(Self)
    }
}

fn tag_list(request: &HttpRequest, name: &HeaderName) -> Result<Option<TagList>, Problem> {
    TagList::parse(request.headers().get_all(name)).map_err(|_| {
        let detail = if *name == IF_MATCH {
            "If-Match must be * or a list of at most 100 entity tags, each in double quotes"
        } else {
            "If-None-Match must be * or a list of at most 100 entity tags, each in double quotes"
        };
        Problem::new(Code::MalformedRequest, detail)
    })
}
