//! What the worker threads of actix-web share and what each has for itself, and why a handler need not be `Send`.
//!
//! `cargo run --example worker_threads`

use std::{
    cell::Cell,
    collections::BTreeMap,
    rc::Rc,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use actix_web::{
    App, HttpServer,
    web::{self, Data},
};
use anyhow::Context;

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    // ANCHOR: factory
    let shared = Data::new(AtomicUsize::new(0));
    let factory = {
        let shared = shared.clone();
        // Every worker calls this once. What is made in here is its own.
        move || {
            let own = Rc::new(Cell::new(0));
            let handler = move |shared: Data<AtomicUsize>| {
                let own = own.clone();
                async move {
                    // An `Rc` may be held across an await: this future never leaves its thread.
                    tokio::task::yield_now().await;
                    own.set(own.get() + 1);
                    shared.fetch_add(1, Ordering::Relaxed);
                    format!("{:?} {}", thread::current().id(), own.get())
                }
            };
            App::new().app_data(shared.clone()).route("/", web::get().to(handler))
        }
    };
    let server = HttpServer::new(factory).workers(2).disable_signals();
    // ANCHOR_END: factory
    let server = server.bind(("127.0.0.1", 0))?;
    let address = *server.addrs().first().context("the server listens")?;
    let server = server.run();
    let handle = server.handle();
    let running = tokio::spawn(server);

    println!("Six clients with a connection each, and one client that keeps its connection for six requests:");
    let url = format!("http://{address}/");
    let client = || reqwest::Client::builder().no_proxy().build();
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(client()?.get(&url).send().await?.text().await?);
    }
    let patient = client()?;
    let mut of_one = Vec::new();
    for _ in 0..6 {
        of_one.push(patient.get(&url).send().await?.text().await?);
    }
    println!("  threads that answered the six clients: {}", threads(&answers));
    println!("  threads that answered the one client: {}", threads(&of_one));
    println!("\nA connection stays with the worker that accepted it.");
    println!(
        "  the counter that all workers share: {}",
        shared.load(Ordering::Relaxed)
    );
    let own: usize = highest(&[answers, of_one].concat()).values().sum();
    println!("  the counters that they have for themselves, which nobody locks, add up to {own}");
    handle.stop(true).await;
    running.await??;
    Ok(())
}

/// How many threads are named.
fn threads(answers: &[String]) -> usize {
    highest(answers).len()
}

/// The highest count of each thread.
fn highest(answers: &[String]) -> BTreeMap<&str, usize> {
    let mut highest = BTreeMap::new();
    for (thread, count) in answers.iter().filter_map(|answer| answer.split_once(' ')) {
        let known: &mut usize = highest.entry(thread).or_default();
        *known = count.parse::<usize>().unwrap_or_default().max(*known);
    }
    highest
}
