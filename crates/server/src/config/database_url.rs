//! Addresses of databases: checked, composed from parts, and shown without their password.
//!
//! No error in here repeats any piece of the address: in a malformed one the password can be anywhere.

use std::fmt::Write as _;

use persistence::ServerAddress;
use url::Url;

use super::variable::REDACTED;

/// What `DATABASE_URL` may be.
const ACCEPTED: &str = "an address such as `mysql://user:password@host:3306/name`, `mariadb://…`, `postgres://…` (of a cluster \
                        with several hosts: `mysql://user:password@a:3306,b:3306,c:3306/name`), `sqlite://file.db?mode=rwc` or \
                        `sqlite::memory:`";

/// The usual cause of an address that parses into nonsense.
const ENCODE: &str = "user and password percent-encoded (`@` is `%40`, `#` is `%23`, `/` is `%2F`, `?` is `%3F`, `%` is \
                      `%25`), or the separate parts `DB_HOST`, `DB_USER`, `DB_PASSWORD`, … which are encoded for you";

/// What the separate variables say; the password exactly as the server expects it.
pub(super) struct Parts<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) user: &'a str,
    pub(super) password: &'a str,
    pub(super) name: &'a str,
}

/// Checks an address and answers it in the form that the drivers read (`mariadb://` becomes `mysql://`).
pub(super) fn check(text: &str) -> Result<String, String> {
    let (scheme, rest) = text.trim().split_once(':').ok_or(ACCEPTED)?;
    match scheme.to_ascii_lowercase().as_str() {
        "sqlite" => check_sqlite(rest),
        "mysql" | "mariadb" => check_hosts("mysql", rest),
        "postgres" | "postgresql" => check_hosts("postgres", rest),
        _ => Err(ACCEPTED.to_owned()),
    }
}

/// Checks the address of each host alone, and puts them together again.
fn check_hosts(scheme: &str, rest: &str) -> Result<String, String> {
    let text = format!("{scheme}:{rest}");
    let address = ServerAddress::parse(&text);
    let each = address
        .of_each_host()
        .map(|url| {
            check_server(
                scheme,
                url.strip_prefix(scheme)
                    .and_then(|url| url.strip_prefix(':'))
                    .unwrap_or(&url),
            )
        })
        .collect::<Result<Vec<_>, _>>()?;
    let hosts: Vec<_> = each
        .iter()
        .flat_map(|url| ServerAddress::parse(url).hosts().to_vec())
        .collect();
    let are_several = hosts.len() > 1;
    if are_several && hosts.iter().any(|host| host.is_empty()) {
        return Err("a host between all commas of an address with several hosts".to_owned());
    }
    let first = each.first().ok_or(ACCEPTED)?;
    Ok(ServerAddress::parse(first).with_host(&hosts.join(",")))
}

fn check_server(scheme: &str, rest: &str) -> Result<String, String> {
    let url = Url::parse(&format!("{scheme}:{rest}")).map_err(|_| format!("{ACCEPTED}; {ENCODE}"))?;
    // `mysql://user:12/34@host/name` is a valid address of the host `user`. Where an `@` or a `#` ends up outside the
    // user part, an unencoded character of the password has cut the address short.
    let is_cut_short = url.fragment().is_some() || url.path().contains('@') || url.query().unwrap_or("").contains('@');
    if is_cut_short {
        return Err(ENCODE.to_owned());
    }
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    let has_name = !url.path().trim_start_matches('/').is_empty();
    // PostgreSQL names a socket directory in the query and uses the user's name for the database; MySQL does neither.
    if scheme == "mysql" && !(has_host && has_name) {
        return Err(
            "an address with a host and the name of a database: `mysql://user:password@host:3306/name`".to_owned(),
        );
    }
    Ok(url.into())
}

fn check_sqlite(rest: &str) -> Result<String, String> {
    let refused = || {
        "`sqlite://file.db`, `sqlite:///absolute/file.db` or `sqlite::memory:`, with no other parameters than `mode` \
         (`ro`, `rw`, `rwc`, `memory`), `cache` (`shared`, `private`), `immutable` and `vfs`"
            .to_owned()
    };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if path.trim_start_matches("//").is_empty() {
        return Err(refused());
    }
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let is_known = match key.as_ref() {
            "mode" => ["ro", "rw", "rwc", "memory"].contains(&value.as_ref()),
            "cache" => ["shared", "private"].contains(&value.as_ref()),
            "immutable" => ["true", "false", "1", "0"].contains(&value.as_ref()),
            "vfs" => !value.is_empty(),
            _ => false,
        };
        if !is_known {
            return Err(refused());
        }
    }
    Ok(format!("sqlite:{rest}"))
}

/// Composes a MySQL address. None if the host cannot stand in one; the other parts always can.
pub(super) fn compose(parts: &Parts<'_>) -> Option<String> {
    let mut url = Url::parse("mysql://host").ok()?;
    // An IPv6 address stands in brackets in an address and without them in `DB_HOST`.
    let host = if parts.host.contains(':') {
        format!("[{}]", parts.host)
    } else {
        parts.host.to_owned()
    };
    url.set_host(Some(&host)).ok()?;
    url.set_port(Some(parts.port)).ok()?;
    url.set_username(&percent_sign_encoded(parts.user)).ok()?;
    if !parts.password.is_empty() {
        url.set_password(Some(&percent_sign_encoded(parts.password))).ok()?;
    }
    url.path_segments_mut().ok()?.push(parts.name);
    Some(url.into())
}

/// `Url` encodes everything in user and password but `%`, so that a password `100%41` would arrive as `100A`.
fn percent_sign_encoded(text: &str) -> String {
    text.replace('%', "%25")
}

/// The address with its password replaced, as `config` shows it; all of it where the password cannot be told apart.
pub(super) fn without_password(text: &str) -> String {
    if text.starts_with("sqlite:") {
        return text.to_owned();
    }
    let each: Option<Vec<_>> = ServerAddress::parse(text)
        .of_each_host()
        .map(|url| Url::parse(&url).ok().filter(Url::has_host))
        .collect();
    let shown: Vec<_> = each
        .unwrap_or_default()
        .iter()
        .map(of_one_host_without_password)
        .collect();
    let Some(first) = shown.first() else {
        return REDACTED.to_owned();
    };
    let hosts: Vec<_> = shown
        .iter()
        .flat_map(|url| ServerAddress::parse(url).hosts().to_vec())
        .collect();
    ServerAddress::parse(first).with_host(&hosts.join(","))
}

fn of_one_host_without_password(url: &Url) -> String {
    let mut shown = format!("{}://", url.scheme());
    if !url.username().is_empty() || url.password().is_some() {
        shown.push_str(url.username());
        if url.password().is_some() {
            shown.push(':');
            shown.push_str(REDACTED);
        }
        shown.push('@');
    }
    shown.push_str(url.host_str().unwrap_or(""));
    if let Some(port) = url.port() {
        // Writing to a `String` cannot fail.
        let _ = write!(shown, ":{port}");
    }
    shown.push_str(url.path());
    for (index, (key, value)) in url.query_pairs().enumerate() {
        // PostgreSQL takes `?password=`.
        let value = if key.to_ascii_lowercase().contains("password") {
            REDACTED
        } else {
            value.as_ref()
        };
        let separator = if index == 0 { '?' } else { '&' };
        let _ = write!(shown, "{separator}{key}={value}");
    }
    shown
}
