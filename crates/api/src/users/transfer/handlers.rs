//! The operations that move many users.

use actix_web::{
    HttpRequest, get, post,
    web::{Data, Json},
};
use service::Freshness;

use super::{
    TransferFormat,
    download::Download,
    report::ImportReport,
    upload::{Upload, receive},
};
use crate::{AppState, extract::Input, freshness::CacheControlHeader, openapi::problems, problem::Problem};

problems!(ImportProblems: MalformedRequest, RequestTimeout, UnsupportedMediaType);
problems!(ExportProblems: NotAcceptable);

/// Import users
///
/// Any number of them, from a stream: each line is a user, read by the rules for creating one. A line that cannot be read,
/// and one whose address exists or stands on an earlier line, is reported and skipped; the others are created, up to 1000 in
/// a transaction. `line` is the physical line on which the user begins, from 1; the header of CSV is line 1. Blank lines are
/// passed over. A line may have 65 536 bytes; with CSV, line breaks between quotes belong to the line. The header of CSV
/// must be `name,email`, spelled like this, or nothing is read (400).
///
/// There is no limit of time as long as the body keeps coming. When an import ends early, the chunks before are kept, and
/// the detail of the problem counts them. Send the same import again to go on, without an `Idempotency-Key`, which is not
/// looked at: the address decides, so whoever was created is rejected as `email_taken`, and nobody is created twice.
#[utoipa::path(
    tag = "users",
    operation_id = "users_import",
    request_body(content(
        (
            String = "application/x-ndjson",
            example = "{\"name\":\"田中太郎\",\"email\":\"tanaka@example.com\"}\n{\"name\":\"Ann\",\"email\":\"ann@example.com\"}\n",
        ),
        (String = "text/csv", example = "name,email\n田中太郎,tanaka@example.com\n\"Lee, Ann\",ann@example.com\n"),
    )),
    responses((status = 200, description = "What became of the lines", body = ImportReport), ImportProblems)
)]
#[post("/users/import")]
pub(in crate::users) async fn import_users(
    state: Data<AppState>,
    upload: Upload,
) -> Result<Json<ImportReport>, Problem> {
    let report = receive(state.users(), upload, &state).await?;
    Ok(Json(report.into()))
}

/// Export users
///
/// All of them, newest first, as a stream: a JSON object to a line, or CSV where `Accept` prefers `text/csv`. Users that are
/// created or deleted meanwhile may be in it or not; nobody is in it twice. When the database fails in the middle, the
/// connection is cut, so that an incomplete answer can be told from a complete one.
#[utoipa::path(
    tag = "users",
    operation_id = "users_export",
    params(CacheControlHeader),
    responses(
        (
            status = 200,
            description = "The users",
            content(
                (
                    String = "application/x-ndjson",
                    example = "{\"id\":1,\"name\":\"田中太郎\",\"email\":\"tanaka@example.com\",\"created_at\":\"2026-11-23T03:05:13.123456Z\",\"updated_at\":\"2026-11-23T03:05:13.123456Z\"}\n",
                ),
                (
                    String = "text/csv; charset=utf-8",
                    example = "id,name,email,created_at,updated_at\r\n1,田中太郎,tanaka@example.com,2026-11-23T03:05:13.123456Z,2026-11-23T03:05:13.123456Z\r\n",
                ),
            ),
            headers(("Content-Disposition" = String, description = "A name for the file")),
        ),
        ExportProblems,
    )
)]
#[get("/users/export")]
pub(in crate::users) async fn export_users(
    state: Data<AppState>,
    request: HttpRequest,
    input: Input<(), (), (), (TransferFormat, Freshness)>,
) -> Result<Download, Problem> {
    Download::begin(state.users(), input.headers, &request).await
}
