//! How tokens are sent, and how refusals are told.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Authenticator, Issuer, Refusal, issuer::claims_with, with_secret};
use crate::auth::{AuthOptions, token::LONGEST_TOKEN_BYTES};

fn good_token() -> String {
    Issuer::secret().token(&claims_with("aud", Value::Null))
}

#[actix_web::test]
async fn the_name_of_the_scheme_is_taken_in_any_case() {
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        for spaces in [" ", "   "] {
            let value = format!("{scheme}{spaces}{}", good_token());
            assert!(with_secret(None, None).judge_header(&value).await.is_ok(), "{scheme}");
        }
    }
}

#[actix_web::test]
async fn a_request_without_a_bearer_token_brings_none() {
    let authenticator = with_secret(None, None);
    assert_eq!(authenticator.identify(&HeaderMap::new()).await, Err(Refusal::NoToken));
    for value in ["Basic YW5uOnB3", "", "Bear", "Bearerx", "Negotiate", "Bearer=x"] {
        assert_eq!(
            authenticator.judge_header(value).await,
            Err(Refusal::NoToken),
            "{value}"
        );
    }
    let bare = authenticator.judge_header(&good_token()).await;
    assert_eq!(bare, Err(Refusal::NoToken), "a token without its scheme");
}

#[actix_web::test]
async fn several_authorization_headers_are_refused_even_if_they_agree() {
    let value = HeaderValue::from_str(&format!("Bearer {}", good_token())).unwrap();
    let mut headers = HeaderMap::new();
    headers.append(AUTHORIZATION, value.clone());
    headers.append(AUTHORIZATION, value);
    let verdict = with_secret(None, None).identify(&headers).await;
    assert_eq!(verdict, Err(Refusal::RepeatedHeader));
}

#[actix_web::test]
async fn a_token_of_more_than_8_kib_is_refused_unread() {
    let padded = |length: usize| {
        let short = Issuer::secret().token(&claims_with("aud", Value::Null));
        let room = (length - short.len()) / 4 * 3;
        let mut claims = claims_with("aud", Value::Null);
        claims["padding"] = json!("x".repeat(room - 30));
        Issuer::secret().token(&claims)
    };
    let authenticator = with_secret(None, None);
    let (fits, exceeds) = (padded(LONGEST_TOKEN_BYTES), padded(LONGEST_TOKEN_BYTES + 100));
    assert!(fits.len() <= LONGEST_TOKEN_BYTES && exceeds.len() > LONGEST_TOKEN_BYTES);
    assert!(authenticator.judge(&fits).await.is_ok());
    assert_eq!(authenticator.judge(&exceeds).await, Err(Refusal::TooLong));
    let nonsense = "x".repeat(LONGEST_TOKEN_BYTES);
    assert_eq!(authenticator.judge(&nonsense).await, Err(Refusal::Malformed));
    assert_eq!(authenticator.judge(&(nonsense + "x")).await, Err(Refusal::TooLong));
}

#[actix_web::test]
async fn what_is_no_signed_token_is_malformed() {
    let good = good_token();
    let encrypted = format!("{good}.x.x");
    let padded = good.replacen('.', "=.", 1);
    for token in [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        "e30.e30.e30",
        &encrypted,
        &padded,
        "W10.e30.x",
    ] {
        let verdict = with_secret(None, None).judge(token).await;
        assert_eq!(verdict, Err(Refusal::Malformed), "{token}");
    }
}

#[actix_web::test]
async fn where_no_token_is_asked_for_none_is_looked_at() {
    let open = Authenticator::new(&AuthOptions::None, None).unwrap();
    for value in ["Bearer nonsense", "Basic x", ""] {
        assert_eq!(open.judge_header(value).await, Ok(None), "{value}");
    }
}

/// RFC 6750 section 3 allows no quote, backslash or character beyond ASCII in a description.
#[test]
fn every_refusal_is_told_in_a_challenge_of_the_right_form() {
    let refusals = [
        Refusal::NoToken,
        Refusal::RepeatedHeader,
        Refusal::TooLong,
        Refusal::Malformed,
        Refusal::Algorithm,
        Refusal::CriticalExtension,
        Refusal::NoKeyId,
        Refusal::UnknownKey,
        Refusal::Signature,
        Refusal::MalformedClaim,
        Refusal::NoExpiry,
        Refusal::Expired,
        Refusal::NotYetValid,
        Refusal::Issuer,
        Refusal::Audience,
        Refusal::Subject,
    ];
    for refusal in refusals {
        let text = refusal.to_string();
        let is_allowed = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
        assert!(text.bytes().all(is_allowed), "{text}");
        let answer = refusal.into_problem().to_response("/", "id");
        let challenge = answer.headers().get("www-authenticate").unwrap().to_str().unwrap();
        let expected = match refusal {
            Refusal::NoToken => "Bearer realm=\"async-starter\"".to_owned(),
            _ => format!("Bearer realm=\"async-starter\", error=\"invalid_token\", error_description=\"{text}\""),
        };
        assert_eq!((answer.status().as_u16(), challenge), (401, expected.as_str()));
    }
}

proptest! {
    #[test]
    fn no_text_is_a_token_by_chance(text in "[ -~]{0,200}") {
        let verdict = futures_util::FutureExt::now_or_never(with_secret(None, None).judge(&text)).unwrap();
        prop_assert!(verdict.is_err());
    }

    #[test]
    fn no_claims_make_it_fail_otherwise(claims in "[ -~]{0,100}") {
        let issuer = Issuer::secret();
        let token = issuer.sign(&issuer.header(), &claims);
        let verdict = futures_util::FutureExt::now_or_never(with_secret(None, None).judge(&token)).unwrap();
        prop_assert!(verdict.is_err());
    }
}
