//! Every configuration variable, once. Names that are accepted, `.env.example`, the reference table of the guide,
//! redaction and what `config` prints all come from here.

use super::variable::DefaultValue::{ByEnvironment, Computed, Fixed};
use super::variable::Secrecy::{Secret, UrlWithPassword, UrlsWithPasswords};
use super::variable::Variable;

const GENERAL: &str = "General";
const HTTP: &str = "HTTP server";
const LOGGING: &str = "Logging";
const DATABASE: &str = "Database";
const API: &str = "API";
const PROTECTION: &str = "Protection";
const OBSERVABILITY: &str = "Observability";
const COMPATIBILITY: &str = "Compatibility";

pub(super) static VARIABLES: &[Variable] = &[
    Variable::new(
        GENERAL,
        "ENVIRONMENT",
        Fixed("development"),
        "`development`, `staging` or `production`; some defaults below depend on it",
    ),
    Variable::new(
        HTTP,
        "HOST",
        Fixed("127.0.0.1"),
        "address to listen on: a host name or an IP address; `0.0.0.0` for all interfaces",
    ),
    Variable::new(
        HTTP,
        "PORT",
        Fixed("8000"),
        "port to listen on, 0 to 65535; 0 picks a free one and logs it",
    ),
    Variable::new(
        HTTP,
        "WORKERS",
        Computed("number of CPUs"),
        "threads that serve HTTP, 1 to 512",
    ),
    Variable::new(
        HTTP,
        "REQUEST_TIMEOUT",
        Fixed("10"),
        "time until the answer to a request other than an import must begin, or it is 504",
    ),
    Variable::new(
        HTTP,
        "CLIENT_TIMEOUT",
        Fixed("5"),
        "time a client may take to send a request head, or between two pieces of a body",
    ),
    Variable::new(
        HTTP,
        "KEEP_ALIVE",
        Fixed("75"),
        "time an idle connection stays open; 0 closes it after each answer",
    ),
    Variable::new(
        HTTP,
        "BODY_LIMIT",
        Fixed("1 MiB"),
        "largest request body in bytes, also as `64KiB` or `10 MB`; at most 1 GiB",
    ),
    Variable::new(
        HTTP,
        "MAX_IN_FLIGHT",
        Fixed("1024"),
        "API requests in progress per process, 1 to 1000000; any more are answered with 503 at once",
    ),
    Variable::new(
        HTTP,
        "SHUTDOWN_DRAIN",
        ByEnvironment {
            development: "0",
            staging: "5",
            production: "5",
        },
        "time between reporting not-ready and closing the listener",
    ),
    Variable::new(
        HTTP,
        "SHUTDOWN_TIMEOUT",
        Fixed("30"),
        "time that requests in progress get to finish after that",
    ),
    Variable::new(
        LOGGING,
        "LOG_LEVEL",
        Fixed("info"),
        "`trace`, `debug`, `info`, `warn`, `error`, `off`, or a filter such as `info,sqlx=debug`",
    ),
    Variable::new(
        LOGGING,
        "LOG_FORMAT",
        ByEnvironment {
            development: "pretty",
            staging: "json",
            production: "json",
        },
        "`pretty` for people or `json` for machines",
    ),
    Variable::new(
        DATABASE,
        "DATABASE_URL",
        Fixed("sqlite://async-starter.db?mode=rwc"),
        "`mysql://` or `mariadb://`, `postgres://`, `sqlite:`; of a cluster with several hosts, `…@a:3306,b:3306/name`; wins over the parts below",
    )
    .secrecy(UrlWithPassword),
    Variable::new(
        DATABASE,
        "DATABASE_URL_FILE",
        Fixed(""),
        "file that holds `DATABASE_URL`",
    ),
    Variable::new(
        DATABASE,
        "DB_HOST",
        Fixed(""),
        "MySQL server; any of these five parts selects MySQL, and this one is then `127.0.0.1` by default",
    ),
    Variable::new(
        DATABASE,
        "DB_PORT",
        Fixed(""),
        "port of the MySQL server, `3306` if another part is given",
    ),
    Variable::new(
        DATABASE,
        "DB_USER",
        Fixed(""),
        "MySQL user, `async_starter` if another part is given",
    ),
    Variable::new(
        DATABASE,
        "DB_PASSWORD",
        Fixed(""),
        "password of the MySQL user as the server knows it; it is percent-encoded for you",
    )
    .secrecy(Secret),
    Variable::new(DATABASE, "DB_PASSWORD_FILE", Fixed(""), "file that holds `DB_PASSWORD`"),
    Variable::new(
        DATABASE,
        "DB_NAME",
        Fixed(""),
        "name of the MySQL database, `async_starter` if another part is given",
    ),
    Variable::new(
        DATABASE,
        "DATABASE_REPLICA_URLS",
        Fixed(""),
        "read replicas of the server, addresses separated by commas (`%2C` within one); lists, single users and exports are \
         read from them",
    )
    .secrecy(UrlsWithPasswords),
    Variable::new(
        DATABASE,
        "DATABASE_REPLICA_URLS_FILE",
        Fixed(""),
        "file that holds `DATABASE_REPLICA_URLS`",
    ),
    Variable::new(
        DATABASE,
        "REPLICA_MAX_LAG",
        Fixed("1"),
        "age beyond which the data of a replica is too old, 0.1 to 3600: the replica is left out until it has caught up",
    ),
    Variable::new(
        DATABASE,
        "DB_POOL_MIN_SIZE",
        Computed("5, or `DB_POOL_MAX_SIZE` if that is less"),
        "connections kept open per pool, 0 to `DB_POOL_MAX_SIZE`; to a server, half of that at most",
    ),
    Variable::new(
        DATABASE,
        "DB_POOL_MAX_SIZE",
        Computed("20; with SQLite 2 per CPU, if that is less"),
        "connections at most per pool, 1 to 10000; with SQLite those for reading",
    ),
    Variable::new(
        DATABASE,
        "DB_POOL_TIMEOUT",
        Fixed("5"),
        "time to wait for a connection before 503",
    ),
    Variable::new(DATABASE, "DB_POOL_RECYCLE", Fixed("3600"), "time a connection may live"),
    Variable::new(
        DATABASE,
        "DB_STATEMENT_TIMEOUT",
        Fixed("10"),
        "time a statement may take, enforced by the database where it can be; 0 for no limit",
    ),
    Variable::new(
        DATABASE,
        "DB_AUTO_MIGRATE",
        ByEnvironment {
            development: "true",
            staging: "false",
            production: "false",
        },
        "run pending migrations at start",
    ),
    // ANCHOR: row
    Variable::new(
        DATABASE,
        "DB_SLOW_QUERY_MS",
        Fixed("200"),
        "milliseconds beyond which a statement is logged as slow, without its values",
    ),
    // ANCHOR_END: row
    Variable::new(
        DATABASE,
        "READ_COALESCING",
        Fixed("true"),
        "whether reads of single users, and counts, that come at the same time share a statement",
    ),
    Variable::new(
        DATABASE,
        "WRITE_COALESCING",
        Fixed("true"),
        "whether users that are created at the same time share a statement",
    ),
    Variable::new(
        API,
        "API_TITLE",
        Fixed("Async Starter API"),
        "title of the API in its documentation",
    ),
    Variable::new(
        API,
        "API_DOCS",
        ByEnvironment {
            development: "true",
            staging: "true",
            production: "false",
        },
        "serve the interactive documentation at `/docs`",
    ),
    Variable::new(
        API,
        "REQUIRE_IF_MATCH",
        Fixed("false"),
        "refuse a PATCH or DELETE without `If-Match`, so that no change is overwritten unseen",
    ),
    Variable::new(
        API,
        "IDEMPOTENCY_TTL",
        Fixed("24h"),
        "time an `Idempotency-Key` is remembered, 1 second to 30 days",
    ),
    Variable::new(
        PROTECTION,
        "SECRET_KEY",
        Fixed(""),
        "key that signs cursors and, without `AUTH_JWKS_FILE`, tokens (32 bytes or more), the same on all instances",
    )
    .secrecy(Secret),
    Variable::new(PROTECTION, "SECRET_KEY_FILE", Fixed(""), "file that holds `SECRET_KEY`"),
    Variable::new(
        PROTECTION,
        "AUTH_MODE",
        Fixed("none"),
        "`none`: anybody who reaches the API may use it; `jwt`: who brings a token; must be set in production",
    ),
    Variable::new(
        PROTECTION,
        "AUTH_JWKS_FILE",
        Fixed(""),
        "public keys of those who issue tokens, for RS256, ES256 and EdDSA (a JWK set, read again when it changes); \
         without it tokens are HS256 under `SECRET_KEY`",
    ),
    Variable::new(
        PROTECTION,
        "AUTH_ISSUER",
        Fixed(""),
        "issuer that tokens must name (`iss`); unset for any",
    ),
    Variable::new(
        PROTECTION,
        "AUTH_AUDIENCE",
        Fixed(""),
        "audience that tokens must name (`aud`); unset refuses tokens that name one",
    ),
    Variable::new(
        PROTECTION,
        "CORS_ORIGINS",
        Fixed(""),
        "origins whose pages may call the API, such as `https://app.example.com`, separated by commas; `*` for all",
    ),
    Variable::new(
        PROTECTION,
        "RATE_LIMIT",
        ByEnvironment {
            development: "off",
            staging: "off",
            production: "100/min",
        },
        "requests that a client may make, such as `10/s`, `100/min`, `20/10s` or `5000/day`; `off` for no limit",
    ),
    Variable::new(
        PROTECTION,
        "RATE_LIMIT_STORE",
        Fixed("memory"),
        "where requests are counted: `memory` for each process by itself, or a `redis://` or `rediss://` address that \
         instances share; while that does not answer, requests are let through",
    )
    .secrecy(UrlWithPassword),
    Variable::new(
        PROTECTION,
        "TRUSTED_PROXIES",
        Fixed(""),
        "addresses and networks (CIDR), separated by commas, of the proxies whose `X-Forwarded-For` is believed",
    ),
    Variable::new(
        OBSERVABILITY,
        "METRICS_ADDR",
        Fixed(""),
        "`host:port` of a separate listener for `/metrics`, which the main one then does not serve",
    ),
    Variable::new(
        OBSERVABILITY,
        "CONSOLE",
        ByEnvironment {
            development: "true",
            staging: "false",
            production: "false",
        },
        "show at `/console` what the service does with each request, step by step; refused in production",
    ),
    Variable::new(
        OBSERVABILITY,
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        Fixed(""),
        "collector to send traces to by OTLP over HTTP; needs a program built with the cargo feature `otel`",
    )
    .secrecy(UrlWithPassword),
    Variable::new(
        COMPATIBILITY,
        "DEBUG",
        Fixed(""),
        "accepted for old settings files, without effect",
    )
    .ignored("use `LOG_LEVEL=debug` for detailed logs"),
    Variable::new(
        COMPATIBILITY,
        "DB_MAX_OVERFLOW",
        Fixed(""),
        "accepted for old settings files, without effect",
    )
    .ignored("the pool maximum is hard; raise `DB_POOL_MAX_SIZE` instead"),
];
