//! Solutions of the exercises in the book, a module for each chapter.

use persistence::{on_every_engine, test_db::TestCase};

use crate::exercises;

mod migrations;
mod pagination;

/// The solutions, as cases of this crate's tests.
pub(crate) fn cases() -> Vec<TestCase> {
    on_every_engine![
        exercises::pagination::pages_and_pieces_of_any_size_make_the_same_list,
        exercises::pagination::a_walk_meets_everybody_who_stays_once_while_others_come_and_go,
        exercises::migrations::only_mysql_keeps_a_table_whose_transaction_was_rolled_back,
        exercises::migrations::a_running_release_survives_a_new_column_and_not_a_renamed_one,
        exercises::migrations::down_and_up_of_the_last_two_steps_is_recorded_as_it_happens,
    ]
}
