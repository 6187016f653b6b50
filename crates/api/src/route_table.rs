//! Which paths exist and which methods each takes.
//!
//! actix-web makes a resource of its own of every handler, so a request with another method falls through to 404, or, as
//! `GET /users/batch` would, to a pattern that was not meant. This table is asked first. It is read off the OpenAPI
//! document, so that a route that is documented is known here as well.

use std::{fmt, sync::Arc};

use actix_web::http::Method;
use utoipa::openapi::{OpenApi, PathItem};

use crate::console;

const METRICS: &str = "/metrics";

/// Routes that take as long as they take. Whatever they wait for has a limit of its own.
const WITHOUT_DEADLINE: [&str; 1] = ["/api/v1/users/import"];

/// The routes of the application.
#[derive(Clone, Debug)]
pub(crate) struct RouteTable(Vec<Arc<Route>>);

/// Which of the routes exist that the document does not describe.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Undescribed {
    pub(crate) docs: bool,
    pub(crate) metrics: bool,
    pub(crate) console: bool,
}

/// A path template and its methods.
#[derive(Clone)]
pub(crate) struct Route {
    pattern: Pattern,
    template: Arc<str>,
    methods: Vec<Method>,
}

/// What a path template fits. Every request is held against every one, so they are compared part by part: the regular
/// expressions that the router makes of them (`ResourceDef`) take ten times as long.
#[derive(Clone)]
enum Pattern {
    /// This path alone.
    Path(String),
    /// Paths with as many parts, each of which fits.
    Parts(Vec<Part>),
}

/// What fits between two slashes.
#[derive(Clone)]
enum Part {
    Literal(String),
    /// Anything that is not empty: `{id}`.
    Any,
    /// All that is left, slashes included: `{file:.*}`.
    Rest,
}

impl Pattern {
    fn parse(template: &str) -> Self {
        if !template.contains('{') {
            return Self::Path(template.to_owned());
        }
        let part = |part: &str| match part.strip_prefix('{') {
            None => Part::Literal(part.to_owned()),
            Some(variable) if variable.ends_with(":.*}") => Part::Rest,
            Some(_) => Part::Any,
        };
        Self::Parts(template.split('/').map(part).collect())
    }

    fn fits(&self, path: &str) -> bool {
        let parts = match self {
            Self::Path(only) => return only == path,
            Self::Parts(parts) => parts,
        };
        let mut given = path.split('/');
        for part in parts {
            match (part, given.next()) {
                (_, None) | (Part::Any, Some("")) => return false,
                (Part::Rest, Some(_)) => return true,
                (Part::Literal(literal), Some(given)) if literal != given => return false,
                (Part::Any | Part::Literal(_), Some(_)) => {}
            }
        }
        given.next().is_none()
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.allow(), self.template)
    }
}

impl RouteTable {
    /// The operations of `document`, and those that it does not describe.
    pub(crate) fn new(document: &OpenApi, which: Undescribed) -> Self {
        let described = document
            .paths
            .paths
            .iter()
            .map(|(template, item)| Route::new(template, methods_of(item)));
        let mut undescribed = vec!["/openapi.json", "/problems", "/problems/{code}"];
        if which.docs {
            undescribed.extend(["/", "/docs", "/docs/{file:.*}"]);
        }
        if which.metrics {
            undescribed.push(METRICS);
        }
        if which.console {
            undescribed.extend(console::ROUTES);
        }
        let mut routes: Vec<_> = described.chain(undescribed.into_iter().map(Route::to_get)).collect();
        // A path that is spelled out goes before a pattern that it would fit as well.
        routes.sort_by_key(|route| route.template.contains('{'));
        Self(routes.into_iter().map(Arc::new).collect())
    }

    /// `/metrics` and nothing else, as a listener of its own has it.
    pub(crate) fn metrics_alone() -> Self {
        Self(vec![Arc::new(Route::to_get(METRICS))])
    }

    /// The route of `path`, if there is one.
    pub(crate) fn find(&self, path: &str) -> Option<&Arc<Route>> {
        self.0.iter().find(|route| route.pattern.fits(path))
    }
}

impl Route {
    /// What stands for the template where there is no route.
    pub(crate) const UNMATCHED: &'static str = "unmatched";

    fn new(template: &str, methods: Vec<Method>) -> Self {
        Self {
            pattern: Pattern::parse(template),
            template: template.into(),
            methods,
        }
    }

