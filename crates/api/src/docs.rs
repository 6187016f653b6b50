//! The OpenAPI document and Swagger UI, from the binary alone: no request leaves the host.

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    body::MessageBody,
    get,
    http::header::{self, ContentType},
    web::{self, Data},
};
use utoipa_swagger_ui::{Config, SwaggerFile};

use crate::{AppState, problem::Problem};

/// Lets the page load what this host serves and nothing else, and run no script that is written into a page. Swagger UI
/// draws some icons from `data:` addresses, and its logo has a style within, which is let in by its hash.
const SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

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
    Ok(answer(&index.content_type, html))
}

#[get("/docs/{file:.*}")]
async fn docs_file(config: Data<SwaggerConfig>, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let file = file(&config, &path)?;
    Ok(answer(&file.content_type, file.bytes.into_owned()))
}

fn answer(content_type: &str, body: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((header::CONTENT_SECURITY_POLICY, SECURITY_POLICY))
        .body(body)
}

fn file(config: &SwaggerConfig, path: &str) -> Result<SwaggerFile<'static>, Problem> {
    match utoipa_swagger_ui::serve(path, config.0.clone()) {
        Ok(Some(file)) => Ok(file),
        Ok(None) => Err(Problem::no_such_path()),
        Err(error) => Err(Problem::internal(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use sha2::{Digest, Sha256};

    use super::*;

    /// A new version of Swagger UI may have other styles within; a browser would tell, but nobody looks at its console.
    #[test]
    fn every_style_that_swagger_ui_writes_into_the_page_is_let_in() {
        let config = SwaggerConfig(Arc::new(Config::from("/openapi.json")));
        let mut count = 0;
        for script in ["swagger-ui-bundle.js", "swagger-ui-standalone-preset.js"] {
            let script = file(&config, script).unwrap().bytes;
            let script = String::from_utf8_lossy(&script);
            for after in script.split("createElement(\"style\"").skip(1) {
                let style = after.split('"').nth(1).unwrap();
                let hash = BASE64_STANDARD.encode(Sha256::digest(style));
                assert!(
                    SECURITY_POLICY.contains(&format!("'sha256-{hash}'")),
                    "{hash} of {style}"
                );
                count += 1;
            }
        }
        assert_eq!(count, 1);
    }
}
