//! Reads `CORS_ORIGINS`: origins as a browser writes them (RFC 6454 section 6.2), since it is their bytes that are compared
//! later.

use api::CrossOrigin;
use url::Url;

use super::problem::printable;

const ANY: &str = "*";

/// Origins separated by commas; or a JSON list, the form in which the settings of Python programs have them. Whoever reads
/// `.env` files takes the quotes out of that, so it comes with and without.
pub(super) fn parse(text: &str) -> Result<CrossOrigin, String> {
    let text = text.trim();
    let within_brackets = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let list = within_brackets.unwrap_or(text).trim();
    if list.is_empty() {
        return Ok(CrossOrigin::Nobody);
    }
    let items: Vec<&str> = list.split(',').map(|item| item.trim().trim_matches('"')).collect();
    let named = items.iter().filter(|item| **item != ANY);
    let origins = named
        .map(|item| origin(item).ok_or_else(|| accepted(item)))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(if origins.len() < items.len() {
        CrossOrigin::Anybody
    } else {
        CrossOrigin::Origins(origins)
    })
}

fn accepted(refused: &str) -> String {
    format!(
        "`*`, or origins separated by commas, each a scheme, a host and perhaps a port, such as \
         `https://app.example.com,http://localhost:3000`; no path, no slash at the end, no pattern, no `null`; `{refused}` \
         is none",
        refused = printable(refused)
    )
}

/// An origin in the one form that browsers send: in lower case, without a port that the scheme implies.
fn origin(text: &str) -> Option<String> {
    let (scheme, authority) = text.split_once("://")?;
    let has_more = authority.contains(|character: char| "/?#@\\*".contains(character) || character.is_whitespace());
    let url = Url::parse(text).ok()?;
    // Pages from files have the origin `null`.
    if has_more || !url.has_host() || url.scheme() == "file" || !url.scheme().eq_ignore_ascii_case(scheme) {
        return None;
    }
    let origin = url.origin();
    // Schemes of applications, such as `capacitor://localhost`, have no implied ports.
    Some(if origin.is_tuple() {
        origin.ascii_serialization()
    } else {
        url.to_string()
    })
}
