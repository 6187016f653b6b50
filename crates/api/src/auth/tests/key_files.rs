//! A file of keys that changes while the service runs.

use std::{fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    Authenticator, Issuer, Refusal,
    issuer::{claims, set},
    with_file,
};

/// A folder with a file of keys in it.
struct Scene {
    folder: TempDir,
    authenticator: Authenticator,
}

impl Scene {
    fn new(set: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.json");
        fs::write(&file, set.to_string()).unwrap();
        Self {
            authenticator: with_file(file),
            folder,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a new file in the place of the old one, as careful programs do.
    fn replace(&self, content: impl AsRef<[u8]>) {
        fs::write(self.path("new"), content).unwrap();
        fs::rename(self.path("new"), self.path("keys.json")).unwrap();
    }

    async fn verdict(&self, issuer: &Issuer) -> Result<(), Refusal> {
        self.authenticator.judge(&issuer.token(&claims())).await.map(drop)
    }

    /// Waits until the token of an issuer is refused; the age that keys may have is bounded.
    async fn forgets(&self, issuer: &Issuer) {
        for _ in 0..600 {
            if self.verdict(issuer).await == Err(Refusal::UnknownKey) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{} is still known", issuer.id);
    }
}

#[actix_web::test]
async fn a_new_key_is_known_at_its_first_token() {
    let (old, new) = (Issuer::p256(), Issuer::ed25519());
    let scene = Scene::new(&set(&[&old]));
    assert_eq!(scene.verdict(&new).await, Err(Refusal::UnknownKey));
    scene.replace(set(&[&old, &new]).to_string());
    assert_eq!(scene.verdict(&new).await, Ok(()));
    assert_eq!(scene.verdict(&old).await, Ok(()));
}

#[actix_web::test]
async fn many_tokens_of_a_new_key_are_accepted_at_once() {
    let (old, new) = (Issuer::p256(), Issuer::ed25519());
    let scene = Scene::new(&set(&[&old]));
    scene.replace(set(&[&new]).to_string());
    let verdicts = futures_util::future::join_all((0..50).map(|_| scene.verdict(&new))).await;
    assert!(verdicts.iter().all(Result::is_ok), "{verdicts:?}");
}

#[actix_web::test]
async fn a_key_that_is_replaced_under_its_name_is_known_at_its_first_token() {
    let old = Issuer::p256();
    let new = Issuer::new(old.id, old.algorithm, Issuer::other_p256().key);
    let scene = Scene::new(&set(&[&old]));
    assert_eq!(scene.verdict(&new).await, Err(Refusal::Signature));
    // In place, and of the same length.
    let (before, after) = (set(&[&old]).to_string(), set(&[&new]).to_string());
    assert_eq!(before.len(), after.len());
    fs::write(scene.path("keys.json"), after).unwrap();
    assert_eq!(scene.verdict(&new).await, Ok(()));
    assert_eq!(scene.verdict(&old).await, Err(Refusal::Signature));
}

#[actix_web::test]
async fn a_key_that_is_withdrawn_is_forgotten() {
    let (old, new) = (Issuer::p256(), Issuer::ed25519());
    let scene = Scene::new(&set(&[&old, &new]));
    assert_eq!(scene.verdict(&old).await, Ok(()));
    scene.replace(set(&[&new]).to_string());
    scene.forgets(&old).await;
    assert_eq!(scene.verdict(&new).await, Ok(()));
}

#[actix_web::test]
async fn a_bad_new_file_keeps_the_old_keys() {
    let (old, new) = (Issuer::p256(), Issuer::ed25519());
    let scene = Scene::new(&set(&[&old]));
    let too_large = " ".repeat(1024 * 1024) + &set(&[&new]).to_string();
    for bad in ["", "{", "{\"keys\": []}", &set(&[&old]).to_string()[..50], &too_large] {
        scene.replace(bad);
        // An unknown key makes the file be looked at.
        assert_eq!(scene.verdict(&new).await, Err(Refusal::UnknownKey), "{bad:.50}");
        assert_eq!(scene.verdict(&old).await, Ok(()), "{bad:.50}");
    }
    fs::remove_file(scene.path("keys.json")).unwrap();
    assert_eq!(scene.verdict(&new).await, Err(Refusal::UnknownKey));
    assert_eq!(scene.verdict(&old).await, Ok(()));
    scene.replace(set(&[&new]).to_string());
    assert_eq!(scene.verdict(&new).await, Ok(()));
}

/// A mounted `ConfigMap` is a link to a link to a folder, and the middle one is renamed over.
#[cfg(unix)]
#[actix_web::test]
async fn keys_behind_a_link_that_now_leads_elsewhere_are_read() {
    use std::os::unix::fs::symlink;

    let (old, new) = (Issuer::p256(), Issuer::ed25519());
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let put = |name: &str, issuer: &Issuer| {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("keys.json"), set(&[issuer]).to_string()).unwrap();
    };
    put("..1", &old);
    symlink("..1", at("..data")).unwrap();
    symlink(Path::new("..data").join("keys.json"), at("keys.json")).unwrap();
    let authenticator = with_file(at("keys.json"));
    assert!(authenticator.judge(&old.token(&claims())).await.is_ok());
    put("..2", &new);
    symlink("..2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    fs::remove_dir_all(at("..1")).unwrap();
    assert!(authenticator.judge(&new.token(&claims())).await.is_ok());
    assert_eq!(
        authenticator.judge(&old.token(&claims())).await,
        Err(Refusal::UnknownKey)
    );
}
