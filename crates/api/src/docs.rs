//! The OpenAPI document and Swagger UI, from the binary alone: no request leaves the host.

use std::sync::Arc;

use actix_web::{
    HttpResponse, get,
    http::header::{self, ContentType},
    web::{self, Data},
};
use utoipa_swagger_ui::{Config, SwaggerFile};

use crate::{AppState, problem::Problem};

/// The settings of Swagger UI, made once.
#[derive(Clone)]
struct SwaggerConfig(Arc<Config<'static>>);

/// Registers `/openapi.json`, and `/docs` and `/` where docs are on. None of them is in the document itself.
pub(crate) fn configure(config: &mut web::ServiceConfig, docs: bool) {
    config.service(openapi_json);
    if docs {
        // Without "none" the page would send the document to a public validator.
        let settings = Config::from("/openapi.json")
            .validator_url("none")
            .try_it_out_enabled(true)
            .persist_authorization(true)
            .display_request_duration(true);
        config
            .app_data(Data::new(SwaggerConfig(Arc::new(settings))))
            .service(root)
            .service(docs_index)
            .service(docs_file);
    }
}

#[get("/openapi.json")]
async fn openapi_json(state: Data<AppState>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::json())
        .body(state.openapi_json())
}

#[get("/")]
async fn root() -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, "/docs"))
        .finish()
}

#[get("/docs")]
async fn docs_index(config: Data<SwaggerConfig>) -> Result<HttpResponse, Problem> {
    let index = file(&config, "index.html")?;
    // The page names its parts by relative addresses, which would be looked for beside `/docs` and not below it.
    let html = String::from_utf8_lossy(&index.bytes).replacen("<head>", "<head>\n    <base href=\"/docs/\">", 1);
    Ok(HttpResponse::Ok().content_type(index.content_type).body(html))
}

#[get("/docs/{file:.*}")]
async fn docs_file(config: Data<SwaggerConfig>, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let file = file(&config, &path)?;
    Ok(HttpResponse::Ok()
        .content_type(file.content_type)
        .body(file.bytes.into_owned()))
}

fn file(config: &SwaggerConfig, path: &str) -> Result<SwaggerFile<'static>, Problem> {
    match utoipa_swagger_ui::serve(path, config.0.clone()) {
        Ok(Some(file)) => Ok(file),
        Ok(None) => Err(Problem::no_such_path()),
        Err(error) => Err(Problem::internal(error.to_string())),
    }
}
