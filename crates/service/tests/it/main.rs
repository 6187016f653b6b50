//! The use cases on every engine.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

extern crate async_starter_service as service;

use std::process::ExitCode;

use persistence::{
    on_every_empty_engine, on_every_engine,
    test_db::{self, TestCase, TestEngine},
};

mod atomicity;
mod batches;
mod clusters;
mod counting;
mod exercises;
mod exporting;
mod health;
mod importing;
mod losing;
mod once;
mod preconditions;
mod retrying;
mod runtime;
mod sharing;
mod support;
mod use_cases;

fn main() -> ExitCode {
    let mut cases = on_every_engine![
        use_cases::a_user_is_created_read_changed_and_deleted,
        use_cases::nobody_cannot_be_read_changed_or_deleted,
        use_cases::an_address_belongs_to_one_user,
        use_cases::of_fifty_creates_of_one_address_at_once_one_succeeds,
        use_cases::five_users_are_created_at_once,
        use_cases::changes_of_one_user_at_once_are_all_counted,
        use_cases::pages_and_the_walk_show_the_newest_first_and_count_everybody,
        batches::a_batch_is_created_in_input_order,
        batches::every_conflict_of_a_batch_is_listed_and_nobody_is_created,
        batches::of_batches_at_once_that_share_an_address_one_succeeds,
        batches::a_batch_whose_conflict_disappears_is_tried_again,
        batches::a_batch_whose_conflict_is_never_found_is_given_up,
        atomicity::an_update_that_fails_after_its_change_leaves_nothing_behind,
        atomicity::a_use_case_whose_commit_is_refused_leaves_nothing_behind,
        atomicity::a_use_case_whose_connection_breaks_leaves_nothing_behind,
        atomicity::an_update_that_is_given_up_while_it_waits_is_undone,
        atomicity::a_batch_that_is_given_up_at_any_point_is_never_there_in_part,
        atomicity::a_look_up_that_is_given_up_at_any_point_costs_no_connection,
        once::what_was_done_is_not_done_again_and_is_answered_as_before,
        once::a_key_is_good_for_one_request_only,
        once::what_was_refused_leaves_no_key,
        once::a_batch_is_created_once_and_its_long_answer_is_kept,
        once::of_a_stampede_with_one_key_over_two_instances_one_creates,
        once::stampedes_of_batches_and_single_creates_with_crossing_addresses_end,
        once::who_waits_too_long_for_the_first_is_told_so,
        once::an_expired_key_is_as_good_as_new,
        once::sweeping_forgets_what_has_expired_and_nothing_else,
        once::a_request_that_is_given_up_at_any_point_is_done_whole_or_not_at_all,
        once::a_conflict_with_another_transaction_is_run_again,
        once::a_key_that_was_claimed_and_not_committed_is_free,
        preconditions::a_change_happens_only_in_a_state_that_was_asked_for,
        preconditions::of_parallel_changes_based_on_one_state_one_happens,
        preconditions::a_row_written_by_hand_can_be_guarded,
        retrying::the_victim_of_a_deadlock_is_run_again,
        retrying::a_write_based_on_outdated_reads_is_run_again,
        retrying::a_transaction_that_finds_sqlite_busy_is_run_again,
        retrying::a_conflict_that_does_not_pass_is_reported_after_three_repetitions,
        retrying::use_cases_survive_as_many_conflicts_as_are_retried,
        retrying::what_is_no_conflict_is_not_run_again,
        retrying::a_transaction_that_waited_too_long_for_a_row_is_run_again,
        retrying::what_somebody_no_longer_waits_for_is_not_run_again,
        losing::use_cases_survive_the_loss_of_a_connection_where_no_effect_can_be_doubled,
        losing::a_create_that_may_have_happened_is_not_run_again,
        runtime::a_panic_reaches_the_caller_and_undoes_the_transaction,
        runtime::work_runs_on_its_own_runtime_whoever_waits_for_it,
        runtime::a_runtime_that_stopped_says_so,
        runtime::a_runtime_that_stops_undoes_what_it_was_doing,
        sharing::of_creates_at_once_each_gets_the_id_of_its_own_address,
        sharing::of_creates_at_once_with_shared_addresses_one_succeeds_for_each,
        sharing::a_poisoned_row_fails_alone,
        sharing::locked_addresses_hold_up_only_those_that_went_with_them,
        sharing::when_the_connection_of_a_batch_breaks_its_members_are_told_and_the_next_are_served,
        sharing::a_row_that_breaks_the_rules_fails_only_who_asks_for_it,
        sharing::who_was_told_of_a_change_finds_it_under_a_hundred_schedules,
        counting::who_was_told_of_a_change_is_counted_right,
        counting::whatever_goes_on_a_total_lies_between_what_was_told_and_what_was_asked_for,
        counting::what_another_instance_creates_is_counted_within_a_second,
        counting::a_page_does_not_disprove_its_own_total,
        sharing::nothing_is_shared_where_that_is_switched_off,
        importing::every_row_is_created_or_rejected_and_counted,
        importing::an_address_that_exists_or_repeats_is_rejected_on_its_later_line,
        importing::imports_of_the_same_users_at_once_create_each_once,
        importing::a_row_that_the_index_refuses_is_looked_at_again,
        importing::a_conflict_with_another_transaction_repeats_the_chunk,
        importing::an_import_that_is_stopped_tells_exactly_what_is_there,
        importing::an_import_that_is_dropped_leaves_whole_chunks,
        importing::when_the_database_fails_the_chunks_before_are_kept,
        exporting::everybody_is_exported_once_in_the_order_of_the_list,
        exporting::an_export_repeats_and_skips_nobody_who_stays_while_others_come_and_go,
        exporting::no_connection_is_held_for_a_slow_reader,
        exporting::an_export_ends_with_the_page_that_cannot_be_read,
        health::an_answer_is_kept_for_half_a_second_and_no_longer,
        health::a_server_that_keeps_silent_is_given_up_within_two_seconds,
        health::a_hundred_who_ask_at_once_share_one_probe,
    ];
    cases.extend(on_every_empty_engine![
        health::pending_migrations_are_told_from_a_silent_database,
    ]);
    cases.extend(
        on_every_engine![
            clusters::what_another_node_has_overtaken_is_run_again,
            clusters::who_was_told_by_one_node_is_not_contradicted_by_another,
            clusters::creates_on_all_nodes_at_once_keep_ids_order_and_walks,
        ]
        .into_iter()
        .map(|case| case.only_on(TestEngine::MariaDb).needing(clusters::GALERA)),
    );
    cases.extend(solutions());
    test_db::main(cases)
}

