//! The whole application, as the server runs it and as tests do.

use actix_web::{
    App, Error, HttpResponse,
    body::BoxBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    middleware::from_fn,
    web::{self, Data},
};
use utoipa_actix_web::AppExt;

use crate::{
    AppState, console, docs, health, metrics,
    middleware::{admission, edge},
    problem::Problem,
    problem_pages, users,
};

/// Builds the application over `state`. actix-web calls this once for every worker thread.
pub fn build_app(
    state: AppState,
) -> App<
    impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()>,
> {
    let (with_docs, with_metrics) = (state.options().docs, state.options().metrics);
    let console = state.options().console.clone();
    // ANCHOR: build-app
    App::new()
        .app_data(Data::new(state))
        .into_utoipa_app()
        .configure(users::configure)
        .configure(health::configure)
        .into_app()
        .configure(problem_pages::configure)
        .configure(|config| docs::configure(config, with_docs))
        .configure(|config| console::configure(config, console.as_ref()))
        .configure(|config| {
            if with_metrics {
                metrics::configure(config);
            }
        })
        // Admission stops unknown paths. What it knows and the router does not, such as an escaped slash, ends here.
        .default_service(web::to(no_such_path))
        .wrap(from_fn(admission))
        // The last is the outermost.
        .wrap(from_fn(edge))
    // ANCHOR_END: build-app
}

/// Builds the application of a listener that serves metrics and nothing else, over the same `state`.
pub fn build_metrics_app(
    state: AppState,
) -> App<
    impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()>,
> {
    App::new()
        .app_data(Data::new(state.for_metrics_listener()))
        .configure(metrics::configure)
        .default_service(web::to(no_such_path))
        .wrap(from_fn(admission))
        .wrap(from_fn(edge))
}

async fn no_such_path() -> Result<HttpResponse, Problem> {
    Err(Problem::no_such_path())
}
