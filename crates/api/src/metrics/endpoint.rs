//! `GET /metrics`.

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{ACCEPT, Accept, Header, VARY},
    web::{self, Data},
};

use super::Exposition;
use crate::{AppState, problem::Problem};

/// Registers `/metrics`, which is not in the OpenAPI document.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config.service(metrics);
}

#[get("/metrics")]
async fn metrics(request: HttpRequest, state: Data<AppState>) -> Result<HttpResponse, Problem> {
    // Whoever asks for nothing that can be read gets what everybody reads.
    let accept = Accept::parse(&request).unwrap_or_else(|_| Accept::star());
    let exposition = Exposition::wanted(&accept);
    let rendered = web::block(move || state.metrics().render(exposition)).await;
    let text = rendered.map_err(|error| Problem::internal(error.to_string()))?;
    let text = text.map_err(Problem::internal)?;
    Ok(HttpResponse::Ok()
        .insert_header((VARY, ACCEPT.as_str()))
        .content_type(exposition.content_type())
        .body(text))
}
