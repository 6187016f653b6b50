//! Which keys of a JWK set are used.

use serde_json::{Value, json};

use super::{Issuer, issuer::set};
use crate::auth::{AuthError, AuthOptions, Authenticator, JwksError, JwtOptions, keys::KeySet};

fn parse(set: &Value) -> Result<KeySet, JwksError> {
    KeySet::parse(set.to_string().as_bytes())
}

/// The public key of an issuer with one member changed; taken away if it is null.
fn changed(issuer: &Issuer, name: &str, value: &Value) -> Value {
    let mut jwk = issuer.jwk();
    if value.is_null() {
        jwk.as_object_mut().unwrap().remove(name);
    } else {
        jwk[name] = value.clone();
    }
    jwk
}

#[test]
fn members_that_restrict_a_key_may_be_missing() {
    for issuer in [Issuer::rsa(), Issuer::p256(), Issuer::ed25519()] {
        for (name, value) in [
            ("use", Value::Null),
            ("alg", Value::Null),
            ("kid", Value::Null),
            ("key_ops", json!(["verify"])),
            ("x5t", json!("whatever")),
        ] {
            let keys = parse(&json!({"keys": [changed(&issuer, name, &value)], "more": 1})).unwrap();
            assert_eq!((keys.usable(), keys.ignored()), (1, 0), "{name}");
        }
    }
}

#[test]
fn keys_of_other_kinds_for_other_purposes_weak_or_damaged_are_left_out() {
    let (rsa, p256, ed25519) = (Issuer::rsa(), Issuer::p256(), Issuer::ed25519());
    let too_long = "A".repeat(44);
    for useless in [
        Issuer::weak_rsa().jwk(),
        Issuer::secret().jwk(),
        changed(&rsa, "use", &json!("enc")),
        changed(&rsa, "alg", &json!("RS512")),
        changed(&rsa, "alg", &json!("PS256")),
        changed(&rsa, "alg", &json!("RSA-OAEP")),
        changed(&rsa, "key_ops", &json!(["sign", "encrypt"])),
        changed(&rsa, "kty", &json!("XYZ")),
        changed(&rsa, "n", &json!("!")),
        changed(&rsa, "n", &json!(7)),
        changed(&rsa, "e", &Value::Null),
        changed(&p256, "crv", &json!("P-384")),
        changed(&p256, "crv", &json!("secp256k1")),
        changed(&p256, "x", &json!("A".repeat(43))),
        changed(&p256, "y", &json!("AAAA")),
        changed(&p256, "alg", &json!("HS256")),
        changed(&ed25519, "crv", &json!("X25519")),
        // The library would panic at one that is too short.
        changed(&ed25519, "x", &json!("AAAA")),
        changed(&ed25519, "x", &json!(too_long)),
        json!("no object"),
        json!({}),
    ] {
        let keys = parse(&json!({"keys": [useless, Issuer::other_p256().jwk()]})).unwrap();
        assert_eq!((keys.usable(), keys.ignored()), (1, 1), "{useless}");
        let alone = parse(&json!({"keys": [useless]}));
        assert!(matches!(alone, Err(JwksError::NoUsableKey)), "{useless}");
    }
}

#[test]
fn a_document_that_is_no_set_of_usable_keys_is_refused() {
    for document in [
        "",
        "{",
        "[]",
        "{}",
        "{\"keys\": {}}",
        "-----BEGIN PUBLIC KEY-----",
        "\"secret\"",
    ] {
        let refused = KeySet::parse(document.as_bytes());
        assert!(matches!(refused, Err(JwksError::Malformed { .. })), "{document}");
        assert!(!refused.unwrap_err().to_string().contains("secret"));
    }
    assert!(matches!(parse(&set(&[])), Err(JwksError::NoUsableKey)));
    let twins = set(&[&Issuer::p256(), &Issuer::ed25519(), &Issuer::p256()]);
    assert!(matches!(parse(&twins), Err(JwksError::RepeatedKeyId)));
}

#[test]
fn tokens_that_nothing_can_check_are_not_asked_for() {
    let jwt = |jwks_file| {
        AuthOptions::Jwt(JwtOptions {
            jwks_file,
            ..JwtOptions::default()
        })
    };
    for secret in [None, Some(&[b'x'; 31][..])] {
        let error = Authenticator::new(&jwt(None), secret).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("AUTH_JWKS_FILE") && text.contains("SECRET_KEY to 32 bytes"),
            "{text}"
        );
    }
    // A secret is no help where public keys are asked for.
    let error = Authenticator::new(&jwt(Some("/nowhere/keys.json".into())), Some(&[b'x'; 32])).unwrap_err();
    assert!(matches!(error, AuthError::Jwks { .. }));
    let text = crate::error_chain(&error);
    assert!(
        text.contains("/nowhere/keys.json") && text.contains("cannot be read"),
        "{text}"
    );
}
