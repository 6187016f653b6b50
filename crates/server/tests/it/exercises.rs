//! Solutions to the exercises of the book, a module for each chapter.

use persistence::{on_every_engine, test_db::TestCase};

// So that the names of the tests begin with it.
use crate::exercises;

mod sql_logging;

/// All of them.
pub(crate) fn cases() -> Vec<TestCase> {
    on_every_engine![
        exercises::sql_logging::the_statements_of_a_request_are_found_by_its_id,
        exercises::sql_logging::a_page_takes_as_many_statements_for_twenty_users_as_for_two,
    ]
}
