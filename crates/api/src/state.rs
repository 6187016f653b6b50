//! What every request handler shares, built once.

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest,
    web::{Bytes, Data},
};
use secrecy::{ExposeSecret, SecretString};
use service::{HealthService, UserService};
use tokio::sync::Semaphore;

use crate::{
    AuthError, AuthOptions, Console, CrossOrigin, Lifecycle,
    auth::Authenticator,
    cursor_seal::CursorSeal,
    metrics::{Metrics, Sources},
    openapi,
    problem::Problem,
    rate_limit::{InvalidStoreUrl, RateLimitCounters, RateLimitOptions, RateLimiter},
    route_table::{RouteTable, Undescribed},
};

/// How the API behaves: a plain struct, filled by whoever composes the program.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// The title of the OpenAPI document.
    pub title: String,
    /// Whether Swagger UI is served at `/docs`.
    pub docs: bool,
    /// What is shown at `/console`; nothing is where there is none. It learns of requests once its layer is part of the
    /// subscriber of `tracing`.
    pub console: Option<Console>,
    /// The most requests to the API that are worked on at once; 1 or more. Any more are refused at once.
    pub max_in_flight: usize,
    /// Whether metrics are served at `/metrics`; not where they have a listener of their own.
    pub metrics: bool,
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
    pub secret_key: Option<SecretString>,
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
            console: None,
            max_in_flight: 1024,
            metrics: true,
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
    places: Arc<Semaphore>,
    authenticator: Authenticator,
    rate_limiter: Option<RateLimiter>,
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
        let undescribed = Undescribed {
            docs: options.docs,
            metrics: options.metrics,
            console: options.console.is_some(),
        };
        let routes = Arc::new(RouteTable::new(&document, undescribed));
        if let Some(console) = &options.console {
            console.attend(&health);
        }
        let secret_key = options.secret_key.as_ref().map(|key| key.expose_secret().as_bytes());
        let rate_limiter = options.rate_limit.clone().map(RateLimiter::new).transpose()?;
        let metrics = Metrics::new(Sources {
            counters: users.counters().clone(),
            health: health.clone(),
            lifecycle: lifecycle.clone(),
            rate_limit: rate_limiter
                .as_ref()
                .map(RateLimiter::counters)
                .cloned()
                .unwrap_or_default(),
        });
        let shared = Shared {
            places: Arc::new(Semaphore::new(options.max_in_flight.clamp(1, Semaphore::MAX_PERMITS))),
            authenticator: Authenticator::new(&options.auth, secret_key)?,
            cursor_seal: CursorSeal::new(secret_key),
            users,
            health,
            lifecycle,
            rate_limiter,
            metrics,
            openapi_json,
            options,
        };
        Ok(Self {
            shared: Arc::new(shared),
            routes,
        })
    }

    /// The same state for a listener that serves metrics and nothing else.
    pub(crate) fn for_metrics_listener(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            routes: Arc::new(RouteTable::metrics_alone()),
        }
    }

    /// What the rate limit did; nothing where there is none.
    #[must_use]
    pub fn rate_limit_counters(&self) -> Option<&RateLimitCounters> {
        self.rate_limiter().map(RateLimiter::counters)
    }

    // ANCHOR: of
    /// The state of the application that `request` came to.
    pub(crate) fn of(request: &HttpRequest) -> Result<&Self, Problem> {
        let state = request.app_data::<Data<Self>>().map(Data::get_ref);
        state.ok_or_else(|| Problem::internal("the application was built without its state"))
    }
    // ANCHOR_END: of

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

    pub(crate) fn authenticator(&self) -> &Authenticator {
        &self.shared.authenticator
    }

    /// A place for each request to the API that may be worked on at once.
    pub(crate) fn places(&self) -> &Arc<Semaphore> {
        &self.shared.places
    }

    pub(crate) fn cursor_seal(&self) -> &CursorSeal {
        &self.shared.cursor_seal
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    pub(crate) fn rate_limiter(&self) -> Option<&RateLimiter> {
        self.shared.rate_limiter.as_ref()
    }

    pub(crate) fn routes(&self) -> &RouteTable {
        &self.routes
    }

    pub(crate) fn openapi_json(&self) -> Bytes {
        self.shared.openapi_json.clone()
    }
}
