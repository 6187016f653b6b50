//! The operations on users.

mod dto;
mod handlers;
mod query;
pub(crate) mod rules;
mod schemas;

use utoipa_actix_web::{scope, service_config::ServiceConfig};

/// Registers the operations of this module.
pub(crate) fn configure(config: &mut ServiceConfig<'_>) {
    // `batch` goes before `{id}`, which it would fit.
    let users = scope::scope("/api/v1")
        .service(handlers::create_users)
        .service(handlers::list_users)
        .service(handlers::create_user)
        .service(handlers::get_user)
        .service(handlers::update_user)
        .service(handlers::delete_user);
    config.service(users);
}
