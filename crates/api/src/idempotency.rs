//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that may be sent again without harm.

use actix_web::{HttpRequest, http::header::HeaderName, web::Bytes};
use service::IdempotentRequest;
use utoipa::IntoParams;

use crate::{
    digest::sha256_of_parts,
    extract::FromHeaders,
    middleware::RequestNotes,
    problem::{Code, Problem},
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// `Idempotency-Key` as the OpenAPI document describes it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header that is read by hand")]
pub(crate) struct IdempotencyKeyHeader {
    /// A key of your choice, such as a UUID, new for each thing to be created. Sending the same request again with the same
    /// key creates nothing more and gives the first answer again.
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$",
        example = "0193fd2a-6f0e-7c3b-9d53-0b6a3f1e2c4d"
    )]
    idempotency_key: Option<String>,
}

/// The key of a request together with what the request is; nothing where no key was sent.
impl FromHeaders for Option<IdempotentRequest> {
    fn read(request: &HttpRequest, body: &Bytes) -> Result<Self, Problem> {
        let mut keys = request.headers().get_all(IDEMPOTENCY_KEY);
        let (Some(key), another) = (keys.next(), keys.next()) else {
            return Ok(None);
        };
        let key = key.as_bytes();
        let is_key = (1..=MAX_KEY_BYTES).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
        if !is_key || another.is_some() {
            return Err(Problem::new(
                Code::MalformedRequest,
                "Idempotency-Key must be given once, with 1 to 255 visible ASCII characters",
            ));
        }
        let principal = RequestNotes::of(request).and_then(|notes| notes.principal());
        let (issuer, subject) = match &principal {
            Some(principal) => (principal.issuer().unwrap_or_default(), principal.subject()),
            None => ("", ""),
        };
        Ok(Some(IdempotentRequest {
            key: sha256_of_parts(&[issuer.as_bytes(), subject.as_bytes(), key]),
            fingerprint: sha256_of_parts(&[request.method().as_str().as_bytes(), request.path().as_bytes(), body]),
        }))
    }
}
