//! The HTTP API: routes, strict parsing, problem details, OpenAPI and Swagger UI, on actix-web.
//!
//! [`build_app`] is the whole application, for the server and for every test alike. A request passes the middleware
//! (what every answer owes its caller), an extractor (`extract`: parsing and validation), a handler of at most a dozen
//! lines, and a responder (`respond`). Whatever goes wrong on the way becomes one [`Problem`].
//!
//! What must never be imported here: the persistence layer, SQL. A use case is called, never written.

mod accept;
mod app;
mod auth;
mod conditional;
mod connection;
mod console;
mod cors;
mod created;
mod cursor_seal;
mod derived_key;
mod digest;
mod docs;
mod etag;
mod extract;
mod freshness;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod idempotency;
mod json;
mod lifecycle;
mod metrics;
mod middleware;
mod openapi;
#[cfg(feature = "otel")]
mod otel;
mod problem;
mod problem_pages;
mod query;
mod rate_limit;
mod respond;
mod route_table;
mod state;
mod trace_context;
mod users;

pub use app::{build_app, build_metrics_app};
pub use auth::{
    AuthError, AuthOptions, DevelopmentToken, JwksError, JwtOptions, LONGEST_SUBJECT_CHARS, SHORTEST_SECRET_KEY_BYTES,
};
pub use connection::Connection;
pub use console::Console;
pub use cors::CrossOrigin;
pub use lifecycle::Lifecycle;
pub use openapi::document as openapi_document;
pub use problem::{Code, Fault, FaultCode, Problem, error_chain};
pub use rate_limit::{InvalidStoreUrl, Quota, RateLimitCounters, RateLimitOptions, RateLimitStore};
pub use state::{ApiOptions, AppState, StateError};
pub use users::transfer::{InvalidHeader, LineCode, LineFault, Row, RowReader, TransferFormat, UserWriter};
