//! Solutions of the exercises in the book, by chapter.

use persistence::{
    on_every_empty_engine, on_every_engine,
    test_db::{TestCase, TestEngine},
};

// So that the names of the tests begin with it.
use crate::exercises;

mod getting_started;
mod sql_logging;

/// All of them. Those that no database has a say in run once.
pub(crate) fn cases() -> Vec<TestCase> {
    let mut cases = on_every_engine![
        exercises::sql_logging::the_statements_of_a_request_are_found_by_its_id,
        exercises::sql_logging::a_page_takes_as_many_statements_for_twenty_users_as_for_two,
    ];
    cases.extend(on_every_empty_engine![
        exercises::getting_started::a_user_is_created_followed_and_deleted,
    ]);
    let of_no_engine =
        on_every_empty_engine![exercises::getting_started::a_setting_comes_from_the_strongest_place_that_has_it];
    cases.extend(of_no_engine.into_iter().map(|case| case.only_on(TestEngine::Sqlite)));
    cases
}
