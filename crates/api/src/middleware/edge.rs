//! The outermost middleware: all that is the same for every request.
//!
//! It makes the span of a request itself, and not `tracing-actix-web` (0.7), whose span records the query, in which there may
//! be an address, and the client address that a header claims, and which takes no request id from the client.

mod headers;
mod log;

use std::{
    cell::Cell,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        ConnectionType, Method,
        header::{self, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use futures_util::FutureExt;
use tokio::time::timeout;
use tracing::{Instrument, Span};

pub(crate) use self::headers::request_id;
use self::headers::{X_PROCESS_TIME, X_REQUEST_ID, add_security_headers};
use super::{RequestNotes, framing};
use crate::{
    AppState, Connection, CrossOrigin,
    problem::{Code, Problem},
    route_table::Route,
    trace_context::TraceParent,
};

/// What is remembered of a request until its answer goes out.
struct Exchange {
    state: Data<AppState>,
    started: Instant,
    span: Span,
    request_id: String,
    method: Method,
    path: String,
    notes: RequestNotes,
    /// Whether the path, decoded, lies where the API is; there may be no such path.
    is_api: bool,
    /// The problem that is answered, if any.
    problem: Cell<Option<Code>>,
}

/// Runs a request and finishes its answer.
pub(crate) async fn edge(
    state: Data<AppState>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let connection = request.request().conn_data::<Connection>();
    let on_connection = connection.map(Connection::begin_request);
    if let Some(None) = on_connection {
        // The connection has ended, and the listener is about to drop us.
        return std::future::pending().await;
    }
    let decoded_path = request.match_info().as_str();
    let is_api = decoded_path.starts_with("/api/v1");
    let notes = RequestNotes::new(
        state.routes().find(decoded_path).cloned(),
        request.method(),
        state.lifecycle().begin_request(),
        on_connection.flatten(),
    );
    if request.head().connection_type() == ConnectionType::Close {
        notes.end_connection();
    }
    request.extensions_mut().insert(notes.clone());
    let request_id = request_id(request.headers());
    let parent = TraceParent::of(request.headers());
    let exchange = Exchange {
        started,
        span: log::request_span(&request_id, parent, request.method(), &notes),
        request_id,
        method: request.method().clone(),
        path: request.path().to_owned(),
        notes,
        is_api,
        problem: Cell::default(),
        state,
    };
    if let Some(problem) = framing::refusal(request.head()) {
        let mut answer = exchange.render_problem(&problem);
        exchange.end_connection(&mut answer);
        exchange.finish(&mut answer);
        return Ok(request.into_response(answer));
    }
    let cross_origin = match exchange.notes.route() {
        // Whatever other origins may do, they may not look into the service.
        Some(route) if route.is_console() => &CrossOrigin::Nobody,
        _ => &exchange.state.options().cross_origin,
    };
    if let Some(mut answer) = cross_origin.answer_preflight(request.head(), exchange.notes.route()) {
        exchange.finish(&mut answer);
        return Ok(request.into_response(answer));
    }
    for (name, value) in cross_origin.headers_of_answer(request.headers()) {
        exchange.notes.add_header(name, value);
    }
    // HEAD is GET without the body, which the HTTP layer leaves out by itself (RFC 9110 section 9.3.2).
    if request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    let has_deadline = exchange.notes.route().is_none_or(Route::has_deadline);
    let deadline = has_deadline.then_some(exchange.state.options().request_timeout);
    match run(request, next, deadline).instrument(exchange.span.clone()).await {
        Ok(response) => {
            let rendered = response.response().error().map(|error| exchange.render(error));
            let mut response = match rendered {
                None => response.map_into_boxed_body(),
                Some(rendered) => response.into_response(rendered),
            };
            exchange.finish(response.response_mut());
            Ok(response)
        }
        // The request is gone with whatever failed, so the answer travels as an error.
        Err(error) => {
            let mut rendered = exchange.render(&error);
            exchange.finish(&mut rendered);
            Err(InternalError::from_response(error, rendered).into())
        }
    }
}

// ANCHOR: run
/// Runs the request within its deadline, if it has one. A panic becomes an error, and the server lives on.
async fn run<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
    deadline: Option<Duration>,
) -> Result<ServiceResponse<B>, Error> {
    let guarded = AssertUnwindSafe(next.call(request)).catch_unwind();
    let within_deadline = async {
        match deadline {
            Some(deadline) => timeout(deadline, guarded).await,
            None => Ok(guarded.await),
        }
    };
    match within_deadline.await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Problem::internal("a handler panicked; the panic is in the log").into()),
        Err(_) => Err(Problem::deadline_exceeded().into()),
    }
}
// ANCHOR_END: run

impl Exchange {
    /// Renders the problem that an error is, or an internal one where it is not ours.
    fn render(&self, error: &Error) -> HttpResponse {
        match error.as_error::<Problem>() {
            Some(problem) => self.render_problem(problem),
            None => self.render_problem(&Problem::internal(error.to_string())),
        }
    }

    /// Renders a problem, and logs the cause of one that is ours: once, here.
    fn render_problem(&self, problem: &Problem) -> HttpResponse {
        self.span.in_scope(|| log::log_cause(problem));
        self.problem.set(Some(problem.code()));
        self.state.metrics().http().problem(problem.code());
        problem.to_response(&self.path, &self.request_id)
    }

