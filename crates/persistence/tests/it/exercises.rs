//! Solutions of the exercises in the book, a module for each chapter.

use persistence::{on_every_engine, test_db::TestCase};

use crate::exercises;

mod lab;

/// The solutions, as cases of this crate's tests.
pub(crate) fn cases() -> Vec<TestCase> {
    on_every_engine![exercises::lab::a_page_by_cursor_reads_its_own_rows_and_a_page_by_number_all_before_it]
}
