//! Solutions to the exercises of the book, a module for each chapter.

use persistence::{
    on_every_engine,
    test_db::{TestCase, TestEngine},
};

// So that the names of the tests begin with it.
use crate::exercises;

mod security;
mod testing;
mod validation_and_errors;
mod web_layer;

/// All of them. Those that no database has a say in run once.
pub(crate) fn cases() -> Vec<TestCase> {
    let mut cases = on_every_engine![
        exercises::validation_and_errors::every_part_of_a_request_is_read_before_any_is_refused,
        exercises::testing::of_a_deletion_and_twenty_creations_at_once_at_most_one_creation_succeeds,
        exercises::testing::whatever_is_done_to_the_list_it_agrees_with_a_map,
        exercises::security::text_that_looks_like_sql_is_text,
        exercises::security::a_token_for_reading_changes_nothing,
    ];
    let of_no_engine = on_every_engine![
        exercises::web_layer::a_middleware_around_the_application_meets_problems_in_two_ways,
        exercises::web_layer::what_is_made_in_the_factory_belongs_to_one_worker,
        exercises::validation_and_errors::a_nickname_that_parses_obeys_its_rules,
    ];
    cases.extend(of_no_engine.into_iter().map(|case| case.only_on(TestEngine::Sqlite)));
    cases
}
