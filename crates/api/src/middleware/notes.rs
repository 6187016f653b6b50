//! What is found out about a request on its way and is needed when its answer goes out.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use actix_web::{
    HttpMessage, HttpRequest,
    http::{
        Method,
        header::{HeaderName, HeaderValue},
    },
};
use tokio::sync::OwnedSemaphorePermit;

use crate::{auth::Principal, connection::RequestOnConnection, lifecycle::RequestInProgress, route_table::Route};

/// Notes on one request. While there is a copy of them, the request counts as in progress and keeps its place. The edge makes them, keeps a copy, and puts another among the extensions of the request; so they
/// outlive a request that is given up or whose handler panics.
#[derive(Clone, Debug)]
pub(crate) struct RequestNotes(Rc<Notes>);

#[derive(Debug)]
struct Notes {
    route: Option<Arc<Route>>,
    principal: RefCell<Option<Principal>>,
    headers: RefCell<Vec<(HeaderName, HeaderValue)>>,
    is_head: bool,
    place: RefCell<Option<OwnedSemaphorePermit>>,
    _in_progress: RequestInProgress,
    /// Nothing where the request came over no connection, as in tests.
    on_connection: Option<RequestOnConnection>,
}

impl RequestNotes {
    /// Notes on a request for `route`; none where the path is unknown.
    pub(crate) fn new(
        route: Option<Arc<Route>>,
        method: &Method,
        in_progress: RequestInProgress,
        on_connection: Option<RequestOnConnection>,
    ) -> Self {
        Self(Rc::new(Notes {
            route,
            is_head: method == Method::HEAD,
            place: RefCell::default(),
            _in_progress: in_progress,
            on_connection,
            principal: RefCell::default(),
            headers: RefCell::default(),
        }))
    }

    /// The notes on `request`, if it came in through the edge.
    pub(crate) fn of(request: &HttpRequest) -> Option<Self> {
        request.extensions().get::<Self>().cloned()
    }

    /// The route that the request is for.
    pub(crate) fn route(&self) -> Option<&Route> {
        self.0.route.as_deref()
    }

    /// Whether the request is one of those who operate the service or read about it.
    pub(crate) fn is_operational(&self) -> bool {
        self.route().is_some_and(|route| !route.is_api())
    }

    /// The path with names for its variable parts, `unmatched` where there is no such path. Never an id, and never what the
    /// client wrote.
    pub(crate) fn template(&self) -> &str {
        self.route().map_or(Route::UNMATCHED, Route::template)
    }

    /// Whether a program that watches the service asks.
    pub(crate) fn is_probe(&self) -> bool {
        self.route().is_some_and(Route::is_probe)
    }

    /// Whether only the head of the answer was asked for. Handlers see a GET.
    pub(crate) fn is_head(&self) -> bool {
        self.0.is_head
    }

    /// Keeps the place of the request among those that are worked on.
    pub(crate) fn set_place(&self, place: OwnedSemaphorePermit) {
        self.0.place.replace(Some(place));
    }

    /// Has the connection end with the answer.
    pub(crate) fn end_connection(&self) {
        if let Some(on_connection) = &self.0.on_connection {
            on_connection.connection().end();
        }
    }

    /// Who the caller has proved to be.
    pub(crate) fn principal(&self) -> Option<Principal> {
        self.0.principal.borrow().clone()
    }

    /// Notes who the caller has proved to be.
    pub(crate) fn set_principal(&self, principal: Principal) {
        self.0.principal.replace(Some(principal));
    }

    /// Adds a header to the answer, whatever that will be.
    pub(crate) fn add_header(&self, name: HeaderName, value: HeaderValue) {
        self.0.headers.borrow_mut().push((name, value));
    }

    /// The headers that were added.
    pub(crate) fn take_headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        self.0.headers.take()
    }
}
