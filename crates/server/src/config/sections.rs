//! From merged text to the typed sections, with every check that concerns more than one variable.
//!
//! A section reads all its variables before it gives up, so that all problems are found in one go.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use super::database;
use super::layers::Setting;
use super::origins;
use super::parse::{self, BareUnit};
use super::rate_limit;
use super::reader::Reader;
use super::table::VARIABLES;
use super::variable::Support;
use super::{Api, Auth, AuthMode, Config, Environment, Http, Log, Observability};

pub(super) const MILLISECOND: Duration = Duration::from_millis(1);
pub(super) const HOUR: Duration = Duration::from_hours(1);
pub(super) const DAY: Duration = Duration::from_hours(24);

const MOST_WORKERS: usize = 512;
const LARGEST_BODY: usize = 1 << 30;
const MOST_IN_FLIGHT: usize = 1_000_000;

// ANCHOR: config
/// Everything, or nothing if there is a problem anywhere.
pub(super) fn config(reader: &mut Reader<'_>) -> Option<Config> {
    let environment = reader.read("ENVIRONMENT", parse::environment);
    let http = http(reader);
    let log = log(reader);
    let database = database::section(reader, environment);
    let api = api(reader, environment);
    let auth = auth(reader, api.as_ref());
    let observability = observability(reader, environment);
    check_support(reader);
    check_openness(reader, environment);
    Some(Config {
        environment: environment?,
        http: http?,
        log: log?,
        database: database?,
        api: api?,
        auth: auth?,
        observability: observability?,
    })
}
// ANCHOR_END: config

fn http(reader: &mut Reader<'_>) -> Option<Http> {
    let host = reader.read("HOST", parse::host);
    let port = reader.read("PORT", |text| parse::whole_number(text, 0..=u16::MAX));
    let workers = workers(reader);
    let request_timeout = seconds(reader, "REQUEST_TIMEOUT", 10 * MILLISECOND, DAY);
    // Zero would switch the guard against slow clients off.
    let client_timeout = seconds(reader, "CLIENT_TIMEOUT", 10 * MILLISECOND, HOUR);
    let keep_alive = seconds(reader, "KEEP_ALIVE", Duration::ZERO, HOUR);
    let body_limit_bytes = reader.read("BODY_LIMIT", |text| parse::size(text, 1..=LARGEST_BODY));
    let max_in_flight = reader.read("MAX_IN_FLIGHT", |text| parse::whole_number(text, 1..=MOST_IN_FLIGHT));
    let shutdown_drain = seconds(reader, "SHUTDOWN_DRAIN", Duration::ZERO, HOUR);
    let shutdown_timeout = seconds(reader, "SHUTDOWN_TIMEOUT", Duration::ZERO, HOUR);
    Some(Http {
        host: host?,
        port: port?,
        workers: workers?,
        keep_alive: keep_alive?,
        client_timeout: client_timeout?,
        request_timeout: request_timeout?,
        body_limit_bytes: body_limit_bytes?,
        max_in_flight: max_in_flight?,
        shutdown_drain: shutdown_drain?,
        shutdown_timeout: shutdown_timeout?,
    })
}

fn workers(reader: &mut Reader<'_>) -> Option<usize> {
    let given = reader.read("WORKERS", |text| {
        parse::optional(text, |text| parse::whole_number(text, 1..=MOST_WORKERS))
    })?;
    let workers = given.unwrap_or_else(|| {
        std::thread::available_parallelism()
            .map_or(1, NonZero::get)
            .min(MOST_WORKERS)
    });
    derive_number(reader, "WORKERS", workers);
    Some(workers)
}

fn log(reader: &mut Reader<'_>) -> Option<Log> {
    let filter = reader.read("LOG_LEVEL", parse::log_filter);
    let format = reader.read("LOG_FORMAT", parse::log_format);
    Some(Log {
        filter: filter?,
        format: format?,
    })
}

fn api(reader: &mut Reader<'_>, environment: Option<Environment>) -> Option<Api> {
    let title = reader.read("API_TITLE", parse::title);
    let docs = reader.read("API_DOCS", parse::switch);
    let require_if_match = reader.read("REQUIRE_IF_MATCH", parse::switch);
    let idempotency_time_to_live = seconds(reader, "IDEMPOTENCY_TTL", 1000 * MILLISECOND, 30 * DAY);
    // Unset is fine; a file that is named and empty is a secret that got lost.
    let is_in_file = !reader.merged.setting("SECRET_KEY_FILE").text.is_empty();
    let secret_key = reader.read("SECRET_KEY", |text| {
        if is_in_file {
            parse::secret_key(text).map(Some)
        } else {
            parse::optional(text, parse::secret_key)
        }
    });
    let cross_origin = reader.read("CORS_ORIGINS", origins::parse);
    let rate_limit = rate_limit::section(reader, environment);
    Some(Api {
        title: title?,
        docs: docs?,
        require_if_match: require_if_match?,
        idempotency_time_to_live: idempotency_time_to_live?,
        cross_origin: cross_origin?,
        secret_key: secret_key?,
        rate_limit: rate_limit?,
    })
}

