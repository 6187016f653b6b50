//! Whether the process lives, and whether it should get requests.

use actix_web::{HttpResponse, get, web::Data};
use domain::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::AppState;

/// The health of the service as a whole.
#[derive(Debug, Serialize, ToSchema)]
struct HealthReport {
    /// Whether the service can do its work.
    status: HealthStatus,
    /// When this was found, RFC 3339 in UTC.
    #[schema(format = DateTime, example = "2026-11-23T03:05:13.123456Z")]
    timestamp: String,
    /// Whether the database answers.
    database: DatabaseStatus,
    /// The version of the service.
    #[schema(example = "0.1.0")]
    version: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum HealthStatus {
    Healthy,
    Unhealthy,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DatabaseStatus {
    Connected,
    Disconnected,
}

/// The process runs.
#[derive(Debug, Serialize, ToSchema)]
struct LiveReport {
    /// Always `alive`.
    #[schema(example = "alive")]
    status: &'static str,
}

/// Whether the instance should get requests.
#[derive(Debug, Serialize, ToSchema)]
struct ReadyReport {
    /// The outcome.
    status: ReadyStatus,
    /// What it follows from.
    checks: ReadyChecks,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ReadyStatus {
    Ready,
    NotReady,
}

/// What readiness follows from.
#[derive(Debug, Serialize, ToSchema)]
struct ReadyChecks {
    /// Whether the database answers.
    database: CheckStatus,
    /// Whether the database answers and no migration is pending.
    migrations: CheckStatus,
    /// Whether no shutdown has begun.
    shutdown: CheckStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CheckStatus {
    Ok,
    Failed,
}

impl From<bool> for CheckStatus {
    fn from(passed: bool) -> Self {
        if passed { Self::Ok } else { Self::Failed }
    }
}

/// Health of the service
///
/// Asks the database for a sign of life, at most twice a second, and waits two seconds for it.
#[utoipa::path(
    tag = "health",
    operation_id = "health",
    responses(
        (status = 200, description = "The service can do its work", body = HealthReport),
        (status = 503, description = "The database does not answer", body = HealthReport),
    )
)]
#[get("/health")]
async fn health(state: Data<AppState>) -> HttpResponse {
    let is_connected = state.health().check().await.database_connected;
    let (mut response, status, database) = if is_connected {
        (HttpResponse::Ok(), HealthStatus::Healthy, DatabaseStatus::Connected)
    } else {
        (
            HttpResponse::ServiceUnavailable(),
            HealthStatus::Unhealthy,
            DatabaseStatus::Disconnected,
        )
    };
    let timestamp = Timestamp::now().to_string();
    response.json(HealthReport {
        status,
        timestamp,
        database,
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Liveness
///
/// Answers while the process runs, whatever the database does: restarting the process would not mend a database.
#[utoipa::path(
    tag = "health",
    operation_id = "health_live",
    responses((status = 200, description = "The process runs", body = LiveReport))
)]
#[get("/health/live")]
async fn live() -> HttpResponse {
    HttpResponse::Ok().json(LiveReport { status: "alive" })
}

/// Readiness
///
/// Tells load balancers whether to send requests here: the database answers, no migration is pending and no shutdown has
/// begun.
#[utoipa::path(
    tag = "health",
    operation_id = "health_ready",
    responses(
        (status = 200, description = "Send requests", body = ReadyReport),
        (status = 503, description = "Send no requests", body = ReadyReport),
    )
)]
#[get("/health/ready")]
async fn ready(state: Data<AppState>) -> HttpResponse {
    let found = state.health().check().await;
    let checks = ReadyChecks {
        database: found.database_connected.into(),
        migrations: found.migrations_applied.into(),
        shutdown: (!state.lifecycle().is_draining()).into(),
    };
    if [checks.database, checks.migrations, checks.shutdown].contains(&CheckStatus::Failed) {
        HttpResponse::ServiceUnavailable().json(ReadyReport {
            status: ReadyStatus::NotReady,
            checks,
        })
    } else {
        HttpResponse::Ok().json(ReadyReport {
            status: ReadyStatus::Ready,
            checks,
        })
    }
}

/// Registers the operations of this module.
pub(crate) fn configure(config: &mut utoipa_actix_web::service_config::ServiceConfig<'_>) {
    config.service(health).service(live).service(ready);
}
