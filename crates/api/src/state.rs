//! What every request handler shares, built once.

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest,
    web::{Bytes, Data},
};
use service::{HealthService, UserService};
use tokio::sync::Semaphore;

use crate::{
    AuthError, AuthOptions, CrossOrigin, Lifecycle,
    auth::Authenticator,
    cursor_seal::CursorSeal,
    openapi,
    problem::Problem,
    rate_limit::{InvalidStoreUrl, RateLimitCounters, RateLimitOptions, RateLimiter},
    route_table::RouteTable,
};

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
    /// Whether a change is refused that does not say by `If-Match` which state it is based on.
    pub require_if_match: bool,
    /// What signs tokens without a JWKS file, and what the keys of the service are derived from. Instances that share it
    /// accept each other's cursors.
    pub secret_key: Option<Vec<u8>>,
    /// Who may use the API.
    pub auth: AuthOptions,
    /// How requests are limited; not at all where there is nothing.
    pub rate_limit: Option<RateLimitOptions>,
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
            require_if_match: false,
            cross_origin: CrossOrigin::Nobody,
            secret_key: None,
            auth: AuthOptions::None,
            rate_limit: None,
        }
    }
}

/// The application cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A defect of this crate.
    #[error("cannot write the OpenAPI document")]
    OpenApi(#[from] serde_json::Error),
    /// Tokens are asked for, and cannot be checked.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// An option that cannot be.
    #[error("cannot set up the rate limit")]
    RateLimit(#[from] InvalidStoreUrl),
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
    authenticator: Authenticator,
    places: Semaphore,
    cursor_seal: CursorSeal,
    rate_limiter: Option<RateLimiter>,
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
        let authenticator = Authenticator::new(&options.auth, options.secret_key.as_deref())?;
        let places = Semaphore::new(options.max_in_flight.clamp(1, Semaphore::MAX_PERMITS));
        let cursor_seal = CursorSeal::new(options.secret_key.as_deref());
        let rate_limiter = options.rate_limit.clone().map(RateLimiter::new).transpose()?;
        Ok(Self(Arc::new(Shared {
            users,
            health,
            options,
            lifecycle,
            authenticator,
    }

            places,
            cursor_seal,
            rate_limiter,
            routes,
            openapi_json,
        })))
    }

    /// What the rate limit did; nothing where there is none.
    #[must_use]
    pub fn rate_limit_counters(&self) -> Option<&RateLimitCounters> {
        self.rate_limiter().map(RateLimiter::counters)
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

    pub(crate) fn authenticator(&self) -> &Authenticator {
        &self.0.authenticator
    }

    /// A place for each request to the API that may be worked on at once.
    pub(crate) fn places(&self) -> &Semaphore {
        &self.0.places
    }

    pub(crate) fn cursor_seal(&self) -> &CursorSeal {
        &self.0.cursor_seal
    }

    pub(crate) fn rate_limiter(&self) -> Option<&RateLimiter> {
        self.0.rate_limiter.as_ref()
    }

    pub(crate) fn routes(&self) -> &RouteTable {
        &self.0.routes
    }

    pub(crate) fn openapi_json(&self) -> Bytes {
        self.0.openapi_json.clone()
    }
}
