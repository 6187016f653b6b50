//! What a token claims, once its signature is found good.

use serde_json::{Value, json};

use super::{
    AUDIENCE, ISSUER, Issuer, Refusal, Scope,
    issuer::{claims, claims_with, in_seconds},
    with_secret,
};

/// The verdict on a token with these claims, where issuer and audience are configured.
async fn verdict(claims: Value) -> Result<(), Refusal> {
    let token = Issuer::secret().token(&claims);
    with_secret(Some(ISSUER), Some(AUDIENCE)).judge(&token).await.map(drop)
}

#[actix_web::test]
async fn a_token_tells_who_calls_and_what_it_may_do() {
    let token = Issuer::secret().token(&claims());
    let principal = with_secret(Some(ISSUER), Some(AUDIENCE)).judge(&token).await.unwrap();
    assert_eq!((principal.issuer(), principal.subject()), (Some(ISSUER), "ann"));
    assert!(principal.has_scope(Scope::UsersRead) && !principal.has_scope(Scope::UsersWrite));
}

#[actix_web::test]
async fn a_token_without_scopes_is_accepted_and_allows_nothing() {
    let token = Issuer::secret().token(&claims_with("scope", Value::Null));
    let principal = with_secret(Some(ISSUER), Some(AUDIENCE)).judge(&token).await.unwrap();
    assert!(!principal.has_scope(Scope::UsersRead) && !principal.has_scope(Scope::UsersWrite));
}

#[actix_web::test]
async fn an_expired_token_is_refused_after_a_minute_of_leeway() {
    assert_eq!(verdict(claims_with("exp", json!(in_seconds(-30)))).await, Ok(()));
    for exp in [in_seconds(-90), 0, 1] {
        assert_eq!(
            verdict(claims_with("exp", json!(exp))).await,
            Err(Refusal::Expired),
            "{exp}"
        );
    }
}

#[actix_web::test]
async fn a_token_without_an_expiry_is_refused() {
    for exp in [Value::Null, json!("9999999999"), json!(-1), json!([]), json!(true)] {
        assert_eq!(
            verdict(claims_with("exp", exp.clone())).await,
            Err(Refusal::NoExpiry),
            "{exp}"
        );
    }
}

#[actix_web::test]
async fn a_token_that_is_not_valid_yet_is_refused_before_a_minute_of_leeway() {
    assert_eq!(verdict(claims_with("nbf", json!(in_seconds(30)))).await, Ok(()));
    assert_eq!(
        verdict(claims_with("nbf", json!(in_seconds(90)))).await,
        Err(Refusal::NotYetValid)
    );
    assert_eq!(
        verdict(claims_with("nbf", json!("soon"))).await,
        Err(Refusal::MalformedClaim)
    );
}

#[actix_web::test]
async fn a_token_of_another_issuer_is_refused() {
    for iss in [
        "",
        "https://issuer.example/",
        "HTTPS://ISSUER.EXAMPLE",
        "https://other.example",
    ] {
        assert_eq!(
            verdict(claims_with("iss", json!(iss))).await,
            Err(Refusal::Issuer),
            "{iss}"
        );
    }
    assert_eq!(verdict(claims_with("iss", Value::Null)).await, Err(Refusal::Issuer));
    // The library would take a list that names the issuer.
    assert_eq!(
        verdict(claims_with("iss", json!([ISSUER]))).await,
        Err(Refusal::MalformedClaim)
    );
}

#[actix_web::test]
async fn without_a_configured_issuer_any_is_accepted() {
    for iss in [Value::Null, json!("https://other.example")] {
        let token = Issuer::secret().token(&claims_with("iss", iss.clone()));
        let principal = with_secret(None, Some(AUDIENCE)).judge(&token).await.unwrap();
        assert_eq!(principal.issuer(), iss.as_str());
    }
}

#[actix_web::test]
async fn a_token_for_another_audience_is_refused() {
    for aud in [
        json!("other"),
        json!(["other", "another"]),
        json!(""),
        json!([]),
        Value::Null,
    ] {
        assert_eq!(
            verdict(claims_with("aud", aud.clone())).await,
            Err(Refusal::Audience),
            "{aud}"
        );
    }
    for aud in [json!(AUDIENCE), json!(["other", AUDIENCE])] {
        assert_eq!(verdict(claims_with("aud", aud.clone())).await, Ok(()), "{aud}");
    }
}

#[actix_web::test]
async fn without_a_configured_audience_a_token_for_any_is_refused() {
    let authenticator = with_secret(Some(ISSUER), None);
    for (aud, expected) in [
        (json!(AUDIENCE), Err(Refusal::Audience)),
        (json!(["other"]), Err(Refusal::Audience)),
        (json!([]), Err(Refusal::Audience)),
        // The library lets these two pass for no audience.
        (json!(5), Err(Refusal::MalformedClaim)),
        (json!({"aud": "x"}), Err(Refusal::MalformedClaim)),
        (Value::Null, Ok(())),
    ] {
        let token = Issuer::secret().token(&claims_with("aud", aud.clone()));
        assert_eq!(authenticator.judge(&token).await.map(drop), expected, "{aud}");
    }
}

#[actix_web::test]
async fn a_token_without_a_subject_of_bounded_length_is_refused() {
    for sub in [Value::Null, json!(""), json!("é".repeat(256))] {
        assert_eq!(
            verdict(claims_with("sub", sub.clone())).await,
            Err(Refusal::Subject),
            "{sub}"
        );
    }
    for sub in ["a", "田中太郎", &"é".repeat(255)] {
        assert_eq!(verdict(claims_with("sub", json!(sub))).await, Ok(()), "{sub}");
    }
}

#[actix_web::test]
async fn claims_of_other_types_are_refused() {
    for (name, value) in [
        ("sub", json!(7)),
        ("scope", json!(["users:read"])),
        ("iss", json!(7)),
        ("aud", json!(7)),
        ("aud", json!([7])),
    ] {
        let verdict = verdict(claims_with(name, value.clone())).await;
        assert_eq!(verdict, Err(Refusal::MalformedClaim), "{name}: {value}");
    }
}

#[actix_web::test]
async fn claims_that_contradict_each_other_are_refused() {
    let issuer = Issuer::secret();
    for claims in [
        format!("{{\"sub\": \"ann\", \"sub\": \"bob\", \"exp\": {}}}", in_seconds(300)),
        format!("{{\"sub\": \"ann\", \"exp\": 1, \"exp\": {}}}", in_seconds(300)),
        "[]".to_owned(),
        "null".to_owned(),
        "\"ann\"".to_owned(),
        "{".to_owned(),
        String::new(),
    ] {
        let token = issuer.sign(&issuer.header(), &claims);
        let verdict = with_secret(None, None).judge(&token).await;
        assert_eq!(verdict, Err(Refusal::MalformedClaim), "{claims}");
    }
}
