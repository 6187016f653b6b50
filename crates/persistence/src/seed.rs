//! Users for development, demonstrations and measurements: the three sample users, and any number of generated ones.

use domain::{Email, NewUser, Timestamp, UserName};
use fake::{
    Fake,
    faker::name::raw::Name,
    locales::{AR_SA, DE_DE, EN, FA_IR, FR_FR, IT_IT, JA_JP, PT_BR, TR_TR, ZH_CN, ZH_TW},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{Database, PersistenceError, UserRepository};

/// The users of a new development database, as in `init.sql`.
pub(crate) const SAMPLE_USERS: [(&str, &str); 3] = [
    ("Alice", "alice@example.com"),
    ("Bob", "bob@example.com"),
    ("Charlie", "charlie@example.com"),
];

/// Domains that are reserved for examples (RFC 2606 section 3), so that no generated user is ever written to.
const DOMAINS: [&str; 3] = ["example.com", "example.net", "example.org"];

/// The earliest time of creation, 2015-01-01T00:00:00Z, in microseconds.
const FIRST_CREATION_MICROS: i64 = 1_420_070_400_000_000;
/// Ten years later, which is in the past for every clock that is right.
const LAST_CREATION_MICROS: i64 = 1_735_689_600_000_000;

/// How many users one statement adds. All engines take far more values, but no faster.
const STATEMENT_USERS: usize = 1000;

/// How many users one transaction adds. Every commit writes all pages that have changed, and since the addresses and times
/// of new users lie anywhere in their indexes, that is nearly a page for each user and index: the larger the transaction, the
/// more users share a page.
const TRANSACTION_USERS: usize = 20 * STATEMENT_USERS;

/// Which users to generate. Equal plans generate equal users, on every engine and machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedPlan {
    /// How many users.
    pub count: u64,
    /// What the generator starts from.
    pub rng_seed: u64,
}

/// How far seeding has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeedProgress {
    /// Users that have been added.
    pub created: u64,
    /// Users that were left alone because their address existed.
    pub existing: u64,
}

/// Adds the users of `plan` in chunks, a transaction each, and reports to `progress` after every chunk.
///
/// A user whose address exists is left alone, so running a plan again, or to its end after a break, adds what is missing.
/// Dropping the future keeps whole chunks.
///
/// # Errors
/// When the database is unavailable or refuses; the chunks before are kept.
pub async fn seed(
    database: &Database,
    plan: SeedPlan,
    mut progress: impl FnMut(SeedProgress),
) -> Result<SeedProgress, PersistenceError> {
    let mut done = SeedProgress::default();
    let mut generated = generate(plan).peekable();
    while generated.peek().is_some() {
        let chunk: Vec<_> = generated.by_ref().take(TRANSACTION_USERS).collect();
        let existing = add_missing(database, &chunk).await?;
        done.existing += existing;
        done.created += chunk.len() as u64 - existing;
        progress(done);
    }
    Ok(done)
}

/// Adds Alice, Bob and Charlie.
///
/// # Errors
/// When the database is unavailable or refuses.
pub async fn add_sample_users(database: &Database) -> Result<(), PersistenceError> {
    let now = Timestamp::now();
    let users = SAMPLE_USERS
        .iter()
        .filter_map(|(name, email)| Some((new_user(name, email)?, now)));
    add_missing(database, &users.collect::<Vec<_>>()).await.map(|_| ())
}

/// Deletes all users.
///
/// # Errors
/// When the database is unavailable or refuses.
pub async fn truncate(database: &Database) -> Result<(), PersistenceError> {
    UserRepository::new(database.writer()).delete_all().await
}

/// Adds users in one transaction and returns how many were there already. Usually none was, so only if the unique index
/// objects is it looked up which.
async fn add_missing(database: &Database, users: &[(NewUser, Timestamp)]) -> Result<u64, PersistenceError> {
    match add_new(database, users).await {
        Err(PersistenceError::EmailTaken) => add_others(database, users).await,
        outcome => outcome.map(|()| 0),
    }
}

