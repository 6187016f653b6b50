//! The web layer.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use actix_web::{
    App, Error, HttpServer,
    body::MessageBody,
    dev::{ServerHandle, ServiceRequest, ServiceResponse},
    error::InternalError,
    http::header::{HeaderName, HeaderValue},
    middleware::{Next, from_fn},
    web::{self, Data},
};
use api::AppState;
use persistence::test_db::TestDatabase;
use reqwest::Client;
use serde_json::json;

use crate::support::TestApp;

// ANCHOR: exercise-1
const STAMP: HeaderName = HeaderName::from_static("x-served-by");

/// Stamps every answer, those that travel as errors as well.
async fn stamp(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let value = HeaderValue::from_static("instance-1");
    match next.call(request).await {
        Ok(mut answered) => {
            answered.headers_mut().insert(STAMP, value);
            Ok(answered)
        }
        Err(error) => {
            let mut answer = error.error_response();
            answer.headers_mut().insert(STAMP, value);
            Err(InternalError::from_response(error, answer).into())
        }
    }
}

fn serve_stamped(state: AppState) -> (SocketAddr, ServerHandle) {
    let server = HttpServer::new(move || api::build_app(state.clone()).wrap(from_fn(stamp)));
    let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    (address, handle)
}

pub(crate) async fn a_middleware_around_the_application_meets_problems_in_two_ways(db: TestDatabase) {
    let (address, handle) = serve_stamped(TestApp::start(&db).state.clone());
    let url = |path| format!("http://{address}/api/v1/{path}");
    let client = Client::new();
    let requests = [
        (client.get(url("users")), 200),
        // What the extractor refuses is an answer when it gets here, and what admission refuses an error.
        (client.post(url("users")).json(&json!({"name": "Ann"})), 422),
        (client.get(url("people")), 404),
    ];
    for (request, status) in requests {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()[STAMP.as_str()], "instance-1", "{status}");
        // What the edge added is still there.
        assert!(answer.headers().contains_key("x-request-id"), "{status}");
    }
    handle.stop(false).await;
}
// ANCHOR_END: exercise-1

// ANCHOR: exercise-2
async fn count(data: Data<AtomicUsize>) -> String {
    (data.fetch_add(1, Ordering::Relaxed) + 1).to_string()
}

fn serve_counters() -> (SocketAddr, ServerHandle) {
    let shared = Data::new(AtomicUsize::new(0));
    let factory = move || {
        let own = Data::new(AtomicUsize::new(0));
        let counter = |path, data: Data<AtomicUsize>| web::scope(path).app_data(data).route("", web::get().to(count));
        App::new()
            .service(counter("/own", own))
            .service(counter("/shared", shared.clone()))
    };
    let server = HttpServer::new(factory).workers(2).disable_signals();
    let server = server.bind(("127.0.0.1", 0)).unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    (address, handle)
}

pub(crate) async fn what_is_made_in_the_factory_belongs_to_one_worker(_: TestDatabase) {
    let (address, handle) = serve_counters();
    // A client each is a connection each, and connections go to the workers in turn.
    let ask = async |path| {
        let client = Client::builder().build().unwrap();
        let answer = client.get(format!("http://{address}{path}")).send().await.unwrap();
        answer.text().await.unwrap().parse::<usize>().unwrap()
    };
    let (mut own, mut shared) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        own.push(ask("/own").await);
    }
    for _ in 0..6 {
        shared.push(ask("/shared").await);
    }
    assert_eq!(shared, [1, 2, 3, 4, 5, 6]);
    assert!(own.iter().max() < Some(&6), "one counter for each worker: {own:?}");
    handle.stop(false).await;
}
// ANCHOR_END: exercise-2
