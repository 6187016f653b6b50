//! From text to value. Each parser answers a refused text with the words that complete "accepted: …".
//!
//! Numbers, durations, sizes and choices ignore surrounding spaces; names and secrets are taken exactly as typed.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use api::SHORTEST_SECRET_KEY_BYTES;
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::{AuthMode, Environment, LogFormat};

/// The unit of a duration that is written as a bare number.
#[derive(Clone, Copy)]
pub(super) enum BareUnit {
    Seconds,
    Milliseconds,
}

/// Lets an empty text mean "not given".
pub(super) fn optional<T>(text: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text.is_empty() {
        Ok(None)
    } else {
        parse(text).map(Some)
    }
}

/// Lets an empty text, `none` and `off` mean "not wanted".
pub(super) fn unless_off<T>(text: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    let text = text.trim();
    let is_off = ["none", "off"].iter().any(|off| text.eq_ignore_ascii_case(off));
    optional(if is_off { "" } else { text }, parse)
}

pub(super) fn environment(text: &str) -> Result<Environment, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "development" => Ok(Environment::Development),
        "staging" => Ok(Environment::Staging),
        "production" => Ok(Environment::Production),
        _ => Err("`development`, `staging` or `production`".to_owned()),
    }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "pretty" => Ok(LogFormat::Pretty),
        "json" => Ok(LogFormat::Json),
        _ => Err("`pretty` or `json`".to_owned()),
    }
}

pub(super) fn auth_mode(text: &str) -> Result<AuthMode, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "none" => Ok(AuthMode::None),
        "jwt" => Ok(AuthMode::Jwt),
        _ => Err("`none` or `jwt`".to_owned()),
    }
}

/// What a claim of a token is compared with, byte for byte.
pub(super) fn claim(text: &str) -> Result<String, String> {
    if text.trim() != text || text.chars().any(char::is_control) {
        return Err("text on one line, without spaces around it".to_owned());
    }
    Ok(text.to_owned())
}

/// How long a development token is good for.
pub(crate) fn token_lifetime(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_hours(30 * 24);
    duration(text, BareUnit::Seconds, Duration::from_secs(1)..=LONGEST)
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err("`true` or `false` (also `on`/`off`, `yes`/`no`, `1`/`0`)".to_owned()),
    }
}

pub(super) fn whole_number<T>(text: &str, range: RangeInclusive<T>) -> Result<T, String>
where
    T: TryFrom<u64> + PartialOrd + Display,
{
    digits(text.trim())
        .and_then(|number| T::try_from(number).ok())
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("a whole number from {} to {}", range.start(), range.end()))
}

/// Decimals without sign or exponent, with an optional unit: `10`, `0.5`, `500ms`, `24h`.
pub(super) fn duration(text: &str, bare_unit: BareUnit, range: RangeInclusive<Duration>) -> Result<Duration, String> {
    unbounded_duration(text.trim(), bare_unit)
        .filter(|duration| range.contains(duration))
        .ok_or_else(|| {
            let (unit, per_second) = match bare_unit {
                BareUnit::Seconds => ("seconds", 1.0),
                BareUnit::Milliseconds => ("milliseconds", 1000.0),
            };
            format!(
                "{unit} from {} to {}, or with a unit such as `500ms`, `10s`, `5m`, `24h`",
                range.start().as_secs_f64() * per_second,
                range.end().as_secs_f64() * per_second,
            )
        })
}

fn unbounded_duration(text: &str, bare_unit: BareUnit) -> Option<Duration> {
    let (number, unit) = number_and_unit(text);
    // `f64` also reads signs, `1e9` and `inf`, none of which can stand in `number`.
    let number: f64 = number.parse().ok()?;
    let seconds_in_unit = match (unit.as_str(), bare_unit) {
        ("ms", _) | ("", BareUnit::Milliseconds) => {
            return Duration::try_from_secs_f64(number / 1000.0).ok();
        }
        ("s", _) | ("", BareUnit::Seconds) => 1,
        ("m" | "min", _) => 60,
        ("h", _) => 60 * 60,
        ("d", _) => 24 * 60 * 60,
        _ => return None,
    };
    Duration::try_from_secs_f64(number).ok()?.checked_mul(seconds_in_unit)
}

