//! What every request handler shares, built once.

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest,
    web::{Bytes, Data},
};
use service::{HealthService, UserService};
use tokio::sync::Semaphore;

use crate::{CrossOrigin, Lifecycle, cursor_seal::CursorSeal, openapi, problem::Problem, route_table::RouteTable};

/// How the API behaves: a plain struct, filled by whoever composes the program.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// The title of the OpenAPI document.
    pub title: String,
    /// Whether Swagger UI is served at `/docs`.
    pub docs: bool,
    /// The most requests to the API that are worked on at once; 1 or more. Any more are refused at once.
    pub max_in_flight: usize,
    /// The largest body, in bytes.
    pub body_limit_bytes: usize,
    /// The longest silence of a client in the middle of a body.
    pub client_timeout: Duration,
    /// The longest time from the head of a request to the head of its answer.
    pub request_timeout: Duration,
    /// Which pages of other origins may call the service.
    pub cross_origin: CrossOrigin,
    /// What the keys of the service are derived from. Instances that share it accept each other's cursors.
    pub secret_key: Option<Vec<u8>>,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            title: "Async Starter API".to_owned(),
            docs: true,
            max_in_flight: 1024,
            body_limit_bytes: 1024 * 1024,
            client_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            cross_origin: CrossOrigin::Nobody,
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

/// The shared state. Cloning it copies a pointer.
#[derive(Clone, Debug)]
pub struct AppState(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    users: UserService,
    health: HealthService,
    options: ApiOptions,
    lifecycle: Lifecycle,
    places: Semaphore,
    cursor_seal: CursorSeal,
    routes: RouteTable,
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
        let routes = RouteTable::new(&document, options.docs);
        let places = Semaphore::new(options.max_in_flight.clamp(1, Semaphore::MAX_PERMITS));
        let cursor_seal = CursorSeal::new(options.secret_key.as_deref());
        Ok(Self(Arc::new(Shared {
            users,
            health,
            options,
            lifecycle,
            places,
            cursor_seal,
            routes,
            openapi_json,
        })))
    }

    /// The state of the application that `request` came to.
    pub(crate) fn of(request: &HttpRequest) -> Result<&Self, Problem> {
        let state = request.app_data::<Data<Self>>().map(Data::get_ref);
        state.ok_or_else(|| Problem::internal("the application was built without its state"))
    }

    pub(crate) fn users(&self) -> &UserService {
        &self.0.users
    }

    pub(crate) fn health(&self) -> &HealthService {
        &self.0.health
    }

    pub(crate) fn options(&self) -> &ApiOptions {
        &self.0.options
    }

    pub(crate) fn lifecycle(&self) -> &Lifecycle {
        &self.0.lifecycle
    }

    /// A place for each request to the API that may be worked on at once.
    pub(crate) fn places(&self) -> &Semaphore {
        &self.0.places
    }

    pub(crate) fn cursor_seal(&self) -> &CursorSeal {
        &self.0.cursor_seal
    }

    pub(crate) fn routes(&self) -> &RouteTable {
        &self.0.routes
    }

    pub(crate) fn openapi_json(&self) -> Bytes {
        self.0.openapi_json.clone()
    }
}