fn auth(reader: &mut Reader<'_>, api: Option<&Api>) -> Option<Auth> {
    let mode = reader.read("AUTH_MODE", parse::auth_mode);
    let jwks_file = reader.read("AUTH_JWKS_FILE", |text| parse::optional(text, |text| Ok(text.into())));
    let issuer = reader.read("AUTH_ISSUER", |text| parse::optional(text, parse::claim));
    let audience = reader.read("AUTH_AUDIENCE", |text| parse::optional(text, parse::claim));
    let auth = Auth {
        mode: mode?,
        jwks_file: jwks_file?.map(|file: PathBuf| reader.working_directory.join(file)),
        issuer: issuer?,
        audience: audience?,
    };
    match auth.mode {
        AuthMode::None => warn_of_idle_auth(reader),
        AuthMode::Jwt => check_token_keys(reader, &auth, api?.secret_key.is_some())?,
    }
    Some(auth)
}

/// Somebody who describes tokens may believe that they are asked for.
fn warn_of_idle_auth(reader: &mut Reader<'_>) {
    for name in ["AUTH_JWKS_FILE", "AUTH_ISSUER", "AUTH_AUDIENCE"] {
        let setting = reader.merged.setting(name);
        if !setting.text.is_empty() {
            reader.findings.warn(format!(
                "{name} ({}): no effect, because AUTH_MODE is `none`; set `AUTH_MODE=jwt` to ask for tokens",
                setting.source
            ));
        }
    }
}

/// Tokens are worth as much as the keys that they are checked with.
fn check_token_keys(reader: &mut Reader<'_>, auth: &Auth, has_secret_key: bool) -> Option<()> {
    match (&auth.jwks_file, has_secret_key) {
        (None, false) => {
            let advice = format!(
                "there is no key to check tokens with; set `AUTH_JWKS_FILE`, or `SECRET_KEY` to {} bytes or more",
                api::SHORTEST_SECRET_KEY_BYTES
            );
            reader.refuse_value("AUTH_MODE", advice);
            None
        }
        (Some(_), false) => {
            reader.findings.warn(
                "SECRET_KEY (default): without it, the fingerprints of callers in the log can be traced back to them by \
                 trying likely names",
            );
            Some(())
        }
        (_, true) => Some(()),
    }
}

fn observability(reader: &mut Reader<'_>, environment: Option<Environment>) -> Option<Observability> {
    let metrics_address = reader.read("METRICS_ADDR", |text| parse::unless_off(text, parse::address));
    let otlp_endpoint = reader.read("OTEL_EXPORTER_OTLP_ENDPOINT", |text| {
        parse::unless_off(text, parse::http_url)
    });
    // ANCHOR: console
    let console = reader.read("CONSOLE", parse::switch);
    if console == Some(true) && environment == Some(Environment::Production) {
        reader.findings.refuse(
            "CONSOLE",
            &reader.merged.setting("CONSOLE").source,
            "must be off in production: whoever opened the console would see how every request is processed",
        );
    }
    // ANCHOR_END: console
    Some(Observability {
        metrics_address: metrics_address?,
        otlp_endpoint: otlp_endpoint?,
        console: console?,
    })
}

/// Warns about what is accepted and has no effect.
fn check_support(reader: &mut Reader<'_>) {
    for variable in VARIABLES {
        let setting = reader.merged.setting(variable.name);
        if setting.is_default() {
            continue;
        }
        match &variable.support {
            Support::Active => {}
            Support::Ignored { .. } if setting.text.is_empty() => {}
            Support::Ignored { advice } => reader
                .findings
                .warn(format!("{} ({}): ignored; {advice}", variable.name, setting.source)),
        }
    }
}

// ANCHOR: openness
/// An API that anybody may use must, in production, be asked for by name.
fn check_openness(reader: &mut Reader<'_>, environment: Option<Environment>) {
    if environment != Some(Environment::Production) {
        return;
    }
    let mode = reader.merged.setting("AUTH_MODE");
    if mode.is_default() {
        reader.findings.refuse(
            "AUTH_MODE",
            &mode.source,
            "must be set in production; `none` leaves the API open to whoever reaches it",
        );
    } else if mode.text.trim().eq_ignore_ascii_case("none") {
        reader.findings.warn(format!(
            "AUTH_MODE ({}): the API is open: whoever reaches it can read and change users",
            mode.source
        ));
    }
}
// ANCHOR_END: openness

pub(super) fn seconds(reader: &mut Reader<'_>, name: &'static str, min: Duration, max: Duration) -> Option<Duration> {
    reader.read(name, |text| parse::duration(text, BareUnit::Seconds, min..=max))
}

/// Shows a number that was worked out under the source of the variable that could have given it.
pub(super) fn derive_number(reader: &mut Reader<'_>, name: &'static str, number: impl ToString) {
    let source = reader.merged.setting(name).source;
    reader.derive(
        name,
        Setting {
            text: number.to_string(),
            source,
        },
    );
}
