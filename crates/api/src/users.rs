//! The operations on users.

mod dto;
mod handlers;
mod query;
mod rules;
mod schemas;
pub(crate) mod transfer;

use actix_web::HttpRequest;
use domain::UserId;
#[cfg(feature = "fuzzing")]
pub(crate) use query::{ListRequest, Part};
use utoipa_actix_web::{scope, service_config::ServiceConfig};

use crate::{extract::FromPath, problem::Fault};

/// Registers the operations of this module.
pub(crate) fn configure(config: &mut ServiceConfig<'_>) {
    // ANCHOR: configure
    // `batch` and its like go before `{id}`, which they would fit.
    let users = scope::scope("/api/v1")
        .service(handlers::create_users)
        .service(transfer::handlers::import_users)
        .service(transfer::handlers::export_users)
        .service(handlers::list_users)
        .service(handlers::create_user)
        .service(handlers::get_user)
        .service(handlers::update_user)
        .service(handlers::delete_user);
    config.service(users);
    // ANCHOR_END: configure
}

impl FromPath for UserId {
    fn read(request: &HttpRequest, faults: &mut Vec<Fault>) -> Option<Self> {
        let parsed = Self::parse(request.match_info().query("id"));
        parsed
            .map_err(|violation| faults.push(Fault::violation("path/id", violation)))
            .ok()
    }
}
