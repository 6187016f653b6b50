//! The rate limit: its quota, its store, and the proxies that are believed.

use std::net::IpAddr;
use std::time::Duration;

use api::Quota;
use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use super::reader::Reader;
use super::{Environment, RateLimit, RateLimitStore};

/// Reads the section.
#[expect(
    clippy::option_option,
    reason = "as for every section, nothing is a problem that was found; nothing inside is no limit"
)]
pub(super) fn section(reader: &mut Reader<'_>, environment: Option<Environment>) -> Option<Option<RateLimit>> {
    let quota = reader.read("RATE_LIMIT", quota);
    let store = reader.read("RATE_LIMIT_STORE", store);
    let trusted_proxies = reader.read("TRUSTED_PROXIES", trusted_proxies);
    let (quota, store, trusted_proxies) = (quota?, store?, trusted_proxies?);
    let Some(quota) = quota else {
        return Some(None);
    };
    if environment == Some(Environment::Production) && trusted_proxies.is_empty() {
        reader.findings.warn(
            "TRUSTED_PROXIES (default): not set: clients that come through one proxy share one RATE_LIMIT; name the proxies, \
             if there are any",
        );
    }
    Some(Some(RateLimit {
        quota,
        store,
        trusted_proxies,
    }))
}

fn quota(text: &str) -> Result<Option<Quota>, String> {
    let text = text.trim().to_ascii_lowercase();
    if ["off", "none", "false", "no", "0"].contains(&text.as_str()) {
        return Ok(None);
    }
    quota_of(&text).map(Some).ok_or_else(|| {
        format!(
            "`off`, or 1 to {} requests in 1 second to 1 day, such as `10/s`, `100/min`, `1000/h`, `5000/day`, `20/10s` or \
             `300/5min`",
            Quota::MAX_REQUESTS
        )
    })
}

fn quota_of(text: &str) -> Option<Quota> {
    let (requests, window) = text.split_once('/')?;
    let (requests, window) = (requests.trim(), window.trim());
    let unit = window.trim_start_matches(|character: char| character.is_ascii_digit());
    let count = window.strip_suffix(unit)?;
    let seconds_in_unit = match unit.trim_start() {
        "s" | "sec" | "second" => 1,
        "min" | "minute" => 60,
        "h" | "hour" => 60 * 60,
        "d" | "day" => 24 * 60 * 60,
        _ => return None,
    };
    let count: u64 = if count.is_empty() { 1 } else { count.parse().ok()? };
    // `parse` would take a sign.
    let is_number = requests.bytes().all(|byte| byte.is_ascii_digit());
    let requests = is_number.then(|| requests.parse().ok())??;
    Quota::new(requests, Duration::from_secs(count.checked_mul(seconds_in_unit)?))
}

fn store(text: &str) -> Result<RateLimitStore, String> {
    let text = text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("memory") {
        return Ok(RateLimitStore::Memory);
    }
    if is_redis(text) {
        return Ok(RateLimitStore::Redis(SecretString::from(text)));
    }
    Err(
        "`memory`, or an address such as `redis://:password@host:6379/0` or, for TLS, `rediss://…`; user and password \
         percent-encoded (`@` is `%40`, `#` is `%23`, `/` is `%2F`, `?` is `%3F`, `%` is `%25`)"
            .to_owned(),
    )
}

/// A password that is not encoded shifts what follows into another part of the address, so nothing may be there that Redis
/// has no use for.
fn is_redis(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let database = url.path().trim_start_matches('/');
    ["redis", "rediss"].contains(&url.scheme())
        && url.host_str().is_some_and(|host| !host.is_empty())
        && url.port() != Some(0)
        && (database.is_empty() || database.parse::<u16>().is_ok())
        && url.query().is_none()
        && url.fragment().is_none()
}

fn trusted_proxies(text: &str) -> Result<Vec<IpNet>, String> {
    let text = text.trim();
    if text.is_empty() || ["none", "off"].contains(&text.to_ascii_lowercase().as_str()) {
        return Ok(Vec::new());
    }
    let networks: Option<Vec<IpNet>> = text.split(',').map(|part| network(part.trim())).collect();
    networks.ok_or_else(|| {
        "addresses and networks separated by commas, such as `10.0.0.0/8, 192.0.2.7, fd00::/8`, without port".to_owned()
    })
}

fn network(text: &str) -> Option<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(IpNet::from(address.to_canonical()));
    }
    let network: IpNet = text.parse().ok()?;
    // An IPv4 network written as one of IPv6 would never be met: addresses are compared in their own form.
    let is_mapped = matches!(network, IpNet::V6(network) if network.addr().to_ipv4_mapped().is_some());
    (!is_mapped).then_some(network)
}