    /// Has the connection end with this answer.
    fn end_connection(&self, response: &mut HttpResponse) {
        // A header would not do: the HTTP layer decides by this alone what becomes of the connection, and says so.
        response.head_mut().set_connection_type(ConnectionType::Close);
        self.notes.end_connection();
    }

    /// Adds the headers that every answer carries, writes the log line and takes note of the request.
    fn finish(&self, response: &mut HttpResponse) {
        let elapsed = self.started.elapsed();
        let status = response.status();
        // Of a request that did not come to its end nobody knows where the next one begins (RFC 9110 section 15.5.9).
        if self.state.lifecycle().is_draining() || self.problem.get() == Some(Code::RequestTimeout) {
            self.end_connection(response);
        }
        let headers = response.headers_mut();
        add_security_headers(headers, self.is_api);
        for (name, value) in self.notes.take_headers() {
            if name == header::VARY {
                // The handler may have its own reasons.
                headers.append(name, value);
            } else {
                headers.insert(name, value);
            }
        }
        if let Ok(value) = HeaderValue::from_str(&self.request_id) {
            headers.insert(X_REQUEST_ID, value);
        }
        let process_time = format!("{}.{:06}", elapsed.as_secs(), elapsed.subsec_micros());
        if let Ok(value) = HeaderValue::from_str(&process_time) {
            headers.insert(X_PROCESS_TIME, value);
        }
        let http = self.state.metrics().http();
        http.answered(&self.method, self.notes.route(), status, elapsed);
        log::log_answer(&self.span, &self.notes, status, self.problem.get(), elapsed);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use actix_web::{
        App, HttpResponse,
        dev::Service,
        error::ErrorImATeapot,
        http::{StatusCode, header},
        middleware::from_fn,
        test::{TestRequest, init_service},
        web,
    };
    use persistence::test_db::{TestDatabase, TestEngine};
    use serde_json::Value;
    use service::{DatabaseRuntime, HealthService, UserService, UserServiceOptions};
    use tokio::runtime::Handle;

    use super::*;
    use crate::{ApiOptions, Lifecycle};

    /// The answer of an application whose handlers are as bad as can be.
    async fn answer_of(path: &str) -> (StatusCode, Value) {
        let db = TestDatabase::create_unmigrated(TestEngine::Sqlite).await;
        let runtime = DatabaseRuntime::new(Handle::current());
        let users = UserService::new(db.database().clone(), runtime.clone(), UserServiceOptions::default());
        let health = HealthService::new(db.database().clone(), runtime);
        let options = ApiOptions {
            request_timeout: Duration::from_millis(50),
            ..ApiOptions::default()
        };
        let state = AppState::new(users, health, options, Lifecycle::default()).unwrap();
        let panics = || async { panic!("the secret of the handler") as HttpResponse };
        let fails = || async { Err::<HttpResponse, _>(ErrorImATeapot("the secret of the handler")) };
        let hangs = || std::future::pending::<HttpResponse>();
        let app = App::new()
            .app_data(Data::new(state))
            .route("/panics", web::get().to(panics))
            .route("/fails", web::get().to(fails))
            .route("/hangs", web::get().to(hangs))
            .wrap(from_fn(edge));
        let app = init_service(app).await;
        let response = match app.call(TestRequest::get().uri(path).to_request()).await {
            Ok(response) => response.into_parts().1,
            Err(error) => error.error_response(),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            headers.get(X_REQUEST_ID).unwrap().to_str().ok(),
            problem["request_id"].as_str()
        );
        assert_eq!(headers.get(header::X_FRAME_OPTIONS).unwrap(), "DENY");
        assert!(
            headers.contains_key(X_PROCESS_TIME) && !problem.to_string().contains("secret"),
            "{problem}"
        );
        (status, problem)
    }

    async fn status_and_code_of(path: &str) -> (StatusCode, Value) {
        let (status, mut problem) = answer_of(path).await;
        (status, problem["code"].take())
    }

    #[actix_web::test]
    async fn a_panic_is_a_defect_that_tells_nothing() {
        assert_eq!(
            status_and_code_of("/panics").await,
            (StatusCode::INTERNAL_SERVER_ERROR, "internal".into())
        );
    }

    /// A place for the log of one thread.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[actix_web::test]
    async fn a_panic_is_logged_under_the_id_that_the_client_was_told() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone());
        // While there is but one, `tracing` asks only the thread that comes first to an event whether anybody wants it, which
        // may be the thread of another test; and remembers the answer.
        let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
        let logging = tracing::subscriber::set_default(subscriber.finish());
        let (_, problem) = answer_of("/panics").await;
        drop(logging);
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let failure = lines
            .iter()
            .find(|line| line["level"] == "ERROR")
            .unwrap_or_else(|| panic!("{log}"));
        let fields = &failure["fields"];
        assert_eq!(
            (&failure["span"]["request_id"], &fields["code"]),
            (&problem["request_id"], &problem["code"]),
            "{log}"
        );
        assert!(fields["cause"].as_str().unwrap().contains("panicked"), "{log}");
    }

    #[actix_web::test]
    async fn an_error_that_is_not_ours_is_a_defect_that_tells_nothing() {
        assert_eq!(
            status_and_code_of("/fails").await,
            (StatusCode::INTERNAL_SERVER_ERROR, "internal".into())
        );
    }

    #[actix_web::test]
    async fn a_handler_that_hangs_is_given_up() {
        assert_eq!(
            status_and_code_of("/hangs").await,
            (StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded".into())
        );
    }
}
