//! Solutions of the exercises in the chapter on measuring.

use domain::Cursor;
use persistence::{
    UserRepository,
    test_db::{TestDatabase, TestEngine},
};

use crate::{
    listing::rows_read,
    support::{EVERYBODY, at, new_users},
};

// ANCHOR: rows-by-depth
pub(crate) async fn a_page_by_cursor_reads_its_own_rows_and_a_page_by_number_all_before_it(db: TestDatabase) {
    let transaction = db.database().begin().await.unwrap();
    for (number, new_user) in (0..).zip(new_users(3000)) {
        let users = UserRepository::new(&transaction);
        users.insert(new_user, at(number)).await.unwrap();
    }
    transaction.commit().await.unwrap();
    if db.engine() == TestEngine::Postgres {
        db.execute("ANALYZE users").await;
    }
    let session = db.database().begin().await.unwrap();
    let users = UserRepository::new(&session);
    for depth in [100, 1000, 2000] {
        let before = users.page(&EVERYBODY, depth - 1, 1).await.unwrap();
        let position = Some(Cursor::from(&before[0]));
        let by_cursor = rows_read(&db, &session, async {
            assert_eq!(users.after(&EVERYBODY, position, 20).await.unwrap().len(), 20);
        });
        let by_cursor = by_cursor.await;
        assert!(by_cursor <= 25, "{by_cursor} rows at a depth of {depth}");
        let by_number = rows_read(&db, &session, async {
            assert_eq!(users.page(&EVERYBODY, depth, 20).await.unwrap().len(), 20);
        });
        let by_number = by_number.await;
        assert!(by_number >= depth + 20, "{by_number} rows at a depth of {depth}");
    }
}
// ANCHOR_END: rows-by-depth
