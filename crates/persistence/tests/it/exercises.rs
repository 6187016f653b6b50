//! Solutions of the exercises in the book, a module for each chapter.

use persistence::{on_every_engine, test_db::TestCase};

use crate::exercises;

mod pagination;

/// The solutions, as cases of this crate's tests.
pub(crate) fn cases() -> Vec<TestCase> {
    on_every_engine![
        exercises::pagination::pages_and_pieces_of_any_size_make_the_same_list,
        exercises::pagination::a_walk_meets_everybody_who_stays_once_while_others_come_and_go,
    ]
}
