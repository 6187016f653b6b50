//! Where the database is, and how it is used.

use std::time::Duration;

use persistence::DatabaseOptions;
use secrecy::{ExposeSecret, SecretString};

use super::database_url::{self, Parts};
use super::layers::Setting;
use super::parse::{self, BareUnit};
use super::reader::Reader;
use super::sections::{DAY, HOUR, MILLISECOND, derive_number, seconds};
use super::{Database, Environment};

const MOST_CONNECTIONS: u32 = 10_000;

/// Any of these selects MySQL.
const PARTS: [&str; 6] = [
    "DB_HOST",
    "DB_PORT",
    "DB_USER",
    "DB_PASSWORD",
    "DB_PASSWORD_FILE",
    "DB_NAME",
];

/// Everything, or nothing if there is a problem anywhere.
pub(super) fn section(reader: &mut Reader<'_>, environment: Option<Environment>) -> Option<Database> {
    let url = database_url(reader, environment);
    let replica_urls = replica_urls(reader, url.as_ref());
    let replica_max_lag = seconds(reader, "REPLICA_MAX_LAG", 100 * MILLISECOND, HOUR);
    let pool = pool_sizes(reader, url.as_ref());
    let acquire_timeout = seconds(reader, "DB_POOL_TIMEOUT", 10 * MILLISECOND, HOUR);
    let max_lifetime = seconds(reader, "DB_POOL_RECYCLE", 1000 * MILLISECOND, 30 * DAY);
    let statement_timeout = seconds(reader, "DB_STATEMENT_TIMEOUT", Duration::ZERO, DAY);
    let slow_statement_threshold = reader.read("DB_SLOW_QUERY_MS", |text| {
        parse::duration(text, BareUnit::Milliseconds, Duration::ZERO..=HOUR)
    });
    let auto_migrate = reader.read("DB_AUTO_MIGRATE", parse::switch);
    let coalesce_reads = reader.read("READ_COALESCING", parse::switch);
    let coalesce_writes = reader.read("WRITE_COALESCING", parse::switch);
    let (min_connections, max_connections) = pool?;
    Some(Database {
        url: url?,
        replica_urls: replica_urls?,
        replica_max_lag: replica_max_lag?,
        min_connections,
        max_connections,
        acquire_timeout: acquire_timeout?,
        max_lifetime: max_lifetime?,
        statement_timeout: statement_timeout.map(|limit| (!limit.is_zero()).then_some(limit))?,
        slow_statement_threshold: slow_statement_threshold?,
        auto_migrate: auto_migrate?,
        coalesce_reads: coalesce_reads?,
        coalesce_writes: coalesce_writes?,
    })
}

/// The addresses of read replicas, which are of the same kind as the primary.
fn replica_urls(reader: &mut Reader<'_>, primary: Option<&SecretString>) -> Option<Vec<SecretString>> {
    let urls = reader.read("DATABASE_REPLICA_URLS", |text| {
        let urls = text.split(',').map(str::trim).filter(|url| !url.is_empty());
        urls.map(database_url::check).collect::<Result<Vec<_>, _>>()
    })?;
    let kind = |url: &str| url.split(':').next().unwrap_or_default().to_owned();
    let of_primary = kind(primary?.expose_secret());
    if urls.is_empty() {
        return Some(Vec::new());
    }
    if of_primary == "sqlite" || urls.iter().any(|url| kind(url) != of_primary) {
        reader.refuse_value(
            "DATABASE_REPLICA_URLS",
            "accepted: addresses of MySQL, MariaDB or PostgreSQL servers that replicate the one of `DATABASE_URL`"
                .to_owned(),
        );
        return None;
    }
    Some(urls.into_iter().map(SecretString::from).collect())
}

fn pool_sizes(reader: &mut Reader<'_>, url: Option<&SecretString>) -> Option<(u32, u32)> {
    const USUAL_MINIMUM: u32 = 5;
    let min = reader.read("DB_POOL_MIN_SIZE", |text| {
        parse::optional(text, |text| parse::whole_number(text, 0..=MOST_CONNECTIONS))
    });
    let max = reader.read("DB_POOL_MAX_SIZE", |text| {
        parse::optional(text, |text| parse::whole_number(text, 1..=MOST_CONNECTIONS))
    });
    let max = match max? {
        Some(max) => max,
        None => DatabaseOptions::usual_max_connections(url?),
    };
    let min = min?.unwrap_or(USUAL_MINIMUM.min(max));
    if min > max {
        reader.refuse_value(
            "DB_POOL_MIN_SIZE",
            format!("accepted: at most `DB_POOL_MAX_SIZE`, which is {max}"),
        );
        return None;
    }
    derive_number(reader, "DB_POOL_MIN_SIZE", min);
    derive_number(reader, "DB_POOL_MAX_SIZE", max);
    Some((min, max))
}

fn database_url(reader: &mut Reader<'_>, environment: Option<Environment>) -> Option<SecretString> {
    let url = reader.setting("DATABASE_URL")?;
    let parts: Vec<&str> = PARTS
        .into_iter()
        .filter(|name| !reader.merged.setting(name).text.is_empty())
        .collect();
    if url.is_default() && !parts.is_empty() {
        return composed_url(reader, &parts);
    }
    if !parts.is_empty() {
        reader.findings.warn(format!(
            "DATABASE_URL ({}): wins over {}, which have no effect",
            url.source,
            parts.join(", ")
        ));
    }
    if url.is_default() && environment == Some(Environment::Production) {
        reader.findings.warn(format!(
            "DATABASE_URL (default): production runs on the SQLite file `{}`",
            url.text
        ));
    }
    let checked = reader.accept("DATABASE_URL", &url, database_url::check)?;
    reader.derive(
        "DATABASE_URL",
        Setting {
            text: checked.clone(),
            ..url
        },
    );
    Some(SecretString::from(checked))
}

fn composed_url(reader: &mut Reader<'_>, given: &[&str]) -> Option<SecretString> {
    let host = part(reader, "DB_HOST", "127.0.0.1", parse::host);
    let port = part(reader, "DB_PORT", "3306", |text| {
        parse::whole_number(text, 1..=u16::MAX)
    });
    let user = part(reader, "DB_USER", "async_starter", |text| Ok(text.to_owned()));
    let name = part(reader, "DB_NAME", "async_starter", database_name);
    let password = reader.setting("DB_PASSWORD");
    let (host, port, user, name, password) = (host?, port?, user?, name?, password?);
    let parts = Parts {
        host: &host,
        port,
        user: &user,
        password: &password.text,
        name: &name,
    };
    let Some(url) = database_url::compose(&parts) else {
        reader.refuse_value("DB_HOST", "accepted: a host name or an IP address".to_owned());
        return None;
    };
    let source = format!("from {}", given.join(", "));
    reader.derive(
        "DATABASE_URL",
        Setting {
            text: url.clone(),
            source,
        },
    );
    Some(SecretString::from(url))
}

/// A part of the address, which has a default of its own once another part is given.
fn part<T>(
    reader: &mut Reader<'_>,
    name: &'static str,
    default: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    reader.read(name, |text| parse(if text.is_empty() { default } else { text }))
}

fn database_name(text: &str) -> Result<String, String> {
    const LONGEST: usize = 64;
    // `.` and `..` are steps in an address, not names.
    if text.chars().count() > LONGEST || text.chars().any(char::is_control) || [".", ".."].contains(&text) {
        return Err(format!("the name of a database, 1 to {LONGEST} characters"));
    }
    Ok(text.to_owned())
}
