//! What every request handler shares, built once.

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest,
    web::{Bytes, Data},
};
use service::{HealthService, UserService};

use crate::{
    Lifecycle,
    cursor_seal::CursorSeal,
    metrics::{Metrics, Sources},
    openapi,
    problem::Problem,
    route_table::RouteTable,
};

/// How the API behaves: a plain struct, filled by whoever composes the program.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// The title of the OpenAPI document.
    pub title: String,
    /// Whether Swagger UI is served at `/docs`.
    pub docs: bool,
    /// Whether metrics are served at `/metrics`; not where they have a listener of their own.
    pub metrics: bool,
    /// The largest body, in bytes.
    pub body_limit_bytes: usize,
    /// The longest silence of a client in the middle of a body.
    pub client_timeout: Duration,
    /// The longest time from the head of a request to the head of its answer.
    pub request_timeout: Duration,
    /// What the keys of the service are derived from. Instances that share it accept each other's cursors.
    pub secret_key: Option<Vec<u8>>,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            title: "Async Starter API".to_owned(),
            docs: true,
            metrics: true,
            body_limit_bytes: 1024 * 1024,
            client_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            secret_key: None,
        }
    }
}

/// The application cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A defect of this crate.
    #[error("cannot write the OpenAPI document")]
    OpenApi(#[from] serde_json::Error),
}

/// The shared state. Cloning it copies pointers.
#[derive(Clone, Debug)]
pub struct AppState {
    shared: Arc<Shared>,
    routes: Arc<RouteTable>,
}

#[derive(Debug)]
struct Shared {
    users: UserService,
    health: HealthService,
    options: ApiOptions,
    lifecycle: Lifecycle,
    cursor_seal: CursorSeal,
    metrics: Metrics,
    openapi_json: Bytes,
}

impl AppState {
    /// The state of an application over these use cases.
    ///
    /// # Errors
    /// Whatever [`StateError`] names.
    pub fn new(
        users: UserService,
        health: HealthService,
        options: ApiOptions,
        lifecycle: Lifecycle,
    ) -> Result<Self, StateError> {
        let document = openapi::document(&options.title);
        let openapi_json = Bytes::from(document.to_pretty_json()?);
        let routes = Arc::new(RouteTable::new(&document, options.docs, options.metrics));
        let cursor_seal = CursorSeal::new(options.secret_key.as_deref());
        let metrics = Metrics::new(Sources {
            counters: users.counters().clone(),
            health: health.clone(),
            lifecycle: lifecycle.clone(),
        });
        let shared = Arc::new(Shared {
            users,
            health,
            options,
            lifecycle,
            cursor_seal,
            metrics,
            openapi_json,
        });
        Ok(Self { shared, routes })
    }

    /// The same state for a listener that serves metrics and nothing else.
    pub(crate) fn for_metrics_listener(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            routes: Arc::new(RouteTable::metrics_alone()),
        }
    }

    /// The state of the application that `request` came to.
    pub(crate) fn of(request: &HttpRequest) -> Result<&Self, Problem> {
        let state = request.app_data::<Data<Self>>().map(Data::get_ref);
        state.ok_or_else(|| Problem::internal("the application was built without its state"))
    }

    pub(crate) fn users(&self) -> &UserService {
        &self.shared.users
    }

    pub(crate) fn health(&self) -> &HealthService {
        &self.shared.health
    }

    pub(crate) fn options(&self) -> &ApiOptions {
        &self.shared.options
    }

    pub(crate) fn lifecycle(&self) -> &Lifecycle {
        &self.shared.lifecycle
    }

    pub(crate) fn cursor_seal(&self) -> &CursorSeal {
        &self.shared.cursor_seal
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    pub(crate) fn routes(&self) -> &RouteTable {
        &self.routes
    }

    pub(crate) fn openapi_json(&self) -> Bytes {
        self.shared.openapi_json.clone()
    }
}