/// The solutions of the exercises in the book.
fn solutions() -> Vec<TestCase> {
    let mut cases = on_every_engine![
        exercises::coalescing::fifty_questions_about_ten_addresses_become_two_statements,
        exercises::coalescing::who_gives_up_before_the_statement_is_built_is_left_out,
        exercises::coalescing::of_ten_creates_of_one_address_one_succeeds_shared_or_not,
        exercises::retries_and_idempotency::who_gives_up_anywhere_and_asks_again_with_the_key_gets_one_user,
        exercises::retries_and_idempotency::ten_increments_at_once_are_all_counted,
        exercises::from_python::every_outcome_of_creates_at_once_is_known_in_the_order_of_the_requests,
        exercises::from_python::what_stands_behind_the_work_runs_after_an_error_and_not_after_a_drop,
        exercises::streams::a_stream_that_is_dropped_has_read_no_further_than_the_page_ahead,
        exercises::streams::an_import_that_was_stopped_is_gone_on_with_by_sending_it_again,
        exercises::what_async_is::a_create_that_nobody_awaits_creates_nobody,
    ];
    cases.extend(
        on_every_engine![
            exercises::what_async_is::joined_waits_overlap,
            exercises::what_async_is::computing_elsewhere_keeps_nobody_waiting,
        ]
        .into_iter()
        .map(|case| case.only_on(TestEngine::Sqlite)),
    );
    cases
}
