//! The body of an import, taken in piece by piece.

use std::{
    future::{Ready, ready},
    time::Duration,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use service::{Import, ImportProgress, ImportReport, ImportStopped, UserService};

use super::{LineFault, RowReader, TransferFormat};
use crate::{
    AppState,
    extract::{check_media_type, next_piece},
    problem::{Code, Problem},
    query::QueryReader,
};

/// A body with users, of which nothing has been read yet.
pub(super) struct Upload {
    format: TransferFormat,
    payload: Payload,
}

impl FromRequest for Upload {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let upload = read_head(request).map(|format| Self {
            format,
            payload: payload.take(),
        });
        ready(upload.map_err(actix_web::Error::from))
    }
}

/// What the head of the request says of the body.
fn read_head(request: &HttpRequest) -> Result<TransferFormat, Problem> {
    let media_type = check_media_type(request, TransferFormat::media_types().into_iter())?;
    let mut faults = Vec::new();
    QueryReader::new(request.query_string(), &mut faults).finish();
    if !faults.is_empty() {
        return Err(Problem::validation(faults));
    }
    TransferFormat::of_media_type(media_type)
        .ok_or_else(|| Problem::internal("a media type is offered and belongs to no form"))
}

/// Takes in all users of a body. A client that keeps silent for `patience` is given up.
///
/// Dropping the future keeps what whole chunks have created. A problem tells how many users were created before it.
pub(super) async fn receive(
    users: &UserService,
    upload: Upload,
    state: &AppState,
) -> Result<ImportReport<LineFault>, Problem> {
    // ANCHOR: receive
    let Upload { format, mut payload } = upload;
    let (mut import, mut reader) = (users.import(), RowReader::new(format));
    let patience: Duration = state.options().client_timeout;
    loop {
        let has_ended = match next_piece(&mut payload, patience).await {
            Ok(Some(piece)) => {
                reader.push(piece);
                false
            }
            Ok(None) => {
                reader.end();
                true
            }
            Err(fault) => {
                let problem = fault.into_problem(state.options().body_limit_bytes);
                return Err(problem.with_remark(&remark(stop(import).await?)));
            }
        };
        let invalid_header = |fault: super::InvalidHeader| Problem::new(Code::MalformedRequest, fault.to_string());
        while let Some(row) = reader.next_row().map_err(invalid_header)? {
            import.add(row.line, row.user).await?;
        }
        if has_ended {
            return Ok(import.finish().await?);
        }
    }
    // ANCHOR_END: receive
}

async fn stop(import: Import<LineFault>) -> Result<ImportProgress, Problem> {
    Ok(import.stop().await?.progress)
}

/// What a caller has to know whose import ended early.
fn remark(progress: ImportProgress) -> String {
    let ImportProgress { received, created, .. } = progress;
    format!(
        "Of the first {received} users at least {created} were created and are kept; send the same import again to go on: \
         they will be rejected as taken."
    )
}

impl From<ImportStopped> for Problem {
    fn from(stopped: ImportStopped) -> Self {
        Self::from(stopped.cause).with_remark(&remark(stopped.progress))
    }
}
