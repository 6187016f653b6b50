//! Services on different nodes of a Galera cluster, all of which take writes: together they keep what one alone would.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicU32, Ordering},
};

use domain::{PageSize, Precondition, Timestamp, User};
use futures_util::future::{join_all, try_join_all};
use persistence::{
    Database, DatabaseOptions, UserRepository,
    test_db::{TestDatabase, TestEngine, variable},
};
use service::{Freshness, UserError, UserService};

use crate::{
    sharing::{numbered, sharing},
    support::{EVERYBODY, count, new_user, rename, retries, stored, users_of},
};

/// The variable that names the nodes of a Galera cluster, separated by commas.
pub(crate) const GALERA: &str = "TEST_GALERA_URLS";

/// A database, reached through each node of a cluster.
struct Cluster {
    /// Through the first node.
    db: TestDatabase,
    nodes: Vec<Database>,
}

impl Cluster {
    async fn create() -> Self {
        let urls = variable(GALERA).unwrap();
        let urls: Vec<_> = urls.split(',').collect();
        assert!(urls.len() > 2, "a cluster has three nodes at least: {urls:?}");
        let db = TestDatabase::create_at(TestEngine::MariaDb, urls[0]).await;
        let open = async |url: &&str| {
            let options = DatabaseOptions {
                url: db.url_on(url).into(),
                ..db.options()
            };
            Database::open(&options).await
        };
        let nodes = try_join_all(urls.iter().map(open)).await.unwrap();
        Self { db, nodes }
    }

    async fn remove(self) {
        for node in self.nodes {
            node.close().await.unwrap();
        }
        self.db.remove().await;
    }
}

/// A transaction that another node's has overtaken fails at COMMIT.
pub(crate) async fn what_another_node_has_overtaken_is_run_again(_: TestDatabase) {
    let cluster = Cluster::create().await;
    let (here, elsewhere) = (&cluster.nodes[0], users_of(&cluster.nodes[1]));
    let ann = users_of(here).create(new_user("Ann", "ann@example.com")).await.unwrap();
    let (runs, (retries, counters)) = (AtomicU32::new(0), retries());
    let outcome = retries.run(|| async {
        let transaction = here.begin().await?;
        UserRepository::new(&transaction)
            .update(ann.id, &rename("Here"), &Precondition::None, Timestamp::now())
            .await?;
        if runs.fetch_add(1, Ordering::Relaxed) == 0 {
            // Nothing locks the row on the other node.
            let overtaken = elsewhere.update(ann.id, rename("There"), Precondition::None).await;
            overtaken.unwrap();
        }
        transaction.commit().await
    });
    outcome.await.unwrap();
    assert_eq!(runs.load(Ordering::Relaxed), 2, "no node was overtaken");
    assert_eq!((counters.conflicts.get(), counters.total()), (1, 1));
    let stored = stored(&cluster.db, ann.id).await.unwrap();
    assert_eq!(
        (stored.name.as_str(), stored.version),
        ("Here", 3),
        "both happened, once each"
    );
    cluster.remove().await;
}

/// Each node applies what the others commit a little later. A session that waited for nothing would often be too early.
pub(crate) async fn who_was_told_by_one_node_is_not_contradicted_by_another(_: TestDatabase) {
    let cluster = Cluster::create().await;
    let services: Vec<UserService> = cluster.nodes.iter().map(users_of).collect();
    let node = |number: usize| &services[number % services.len()];
    for round in 0..100 {
        let ann = node(round).create(new_user("Ann", "ann@example.com")).await.unwrap();
        let seen = node(round + 1).get(ann.id, Freshness::Current).await.unwrap();
        assert_eq!(seen, ann);
        // Guarded by what the second node said, changed on the third.
        let changed = node(round + 2)
            .update(ann.id, rename("Anna"), Precondition::OneOf(vec![seen.revision()]))
            .await;
        assert_eq!(changed.unwrap().version, seen.version + 1);
        node(round + 1).delete(ann.id, Precondition::None).await.unwrap();
        let gone = node(round + 2).get(ann.id, Freshness::Current).await;
        assert!(matches!(gone, Err(UserError::NotFound(_))), "{gone:?}");
        // The address is free again on the next round's node.
    }
    cluster.remove().await;
}

/// Nodes take ids in turn, with gaps: what one statement inserts is not consecutive, and what comes later may have a smaller id.
pub(crate) async fn creates_on_all_nodes_at_once_keep_ids_order_and_walks(_: TestDatabase) {
    const OF_EACH: usize = 200;
    let cluster = Cluster::create().await;
    let services: Vec<UserService> = cluster.nodes.iter().map(sharing).collect();
    let requests = (0..OF_EACH * services.len()).map(|number| {
        let users = &services[number % services.len()];
        async move { (numbered(number), users.create(numbered(number)).await.unwrap()) }
    });
    let created = join_all(requests).await;
    let sizes = services
        .iter()
        .flat_map(|users| users.counters().write_batch_sizes.buckets());
    let statements: u64 = sizes.map(|(_, count)| count).sum();
    assert!(
        statements < created.len() as u64 / 2,
        "too few creates shared a statement: {statements}"
    );
    let ids: HashSet<_> = created.iter().map(|(_, user)| user.id).collect();
    assert_eq!(ids.len(), created.len(), "every user has an id of its own");
    let turns: HashSet<_> = ids.iter().map(|id| id.get() % 3).collect();
    assert_eq!(turns.len(), 3, "the nodes did not take turns, so nothing was tested");
    for (asked, user) in &created {
        assert_eq!((&user.name, &user.email), (&asked.name, &asked.email));
    }
    assert_eq!(count(&cluster.db).await, created.len() as u64);

    // A walk that asks another node for each piece.
    let (mut walked, mut position) = (Vec::new(), None);
    let size = PageSize::new(17).unwrap();
    for turn in 0.. {
        let users = &services[turn % services.len()];
        let piece = users.after(EVERYBODY, position, size, Freshness::MayLag).await.unwrap();
        walked.extend(piece.users);
        position = piece.next;
        if position.is_none() {
            break;
        }
    }
    let mut expected: Vec<User> = created.into_iter().map(|(_, user)| user).collect();
    expected.sort_by_key(|user| std::cmp::Reverse((user.created_at, user.id)));
    assert_eq!(walked, expected, "newest first, everybody once");
    cluster.remove().await;
}