    fn to_get(template: &str) -> Self {
        Self::new(template, vec![Method::GET])
    }

    /// The path with names for its variable parts, such as `/api/v1/users/{id}`.
    pub(crate) fn template(&self) -> &str {
        &self.template
    }

    /// The same, to keep.
    pub(crate) fn shared_template(&self) -> Arc<str> {
        self.template.clone()
    }

    /// Whether programs that watch the service ask for this, again and again.
    pub(crate) fn is_probe(&self) -> bool {
        self.template() == METRICS || self.template.starts_with("/health") || self.is_console()
    }

    /// Whether this is the console, which pages of no other origin may read.
    pub(crate) fn is_console(&self) -> bool {
        self.template.starts_with(console::ROOT)
    }

    /// Whether the route belongs to the API proper. Everything else is for those who operate the service or read about it:
    /// it is neither limited nor guarded.
    pub(crate) fn is_api(&self) -> bool {
        is_api(&self.template)
    }

    /// Whether the head of the answer must be ready within `REQUEST_TIMEOUT`.
    pub(crate) fn has_deadline(&self) -> bool {
        has_deadline(&self.template)
    }

    pub(crate) fn takes(&self, method: &Method) -> bool {
        self.methods.contains(method)
    }

    /// The methods as `Allow` lists them. Whatever can be got can be asked for its head.
    pub(crate) fn allow(&self) -> String {
        let mut names: Vec<_> = self.methods.iter().map(Method::as_str).collect();
        if self.takes(&Method::GET) {
            names.push("HEAD");
        }
        names.sort_unstable();
        names.join(", ")
    }
}

/// Whether a path template belongs to the API proper.
pub(crate) fn is_api(template: &str) -> bool {
    template.starts_with("/api/v1/")
}

/// Whether the head of an answer from a path template must be ready within `REQUEST_TIMEOUT`.
pub(crate) fn has_deadline(template: &str) -> bool {
    !WITHOUT_DEADLINE.contains(&template)
}

fn methods_of(item: &PathItem) -> Vec<Method> {
    let operations = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::DELETE, &item.delete),
        (Method::PATCH, &item.patch),
    ];
    operations
        .into_iter()
        .filter(|(_, operation)| operation.is_some())
        .map(|(method, _)| method)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spelled_out_path_goes_before_a_pattern() {
        let all = Undescribed {
            docs: true,
            metrics: true,
            console: true,
        };
        let table = RouteTable::new(&crate::openapi_document("Test"), all);
        let allow = |path| table.find(path).map(|route| route.allow());
        assert_eq!(allow("/api/v1/users/batch").as_deref(), Some("POST"));
        assert_eq!(allow("/api/v1/users/17").as_deref(), Some("DELETE, GET, HEAD, PATCH"));
        assert_eq!(allow("/api/v1/users").as_deref(), Some("GET, HEAD, POST"));
        assert_eq!(allow("/docs/swagger-ui.css").as_deref(), Some("GET, HEAD"));
        assert_eq!(allow("/docs/").as_deref(), Some("GET, HEAD"));
        assert_eq!(allow("/docs/a/b").as_deref(), Some("GET, HEAD"));
        assert_eq!(allow("/problems/not_found").as_deref(), Some("GET, HEAD"));
        assert_eq!(allow("/metrics").as_deref(), Some("GET, HEAD"));
        assert_eq!(allow("/console/requests/since/17").as_deref(), Some("GET, HEAD"));
        for unknown in [
            "/api/v1/users/",
            "/api/v1/users/1/x",
            "/api/v1",
            "/nothing",
            "//",
            "/docs2",
            "/problems/",
            "/problems/a/b",
        ] {
            assert_eq!(allow(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn what_is_switched_off_does_not_exist() {
        let table = RouteTable::new(&crate::openapi_document("Test"), Undescribed::default());
        assert!(table.find("/docs").is_none() && table.find("/").is_none() && table.find("/console").is_none());
        assert!(table.find("/openapi.json").is_some());
    }

    #[test]
    fn metrics_are_at_one_listener_or_the_other() {
        let table = RouteTable::new(&crate::openapi_document("Test"), Undescribed::default());
        assert!(table.find("/metrics").is_none());
        let table = RouteTable::metrics_alone();
        assert!(table.find("/metrics").is_some() && table.find("/health").is_none());
    }
}
