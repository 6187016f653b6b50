//! Solutions of the exercises in the book, a module for each chapter.

use persistence::{
    on_every_engine,
    test_db::{TestCase, TestEngine},
};

use crate::exercises;

mod concurrency;
mod entities_and_repositories;
mod futures_and_cancellation;
mod lab;
mod migrations;
mod pagination;
mod pools;
mod transactions;

/// The solutions, as cases of this crate's tests.
pub(crate) fn cases() -> Vec<TestCase> {
    let mut cases = on_every_engine![
        exercises::entities_and_repositories::users_come_in_the_order_in_which_they_are_asked_for,
        exercises::futures_and_cancellation::wherever_a_creation_is_dropped_the_pool_stays_whole,
        exercises::pools::who_reads_and_writes_gets_by_with_one_connection,
        exercises::pools::a_stream_over_a_transaction_keeps_its_connection,
        exercises::pools::who_is_in_a_hurry_goes_and_leaves_the_pool_whole,
        exercises::concurrency::each_of_many_is_told_how_it_went,
        exercises::concurrency::three_questions_are_answered_together,
        exercises::concurrency::of_many_who_want_one_address_one_gets_it,
        exercises::transactions::two_names_are_swapped_together_or_not_at_all,
        exercises::transactions::ten_who_count_at_once_lose_no_count,
        exercises::transactions::who_is_there_already_is_found_instead,
        exercises::pagination::pages_and_pieces_of_any_size_make_the_same_list,
        exercises::pagination::a_walk_meets_everybody_who_stays_once_while_others_come_and_go,
        exercises::migrations::only_mysql_keeps_a_table_whose_transaction_was_rolled_back,
        exercises::migrations::a_running_release_survives_a_new_column_and_not_a_renamed_one,
        exercises::migrations::down_and_up_of_the_last_two_steps_is_recorded_as_it_happens,
    ];
    cases.extend(
        on_every_engine![exercises::lab::a_page_by_cursor_reads_its_own_rows_and_a_page_by_number_all_before_it]
            .into_iter()
            // It does not count the rows that it reads.
            .map(|case| case.except_on(TestEngine::Sqlite)),
    );
    // What has nothing to do with the database needs no more than one.
    cases.extend(
        on_every_engine![
            exercises::entities_and_repositories::a_nickname_is_proof_that_its_rules_hold,
            exercises::futures_and_cancellation::who_is_inside_is_counted_however_they_leave,
            exercises::futures_and_cancellation::a_pair_that_was_given_up_loses_no_message,
        ]
        .into_iter()
        .map(|case| case.only_on(TestEngine::Sqlite)),
    );
    cases
}