/// Bytes, bare or with a unit of 1000 (`KB MB GB`) or of 1024 (`KiB MiB GiB`).
pub(super) fn size(text: &str, range: RangeInclusive<usize>) -> Result<usize, String> {
    unbounded_size(text.trim())
        .filter(|bytes| range.contains(bytes))
        .ok_or_else(|| {
            format!(
                "bytes from {} to {}, also as `64KiB`, `1 MiB` or `10 MB`",
                range.start(),
                range.end()
            )
        })
}

fn unbounded_size(text: &str) -> Option<usize> {
    let (number, unit) = number_and_unit(text);
    let bytes_in_unit: u64 = match unit.as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return None,
    };
    usize::try_from(digits(number)?.checked_mul(bytes_in_unit)?).ok()
}

fn number_and_unit(text: &str) -> (&str, String) {
    let end = text.find(|character: char| !(character.is_ascii_digit() || character == '.'));
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    (number, unit.trim_start().to_ascii_lowercase())
}

/// Stricter than `str::parse`, which also reads `+5`.
fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// A host name or an IP address; whether the name exists is found out when it is used.
pub(super) fn host(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if is_name || text.parse::<IpAddr>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err("a host name or an IP address, without scheme, port or brackets".to_owned())
    }
}

/// A host and a port; an IPv6 address stands in brackets, as everywhere.
pub(super) fn address(text: &str) -> Result<(String, u16), String> {
    let accepted = || "`host:port` such as `127.0.0.1:9100`, `0.0.0.0:9100` or `[::1]:9100`".to_owned();
    let (name, port) = text.rsplit_once(':').ok_or_else(accepted)?;
    let bracketed = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_bare_ipv6 = bracketed.is_none() && name.contains(':');
    if is_bare_ipv6 {
        return Err(accepted());
    }
    let name = host(bracketed.unwrap_or(name)).map_err(|_| accepted())?;
    let port = whole_number(port, 0..=u16::MAX).map_err(|_| accepted())?;
    Ok((name, port))
}

/// The address of something that speaks HTTP. It may hold a password.
pub(super) fn http_url(text: &str) -> Result<SecretString, String> {
    match Url::parse(text) {
        Ok(url) if ["http", "https"].contains(&url.scheme()) && url.has_host() => Ok(SecretString::from(text)),
        _ => Err("an address such as `http://127.0.0.1:4318`".to_owned()),
    }
}

/// Text that appears in documents: visible, on one line, not endless.
pub(super) fn title(text: &str) -> Result<String, String> {
    const LONGEST: usize = 100;
    if text.trim().is_empty() || text.chars().count() > LONGEST || text.chars().any(char::is_control) {
        return Err(format!("1 to {LONGEST} characters on one line"));
    }
    Ok(text.to_owned())
}

pub(super) fn secret_key(text: &str) -> Result<SecretString, String> {
    if text.len() < SHORTEST_SECRET_KEY_BYTES {
        return Err(format!(
            "at least {SHORTEST_SECRET_KEY_BYTES} bytes (this has {}), for example from `openssl rand -hex 32`",
            text.len()
        ));
    }
    Ok(SecretString::from(text))
}

/// A level in any case, or a filter of `tracing_subscriber::EnvFilter`.
///
/// `EnvFilter` takes a bare word that is no level for the name of a crate, and then logs nothing else: `LOG_LEVEL=inof`
/// would be a silent service. So a bare word must be a level here.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    let refused =
        || "`trace`, `debug`, `info`, `warn`, `error`, `off`, or a filter such as `info,sqlx=debug`".to_owned();
    // Spans and fields (`[request{id=1,page=2}]=debug`) hold commas of their own.
    let has_spans = text.contains('[');
    let filter = if has_spans {
        text.trim().to_owned()
    } else {
        let directives: Option<Vec<String>> = text.split(',').map(directive).collect();
        directives.ok_or_else(refused)?.join(",")
    };
    EnvFilter::builder()
        .parse(&filter)
        .map(|_| filter)
        .map_err(|_| refused())
}

fn directive(text: &str) -> Option<String> {
    match text.trim().split_once('=') {
        Some((target, level)) => Some(format!("{}={}", target.trim(), level_name(level)?)),
        None => level_name(text),
    }
}

/// Levels as `tracing` calls them, and those of Python that have another name.
fn level_name(text: &str) -> Option<String> {
    let level = text.trim().to_ascii_lowercase();
    match level.as_str() {
        "trace" | "debug" | "info" | "warn" | "error" | "off" => Some(level),
        "warning" => Some("warn".to_owned()),
        "critical" => Some("error".to_owned()),
        _ => None,
    }
}