async fn add_new(database: &Database, users: &[(NewUser, Timestamp)]) -> Result<(), PersistenceError> {
    let transaction = database.begin().await?;
    let repository = UserRepository::new(&transaction);
    for chunk in users.chunks(STATEMENT_USERS) {
        repository.insert_at(chunk).await?;
    }
    transaction.commit().await
}

async fn add_others(database: &Database, users: &[(NewUser, Timestamp)]) -> Result<u64, PersistenceError> {
    let transaction = database.begin().await?;
    let repository = UserRepository::new(&transaction);
    let mut existed = 0;
    for chunk in users.chunks(STATEMENT_USERS) {
        // The look-up only counts; the unique index decides.
        let existing = repository
            .existing_emails(chunk.iter().map(|(user, _)| &user.email))
            .await?;
        let missing = chunk.iter().filter(|(user, _)| !existing.contains(&user.email));
        let missing: Vec<_> = missing.cloned().collect();
        if !missing.is_empty() {
            repository.insert_missing(&missing).await?;
        }
        existed += existing.len() as u64;
    }
    transaction.commit().await?;
    Ok(existed)
}

fn new_user(name: &str, email: &str) -> Option<NewUser> {
    Some(NewUser {
        name: UserName::parse(name).ok()?,
        email: Email::parse(email).ok()?,
    })
}

/// The users of a plan. The addresses carry the seed and the position, so plans with different seeds do not collide.
fn generate(plan: SeedPlan) -> impl Iterator<Item = (NewUser, Timestamp)> {
    let mut rng = StdRng::seed_from_u64(plan.rng_seed);
    (1..=plan.count).filter_map(move |position| {
        let name = name_in_some_script(&mut rng);
        let domain = DOMAINS.get(rng.random_range(0..DOMAINS.len()))?;
        let created_at =
            Timestamp::from_unix_micros(rng.random_range(FIRST_CREATION_MICROS..LAST_CREATION_MICROS)).ok()?;
        let email = format!("user-{}-{position}@{domain}", plan.rng_seed);
        Some((new_user(&name, &email)?, created_at))
    })
}

fn name_in_some_script(rng: &mut StdRng) -> String {
    match rng.random_range(0..11) {
        0 => Name(AR_SA).fake_with_rng(rng),
        1 => Name(DE_DE).fake_with_rng(rng),
        2 => Name(FA_IR).fake_with_rng(rng),
        3 => Name(FR_FR).fake_with_rng(rng),
        4 => Name(IT_IT).fake_with_rng(rng),
        5 => Name(JA_JP).fake_with_rng(rng),
        6 => Name(PT_BR).fake_with_rng(rng),
        7 => Name(TR_TR).fake_with_rng(rng),
        8 => Name(ZH_CN).fake_with_rng(rng),
        9 => Name(ZH_TW).fake_with_rng(rng),
        _ => Name(EN).fake_with_rng(rng),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_always_generates_the_same_valid_users_of_the_past() {
        let plan = SeedPlan {
            count: 500,
            rng_seed: 42,
        };
        let users: Vec<_> = generate(plan).collect();
        assert_eq!(users.len(), 500, "a generated user broke a rule and was dropped");
        assert_eq!(users, generate(plan).collect::<Vec<_>>());
        assert!(users.iter().all(|(_, created_at)| *created_at < Timestamp::now()));
        assert!(users.iter().any(|(user, _)| !user.name.as_str().is_ascii()));
    }

    #[test]
    fn plans_with_different_seeds_share_no_address() {
        let emails = |rng_seed| generate(SeedPlan { count: 100, rng_seed }).map(|(user, _)| user.email);
        let first: std::collections::HashSet<_> = emails(1).collect();
        assert!(emails(2).all(|email| !first.contains(&email)));
    }

    #[test]
    fn the_sample_users_obey_the_rules() {
        assert!(SAMPLE_USERS.iter().all(|(name, email)| new_user(name, email).is_some()));
    }
}
