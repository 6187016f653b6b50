//! Whose tokens are believed.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::{
    Issuer, Refusal, SECRET_KEY,
    issuer::{claims, claims_with, set},
    with_secret, with_set,
};

#[actix_web::test]
async fn a_token_of_each_accepted_kind_of_key_is_accepted() {
    let issuers = [Issuer::rsa(), Issuer::p256(), Issuer::ed25519()];
    let authenticator = with_set(&set(&issuers.each_ref()));
    for issuer in issuers {
        let verdict = authenticator.judge(&issuer.token(&claims())).await;
        assert_eq!(verdict.unwrap().subject(), "ann", "{}", issuer.id);
    }
}

#[actix_web::test]
async fn a_token_under_the_secret_key_is_accepted_whatever_name_it_gives_the_key() {
    let claims = claims_with("aud", Value::Null);
    for header in [json!({"alg": "HS256"}), json!({"alg": "HS256", "kid": "anything"})] {
        let token = Issuer::secret().sign(&header, &claims.to_string());
        assert_eq!(with_secret(None, None).judge(&token).await.unwrap().subject(), "ann");
    }
}

#[actix_web::test]
async fn a_token_by_no_algorithm_is_refused() {
    let issuer = Issuer::rsa();
    let authenticators = [with_set(&set(&[&issuer])), with_secret(None, None)];
    for name in ["none", "None", "NONE", "", "RS999"] {
        let header = json!({"alg": name, "kid": issuer.id});
        let unsigned = [header, claims()].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        for authenticator in &authenticators {
            let token = format!("{}.", unsigned.join("."));
            assert_eq!(authenticator.judge(&token).await, Err(Refusal::Algorithm), "{name}");
        }
    }
}

/// Who knows a public key must not be able to sign with it (RFC 8725 section 2.1).
#[actix_web::test]
async fn a_public_key_taken_for_a_shared_secret_is_refused() {
    let issuer = Issuer::rsa();
    let authenticator = with_set(&set(&[&issuer]));
    let pem = include_str!("../../../tests/keys/rsa_public.pem");
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::prelude::BASE64_STANDARD.decode(&base64).unwrap();
    let modulus = issuer.jwk()["n"].as_str().unwrap().to_owned();
    let modulus_bytes = BASE64_URL_SAFE_NO_PAD.decode(&modulus).unwrap();
    let secrets: [&[u8]; 7] = [
        pem.as_bytes(),
        pem.trim_end().as_bytes(),
        base64.as_bytes(),
        &der,
        modulus.as_bytes(),
        &modulus_bytes,
        b"",
    ];
    for secret in secrets {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let forger = Issuer::new(issuer.id, algorithm, EncodingKey::from_secret(secret));
            let verdict = authenticator.judge(&forger.token(&claims())).await;
            assert_eq!(verdict, Err(Refusal::Algorithm));
        }
    }
}

#[actix_web::test]
async fn a_key_is_good_for_one_algorithm_only() {
    let issuer = Issuer::rsa();
    let authenticator = with_set(&set(&[&issuer, &Issuer::p256()]));
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let other = Issuer::new(issuer.id, algorithm, Issuer::rsa().key);
        assert_eq!(
            authenticator.judge(&other.token(&claims())).await,
            Err(Refusal::Algorithm),
            "{algorithm:?}"
        );
    }
    let other = Issuer::new(issuer.id, Algorithm::ES256, Issuer::p256().key);
    assert_eq!(
        authenticator.judge(&other.token(&claims())).await,
        Err(Refusal::Algorithm)
    );
    let claims = claims_with("aud", Value::Null);
    for other in [
        Issuer::new("x", Algorithm::HS384, EncodingKey::from_secret(SECRET_KEY)),
        Issuer::new("x", Algorithm::HS512, EncodingKey::from_secret(SECRET_KEY)),
        Issuer::p256(),
    ] {
        let verdict = with_secret(None, None).judge(&other.token(&claims)).await;
        assert_eq!(verdict, Err(Refusal::Algorithm), "{:?}", other.algorithm);
    }
}

#[actix_web::test]
async fn where_public_keys_are_given_the_secret_key_signs_nothing() {
    let verdict = with_set(&set(&[&Issuer::p256()]))
        .judge(&Issuer::secret().token(&claims()))
        .await;
    assert_eq!(verdict, Err(Refusal::UnknownKey));
}

#[actix_web::test]
async fn a_token_of_an_unknown_key_is_refused() {
    let authenticator = with_set(&set(&[&Issuer::p256(), &Issuer::ed25519()]));
    let token = Issuer::other_p256().token(&claims());
    assert_eq!(authenticator.judge(&token).await, Err(Refusal::UnknownKey));
}

#[actix_web::test]
async fn a_token_may_leave_the_key_unnamed_where_there_is_but_one() {
    let issuer = Issuer::p256();
    let token = issuer.sign(&json!({"alg": "ES256"}), &claims().to_string());
    assert!(with_set(&set(&[&issuer])).judge(&token).await.is_ok());
    let two = with_set(&set(&[&issuer, &Issuer::ed25519()]));
    assert_eq!(two.judge(&token).await, Err(Refusal::NoKeyId));
}

#[actix_web::test]
async fn a_signature_by_another_key_is_refused() {
    let issuer = Issuer::p256();
    let authenticator = with_set(&set(&[&issuer]));
    let forger = Issuer::new(issuer.id, Algorithm::ES256, Issuer::other_p256().key);
    assert_eq!(
        authenticator.judge(&forger.token(&claims())).await,
        Err(Refusal::Signature)
    );
    // A key that a token brings along is nobody's.
    let mut header = forger.header();
    header["jwk"] = forger.jwk();
    header["jku"] = json!("https://forger.example/keys.json");
    let token = forger.sign(&header, &claims().to_string());
    assert_eq!(authenticator.judge(&token).await, Err(Refusal::Signature));
    let forger = Issuer::new("x", Algorithm::HS256, EncodingKey::from_secret(b"guessed"));
    let token = forger.token(&claims_with("aud", Value::Null));
    assert_eq!(with_secret(None, None).judge(&token).await, Err(Refusal::Signature));
}

#[actix_web::test]
async fn a_signature_covers_header_and_claims() {
    let issuer = Issuer::secret();
    let claims = claims_with("aud", Value::Null);
    let token = issuer.token(&claims);
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let more = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string().replace("users:read", "users:write"));
    let other_header = BASE64_URL_SAFE_NO_PAD.encode(json!({"alg": "HS256"}).to_string());
    for token in [
        format!("{header}.{more}.{signature}"),
        format!("{other_header}.{payload}.{signature}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.{}", &signature[..20]),
    ] {
        let verdict = with_secret(None, None).judge(&token).await;
        assert_eq!(verdict, Err(Refusal::Signature), "{token}");
    }
}

/// RFC 7515 section 4.1.11: what is not understood must not be passed over.
#[actix_web::test]
async fn a_token_with_critical_extensions_is_refused() {
    let issuer = Issuer::p256();
    let authenticator = with_set(&set(&[&issuer]));
    for crit in [json!(["b64"]), json!(["exp"]), json!([]), json!("b64"), json!(null)] {
        let mut header = issuer.header();
        header["crit"] = crit.clone();
        let token = issuer.sign(&header, &claims().to_string());
        assert_eq!(
            authenticator.judge(&token).await,
            Err(Refusal::CriticalExtension),
            "{crit}"
        );
    }
}
