//! How fresh an answer has to be (RFC 9111 section 5.2.1.4): `Cache-Control: no-cache` asks whoever knows for certain.

use actix_web::{HttpRequest, http::header::CACHE_CONTROL, web::Bytes};
use service::Freshness;
use utoipa::IntoParams;

use crate::{extract::FromHeaders, problem::Problem};

/// `Cache-Control` as the OpenAPI document describes it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header that is read by hand")]
pub(crate) struct CacheControlHeader {
    /// `no-cache` asks the primary database, which has every change that was ever acknowledged. Without it the answer may come
    /// from a read replica, where there are any, and be as old as the service allows.
    #[param(rename = "Cache-Control", nullable = false, example = "no-cache")]
    cache_control: Option<String>,
}

/// Directives that are not known are passed over, as the RFC asks, so there is nothing to refuse.
impl FromHeaders for Freshness {
    fn read(request: &HttpRequest, _: &Bytes) -> Result<Self, Problem> {
        let values = request.headers().get_all(CACHE_CONTROL);
        let mut directives = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        let asks_anew = directives.any(|directive| directive.trim().eq_ignore_ascii_case("no-cache"));
        Ok(if asks_anew { Self::Current } else { Self::MayLag })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn no_cache_asks_the_primary_and_nothing_else_does() {
        for (values, expected) in [
            (&[][..], Freshness::MayLag),
            (&["no-cache"], Freshness::Current),
            (&["max-age=0, No-Cache"], Freshness::Current),
            (&["no-store", "no-cache"], Freshness::Current),
            (&["no-cache-at-all", "max-age=60"], Freshness::MayLag),
            (&["", ",,"], Freshness::MayLag),
        ] {
            let mut request = TestRequest::get();
            for value in values {
                request = request.append_header((CACHE_CONTROL, *value));
            }
            let freshness = Freshness::read(&request.to_http_request(), &Bytes::new()).unwrap();
            assert_eq!(freshness, expected, "{values:?}");
        }
    }
}
