//! The hand-written server to beat: what somebody would write who wants these three routes, knows the libraries, and needs
//! nothing else. No middleware, no log, no metrics, no validation, no limits.
//!
//! It serves the product's own table, made by the product's migrations, with the same JSON and the same durability.

mod json;
mod store;

use std::sync::Arc;

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context as _, Result};
use chrono::{SubsecRound as _, Utc};
use clap::Args;
use serde::Deserialize;

use json::{User, UserList};
use store::Store;

/// Options of `baseline`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The database, migrated: sqlite:…, mysql:// or mariadb://
    #[arg(long, value_name = "URL")]
    database_url: String,
    /// The port to listen on, on 127.0.0.1; 0 takes any
    #[arg(long, default_value_t = 0)]
    port: u16,
}

#[derive(Deserialize)]
struct NewUser {
    name: String,
    email: String,
}

#[derive(Deserialize)]
struct PageQuery {
    per_page: u32,
}

/// Serves until SIGTERM or Ctrl-C.
pub(crate) fn run(options: &Options) -> Result<()> {
    actix_web::rt::System::new().block_on(async {
        let store = Store::open(&options.database_url)
            .await
            .context("cannot open the database")?;
        let store = web::Data::from(Arc::new(store));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(store.clone())
                .route("/users/{id}", web::get().to(get_user))
                .route("/users", web::post().to(create_user))
                .route("/users", web::get().to(list_users))
        })
        .bind(("127.0.0.1", options.port))
        .with_context(|| format!("cannot listen on port {}", options.port))?;
        for address in server.addrs() {
            println!("listening on {address}");
        }
        server.run().await.context("the server failed")
    })
}

async fn get_user(store: web::Data<Store>, id: web::Path<i64>) -> HttpResponse {
    match store.find(*id).await {
        Ok(Some(user)) => HttpResponse::Ok().json(user),
        Ok(None) => HttpResponse::NotFound().finish(),
        Err(error) => failed(&error),
    }
}

async fn create_user(store: web::Data<Store>, new_user: web::Json<NewUser>) -> HttpResponse {
    let NewUser { name, email } = new_user.into_inner();
    let now = Utc::now().naive_utc().trunc_subsecs(6);
    match store.insert(&name, &email, now).await {
        Ok(id) => HttpResponse::Created().json(User {
            id,
            name,
            email,
            created_at: now,
            updated_at: now,
        }),
        Err(error) => failed(&error),
    }
}

async fn list_users(store: web::Data<Store>, query: web::Query<PageQuery>) -> HttpResponse {
    let per_page = query.per_page;
    match store.newest(per_page).await {
        Ok((users, total)) => HttpResponse::Ok().json(UserList::first_page(users, total, per_page)),
        Err(error) => failed(&error),
    }
}

/// The generator takes any answer but a success for a fault of the measurement, so the reason must be found.
fn failed(error: &sqlx::Error) -> HttpResponse {
    eprintln!("error: {error}");
    HttpResponse::InternalServerError().finish()
}
