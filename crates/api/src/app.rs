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
    AppState, docs, health,
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
    let with_docs = state.options().docs;
    App::new()
        .app_data(Data::new(state))
        .into_utoipa_app()
        .configure(users::configure)
        .configure(health::configure)
        .into_app()
        .configure(problem_pages::configure)
        .configure(|config| docs::configure(config, with_docs))
        // Admission stops unknown paths. What it knows and the router does not, such as an escaped slash, ends here.
        .default_service(web::to(async || Err::<HttpResponse, _>(Problem::no_such_path())))
        .wrap(from_fn(admission))
        // The last is the outermost.
        .wrap(from_fn(edge))
}
