//! The persistence layer on every engine.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

extern crate async_starter_persistence as persistence;

use std::process::ExitCode;

use persistence::{on_every_empty_engine, on_every_engine, test_db};

mod exercises;
mod listing;
mod losing;
mod migrations;
mod seeding;
mod support;
mod transactions;
mod users;

fn main() -> ExitCode {
    let mut cases = on_every_engine![
        users::an_inserted_user_is_found_as_it_was_returned,
        users::a_second_user_with_the_same_address_is_refused,
        users::an_id_that_is_taken_is_not_mistaken_for_an_address,
        users::names_are_compared_byte_for_byte,
        users::a_name_of_a_hundred_emoji_is_stored_and_returned,
        users::an_update_changes_only_what_is_given_and_counts_the_version,
        users::an_update_to_the_same_values_keeps_version_and_time,
        users::an_update_to_the_address_of_another_user_is_refused,
        users::an_update_or_deletion_of_nobody_says_so,
        users::a_deleted_user_is_gone,
        users::a_batch_returns_every_user_with_its_own_id_in_input_order,
        users::a_batch_with_a_known_address_leaves_nothing_behind,
        users::a_row_that_breaks_the_rules_is_reported_by_id_and_column,
        users::timestamps_come_back_to_the_microsecond,
        users::a_time_is_stored_alike_by_an_insert_and_by_an_update,
        users::a_time_in_sqlite_is_read_in_every_form_that_the_driver_knows,
        users::the_sqlite_that_is_built_in_is_compiled_as_it_should_be,
        listing::a_walk_over_users_of_the_same_microsecond_repeats_and_skips_nobody,
        listing::a_position_deep_in_the_list_is_reached_without_reading_what_precedes_it,
        listing::pages_walks_and_the_stream_agree_on_the_order,
        listing::the_filter_finds_exactly_one_address,
        transactions::dropping_a_transaction_rolls_back,
        transactions::a_begin_that_is_cancelled_anywhere_loses_no_later_write,
        transactions::a_deadlock_is_a_conflict_that_may_be_retried,
        transactions::a_full_pool_is_reported_as_unavailable_in_time,
        transactions::a_statement_that_runs_too_long_is_ended,
        transactions::a_wait_for_a_row_that_takes_too_long_is_ended_and_may_be_run_again,
        transactions::every_session_is_told_how_long_a_statement_may_take,
        transactions::a_user_that_never_logged_in_before_is_let_in,
        transactions::pool_status_counts_what_is_in_use,
        transactions::a_question_for_health_does_not_queue_behind_a_full_pool,
        transactions::what_was_committed_is_in_the_file_after_closing,
        losing::a_transaction_that_loses_its_connection_left_nothing_and_may_be_run_again,
        losing::a_transaction_that_does_nothing_for_too_long_is_ended_and_may_be_run_again,
        losing::nobody_knows_what_became_of_a_commit_whose_connection_is_lost,
        losing::nobody_knows_what_became_of_a_write_of_its_own_whose_connection_is_lost,
        losing::the_first_lost_connection_is_a_warning_about_those_at_rest,
        losing::a_statement_that_waits_long_for_a_busy_pool_is_not_taken_for_lost,
        losing::a_statement_that_nobody_waits_for_any_more_takes_its_connection_with_it,
        migrations::entity_and_schema_agree,
        seeding::seeding_twice_adds_what_is_missing,
    ];
    cases.extend(on_every_empty_engine![
        migrations::eight_processes_at_once_apply_each_step_once,
        migrations::up_down_up_leaves_the_same_schema,
        migrations::fresh_drops_everything_and_starts_again,
        migrations::a_step_of_a_newer_release_is_known_to_be_none_of_ours,
        migrations::status_of_an_empty_database_reads_only,
        migrations::the_script_makes_the_same_schema_as_the_migrations,
    ]);
    cases.extend(exercises::cases());
    test_db::main(cases)
}
