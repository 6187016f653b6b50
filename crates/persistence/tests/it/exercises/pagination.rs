//! Solutions to the exercises of the chapter on pagination.

use domain::{Cursor, Precondition, UserId};
use persistence::{Executor, UserRepository, test_db::TestDatabase};

use crate::support::{EVERYBODY, at, new_user, new_users};

/// Inserts so many users, seven of whom share each time.
async fn fill(db: &TestDatabase, count: usize) {
    let transaction = db.database().begin().await.unwrap();
    let users = UserRepository::new(&transaction);
    for (number, new_user) in (0..).zip(new_users(count)) {
        users.insert(new_user, at(number / 7)).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

// ANCHOR: walk
/// The ids of the piece of the list that follows `position`, which moves behind it; nothing at the end.
async fn next_piece<E: Executor>(
    users: &UserRepository<'_, E>,
    position: &mut Option<Cursor>,
    size: u64,
) -> Option<Vec<UserId>> {
    let piece = users.after(&EVERYBODY, *position, size).await.unwrap();
    *position = Some(Cursor::from(piece.last()?));
    Some(piece.into_iter().map(|user| user.id).collect())
}

async fn walk<E: Executor>(users: &UserRepository<'_, E>, size: u64) -> Vec<UserId> {
    let (mut seen, mut position) = (Vec::new(), None);
    while let Some(piece) = next_piece(users, &mut position, size).await {
        seen.extend(piece);
    }
    seen
}
// ANCHOR_END: walk

// ANCHOR: exercise-1
pub(crate) async fn pages_and_pieces_of_any_size_make_the_same_list(db: TestDatabase) {
    fill(&db, 50).await;
    let users = UserRepository::new(db.database().reader());
    let expected = walk(&users, 50).await;
    assert_eq!(expected.len(), 50);
    for size in [1, 3, 7, 49, 51] {
        assert_eq!(walk(&users, size).await, expected, "pieces of {size}");
        let mut paged = Vec::new();
        for page in 0..50_u64.div_ceil(size) {
            let page = users.page(&EVERYBODY, page * size, size).await.unwrap();
            paged.extend(page.into_iter().map(|user| user.id));
        }
        assert_eq!(paged, expected, "pages of {size}");
    }
}
// ANCHOR_END: exercise-1

// ANCHOR: exercise-2
pub(crate) async fn a_walk_meets_everybody_who_stays_once_while_others_come_and_go(db: TestDatabase) {
    fill(&db, 60).await;
    let users = UserRepository::new(db.database().writer());
    let before = walk(&users, 60).await;
    let (mut seen, mut gone, mut position) = (Vec::new(), Vec::new(), None);
    while let Some(piece) = next_piece(&users, &mut position, 10).await {
        // Whoever was seen last goes, and one who would come soon, and somebody new comes.
        let last_seen = before.iter().position(|id| Some(id) == piece.last()).unwrap();
        for id in [before.get(last_seen), before.get(last_seen + 4)].into_iter().flatten() {
            users.delete(*id, &Precondition::None).await.unwrap();
            gone.push(*id);
        }
        let newcomer = new_user("New", &format!("new-{last_seen}@example.com"));
        users.insert(newcomer, at(1000)).await.unwrap();
        seen.extend(piece);
    }
    assert!(gone.len() > 8, "{gone:?}");
    let stayed: Vec<_> = before.iter().filter(|id| !gone.contains(id)).copied().collect();
    let of_those: Vec<_> = seen.iter().filter(|id| stayed.contains(id)).copied().collect();
    assert_eq!(of_those, stayed, "each once, in order");
    assert!(
        seen.iter().all(|id| before.contains(id)),
        "newcomers stand before the position"
    );
}
// ANCHOR_END: exercise-2
