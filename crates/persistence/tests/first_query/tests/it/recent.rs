//! Users by the time of their creation.

use persistence::{UserRepository, test_db::TestDatabase};

use crate::support::{at, new_user};

pub(crate) async fn users_since_a_time_come_newest_first_and_include_the_time_itself(db: TestDatabase) {
    let users = UserRepository::new(db.database().writer());
    for (name, micros) in [("Early", -1), ("On time", 0), ("Late", 1), ("Also late", 1)] {
        let email = format!("{}@example.com", name.to_lowercase().replace(' ', "-"));
        users.insert(new_user(name, &email), at(micros)).await.unwrap();
    }
    let names = async |limit| {
        let found = users.created_since(at(0), limit).await.unwrap();
        let names = found.iter().map(|user| user.name.as_str().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(10).await, ["Also late", "Late", "On time"]);
    assert_eq!(names(2).await, ["Also late", "Late"]);
    assert_eq!(names(0).await, [""; 0]);
}
