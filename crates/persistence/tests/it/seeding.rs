//! Generated users.

use persistence::{SeedPlan, SeedProgress, add_sample_users, seed, test_db::TestDatabase, truncate};

use crate::support::count;

pub(crate) async fn seeding_twice_adds_what_is_missing(db: TestDatabase) {
    let mut reports = Vec::new();
    let plan = SeedPlan {
        count: 20_500,
        rng_seed: 7,
    };
    let done = seed(db.database(), plan, |progress| reports.push(progress))
        .await
        .unwrap();
    assert_eq!(
        done,
        SeedProgress {
            created: 20_500,
            existing: 0
        }
    );
    assert_eq!(
        reports.iter().map(|progress| progress.created).collect::<Vec<_>>(),
        [20_000, 20_500]
    );
    let longer = SeedPlan { count: 20_600, ..plan };
    assert_eq!(
        seed(db.database(), longer, |_| {}).await.unwrap(),
        SeedProgress {
            created: 100,
            existing: 20_500
        }
    );
    assert_eq!(count(&db).await, 20_600);
    add_sample_users(db.database()).await.unwrap();
    add_sample_users(db.database()).await.unwrap();
    assert_eq!(count(&db).await, 20_603);
    truncate(db.database()).await.unwrap();
    assert_eq!(count(&db).await, 0);
}
