//! Solutions to the exercises of the chapter on streams.

use std::pin::pin;

use domain::User;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use persistence::test_db::TestDatabase;
use service::{Export, Freshness, ImportReport, Rejected, Rejection, UserError, UserService};

use crate::support::{count, new_user, settled, users_of};

/// Imports users with these numbers, a line each.
async fn import(users: &UserService, numbers: impl IntoIterator<Item = usize>) -> ImportReport<()> {
    let mut import = users.import();
    for (line, number) in (1..).zip(numbers) {
        let user = new_user("Ann", &format!("user-{number}@example.com"));
        import.add(line, Ok(user)).await.unwrap();
    }
    import.finish().await.unwrap()
}

// ANCHOR: exercise-1
/// The users of an export, one by one.
fn one_by_one(export: Export) -> impl Stream<Item = Result<User, UserError>> {
    let next = async |mut export: Export| {
        let page = export.next_page().await?;
        Ok::<_, UserError>(page.map(|page| (stream::iter(page).map(Ok), export)))
    };
    stream::try_unfold(export, next).try_flatten()
}

pub(crate) async fn a_stream_that_is_dropped_has_read_no_further_than_the_page_ahead(db: TestDatabase) {
    let users = users_of(db.database());
    import(&users, 0..4500).await;
    let mut some = pin!(one_by_one(users.export(Freshness::Current)).take(1500));
    let mut taken = 0;
    while some.try_next().await.unwrap().is_some() {
        taken += 1;
    }
    // Two pages were handed out; a third was fetched ahead, and no connection is held for it.
    settled(db.database()).await;
    assert_eq!((taken, users.counters().users_exported.get()), (1500, 2000));
}
// ANCHOR_END: exercise-1

// ANCHOR: exercise-2
pub(crate) async fn an_import_that_was_stopped_is_gone_on_with_by_sending_it_again(db: TestDatabase) {
    let users = users_of(db.database());
    // It stops in the middle of its third chunk: what was gathered of that is given up.
    let mut first = users.import::<()>();
    for line in 1..=2500 {
        let user = new_user("Ann", &format!("user-{line}@example.com"));
        first.add(line, Ok(user)).await.unwrap();
    }
    let kept = first.stop().await.unwrap().progress;
    assert_eq!((kept.created, kept.committed_chunks, count(&db).await), (2000, 2, 2000));

    let again = import(&users, 1..=2500).await;
    assert_eq!((again.progress.created, again.progress.rejected), (500, 2000));
    let first_line = Rejected {
        line: 1,
        reason: Rejection::EmailTaken,
    };
    assert_eq!((again.rejected.len(), &again.rejected[0]), (100, &first_line));
    assert_eq!(count(&db).await, 2500);
}
// ANCHOR_END: exercise-2
