//! What each kind of problem means to a caller, and what can be done about it: the text of the pages at `/problems`.

use serde::Serialize;

use super::Code;

/// A kind of problem, explained. Plain text without markup.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Explanation {
    /// What has happened.
    pub(crate) meaning: &'static str,
    /// What the caller can do.
    pub(crate) remedy: &'static str,
    /// Whether the same request may be sent again.
    pub(crate) retry: Retry,
}

/// Whether the same request, unchanged, may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Retry {
    /// It would fail in the same way.
    Never,
    /// After a pause: as long as `Retry-After` says where it is sent, else longer each time.
    Later,
    /// It may have taken effect, so that it must not simply be sent again.
    WithCare,
}

impl Retry {
    /// The advice as a sentence.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Never => "No. Unchanged, it would most likely fail in the same way.",
            Self::Later => {
                "Yes, after a pause: as long as the Retry-After header says, or else a little longer each time."
            }
            Self::WithCare => "With care. The request may have taken effect, although this answer does not say so.",
        }
    }
}

impl Code {
    /// What the code means, and what a caller can do.
    #[expect(clippy::too_many_lines, reason = "it is text, and the place for it")]
    pub(crate) const fn explanation(self) -> Explanation {
        use Retry::{Later, Never, WithCare};
        let (meaning, remedy, retry) = match self {
            Self::MalformedRequest => (
                "The request cannot be read: the body is not JSON, is not a JSON object, is CSV without its header line or \
                 ends too early, a header has a wrong form, or the path is not percent-encoded UTF-8.",
                "Read the detail, which says where the fault is, and correct how the request is written.",
                Never,
            ),
            Self::NoFieldsToUpdate => (
                "A PATCH names no field, so there is nothing to change.",
                "Send at least one of the fields that the operation takes.",
                Never,
            ),
            Self::InvalidCursor => (
                "The cursor was not issued by this service, was altered, or was issued for a list with another filter.",
                "Take next_cursor from the last answer as it is, keep the filter, or start again with an empty cursor.",
                Never,
            ),
            Self::Unauthenticated => (
                "The request carries no token, or one that has expired or is not accepted.",
                "Get a token, and send it as Authorization: Bearer. The WWW-Authenticate header says what is wrong with \
                 the one that was sent.",
                Never,
            ),
            Self::Forbidden => (
                "The token is valid and does not permit this operation; or the console was asked for in a way in which it is \
                 not shown.",
                "Ask whoever issues tokens for the scope that the detail names. Open the console by an address or as \
                 localhost.",
                Never,
            ),
            Self::NotFound => (
                "There is no such user, or no such path.",
                "Check the id or the path. A user that was deleted does not come back.",
                Never,
            ),
            Self::MethodNotAllowed => (
                "The path exists, and does not take this method.",
                "Use one of the methods that the Allow header lists.",
                Never,
            ),
            Self::NotAcceptable => (
                "The Accept header admits none of the media types in which the answer can be written.",
                "Ask for one of the media types that the detail names, or leave the Accept header out.",
                Never,
            ),
            Self::RequestTimeout => (
                "The body of the request stopped coming, and the service did not wait any longer.",
                "Send the whole body without long pauses. If that was the case, look at the network in between. An import can be \
                 sent again as it was: the users that it created are then rejected as taken, and the others created.",
                Later,
            ),
            Self::EmailTaken => (
                "A user with this e-mail address exists already, or the address stands in the batch more than once.",
                "Choose another address, or change the user that has this one. For a batch, the errors list every \
                 address that is not free.",
                Never,
            ),
            Self::IdempotencyInProgress => (
                "The first request with this Idempotency-Key is still being worked on.",
                "Send the same request with the same key again. You will get the answer to the first, or, if that failed, the request is done then.",
                Later,
            ),
            Self::PreconditionFailed => (
                "The user has been changed since you read it: its ETag is not the one in If-Match.",
                "Read the user again, with Cache-Control: no-cache so that no replica answers that lags behind; apply your \
                 change to what it is now, and send that with the new ETag.",
                Never,
            ),
            Self::PayloadTooLarge => (
                "The body of the request is larger than the service accepts.",
                "Send less at once, for example several batches in place of one. The detail names the limit.",
                Never,
            ),
            Self::UnsupportedMediaType => (
                "The body is of a type that this operation does not read, or is compressed.",
                "Send the Content-Type that the detail names, and no Content-Encoding.",
                Never,
            ),
            Self::ValidationFailed => (
                "The request can be read, and some of its values are not acceptable.",
                "Correct what the errors list. They are complete: each names the place, what is wrong, and what is \
                 accepted.",
                Never,
            ),
            Self::IdempotencyKeyReused => (
                "The Idempotency-Key has been used for another request.",
                "Make a new key for each new request. Repeat a key only with exactly the same request.",
                Never,
            ),
            Self::PreconditionRequired => (
                "Changes must say which state of the user they are based on.",
                "Read the user, and send its ETag in If-Match.",
                Never,
            ),
            Self::RateLimited => (
                "You have sent more requests than your share.",
                "Send fewer requests. The RateLimit and RateLimit-Policy headers say how many are left, and how many \
                 there are in what time.",
                Later,
            ),
            Self::Internal => (
                "The service has a defect. The request is not at fault.",
                "Report the request id to whoever runs the service: the cause is in its log under this id.",
                Never,
            ),
            Self::Overloaded => (
                "This instance of the service works on as many requests as it can.",
                "Wait, and send fewer requests at the same time.",
                Later,
            ),
            Self::DatabaseUnavailable => (
                "The service cannot reach its database, lost it in the middle of the request, or the database is too busy.",
                "Wait, and send the request again. A create may have taken effect, if the connection broke just then: repeat \
                 it with the Idempotency-Key that it was first sent with, or look first whether the user exists. If it lasts, \
                 tell whoever runs the service.",
                WithCare,
            ),
            Self::ShuttingDown => (
                "This instance of the service is about to end. Nothing was changed.",
                "Send the request again over a new connection, which will lead to another instance.",
                Later,
            ),
            Self::DeadlineExceeded => (
                "The request took longer than it may, and was given up.",
                "A reading, a change or a deletion can be sent again. A create may have taken effect: repeat it with the \
                 Idempotency-Key that it was first sent with, or look first whether the user exists.",
                WithCare,
            ),
        };
        Explanation { meaning, remedy, retry }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_problem_is_explained_in_plain_sentences() {
        for code in Code::ALL {
            let Explanation { meaning, remedy, retry } = code.explanation();
            for text in [meaning, remedy, retry.sentence()] {
                assert!(text.len() > 20 && text.ends_with('.'), "{code:?}: {text}");
                assert!(
                    !text.contains(['<', '>', '&', '"']) && !text.contains("  "),
                    "{code:?}: {text}"
                );
            }
            assert!(!code.title().contains(['<', '>', '&', '"']));
        }
    }

    #[test]
    fn only_what_passes_by_itself_may_be_sent_again_unchanged() {
        for code in Code::ALL {
            let expected = match code.status().as_u16() {
                504 => Retry::WithCare,
                _ if code == Code::DatabaseUnavailable => Retry::WithCare,
                408 | 429 | 503 => Retry::Later,
                _ if code == Code::IdempotencyInProgress => Retry::Later,
                _ => Retry::Never,
            };
            assert_eq!(code.explanation().retry, expected, "{code:?}");
        }
    }
}
