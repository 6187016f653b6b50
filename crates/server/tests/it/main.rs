//! The program on every engine.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::process::ExitCode;

use persistence::{
    on_every_empty_engine, on_every_engine,
    test_db::{self, TestCase, TestEngine},
};

mod console;
mod exercises;
mod hostile;
mod instances;
mod limits;
mod logging;
mod migrating;
mod monitoring;
mod nodes;
mod outage;
mod proxy;
mod rate_limit;
mod replicas;
mod retrying;
mod rolling;
mod seeding;
mod shutdown;
mod starting;
#[path = "../support/mod.rs"]
mod support;
mod transfer;
mod upgrading;

fn main() -> ExitCode {
    let mut cases = on_every_engine![
        shutdown::a_signal_lets_the_request_in_flight_finish,
        shutdown::a_second_signal_ends_at_once,
        shutdown::while_draining_requests_are_served_and_readiness_is_refused,
        shutdown::a_request_that_outlasts_the_patience_is_cut_off,
        rolling::a_rolling_restart_fails_no_request_and_loses_no_user,
        limits::a_client_that_drips_its_head_is_cut_off,
        limits::a_request_that_finds_no_free_connection_is_told_before_its_deadline,
        outage::a_database_that_goes_away_and_comes_back_is_survived,
        outage::a_database_that_falls_silent_is_survived,
        outage::connections_that_the_network_forgot_are_given_up,
        outage::a_server_that_starts_before_its_database_becomes_ready,
        outage::a_pool_whose_server_was_away_for_long_serves_as_soon_as_it_is_back,
        nodes::the_next_node_is_used_when_one_is_lost_and_kept_when_the_first_is_back,
        nodes::a_node_that_falls_silent_is_left,
        nodes::a_node_that_was_silent_for_a_while_is_connected_to_again,
        nodes::who_waits_for_a_connection_is_served_as_soon_as_a_node_takes_writes,
        nodes::a_node_that_is_down_at_the_start_is_passed_over,
        rate_limit::production_limits_requests_and_warns_where_no_proxy_is_named,
        rate_limit::an_outage_of_the_shared_store_is_one_line_in_the_log,
        seeding::seeding_again_adds_nothing_and_truncating_starts_over,
        seeding::a_plan_gives_the_same_users_on_every_engine,
        seeding::production_data_is_not_deleted,
        retrying::a_create_whose_server_was_killed_after_its_commit_is_answered_as_it_would_have_been,
        retrying::a_key_holds_across_two_servers_on_one_database,
        retrying::a_key_that_has_expired_is_swept,
        instances::a_batch_with_a_key_sent_to_both_at_once_is_created_once_and_told_alike,
        instances::a_limit_in_memory_is_one_for_each_instance,
        instances::the_total_knows_of_another_instances_writes_within_a_second,
        instances::a_walk_begun_at_one_instance_goes_on_at_the_other_with_the_same_key,
        instances::an_etag_of_one_instance_guards_against_a_change_through_the_other,
        upgrading::a_schema_that_a_newer_release_changes_fails_no_request_of_the_old,
        transfer::the_log_tells_what_an_import_left_that_was_cut_off,
        transfer::a_client_that_takes_nothing_of_an_export_is_cut_off,
        transfer::the_commands_work_on_every_database,
        logging::names_and_addresses_of_users_stay_out_of_the_log,
        logging::a_statement_is_logged_under_the_id_of_its_request,
        logging::the_password_of_the_database_stays_out_of_all_output,
        hostile::framing::a_request_whose_length_is_in_doubt_is_refused_and_nothing_behind_it_is_read,
        hostile::framing::what_only_looks_odd_is_read_as_it_is_meant,
        hostile::framing::chunks_that_are_none_end_the_connection_and_create_nobody,
        hostile::framing::a_body_where_none_belongs_is_never_a_request,
        hostile::framing::a_head_that_is_no_head_is_refused,
        hostile::targets::every_form_of_target_is_understood_or_refused,
        hostile::targets::a_head_beyond_all_measure_is_refused_and_one_below_it_is_served,
        hostile::bodies::a_body_that_is_made_to_be_costly_is_refused_soon,
        hostile::bodies::a_client_that_asks_before_it_sends_is_told_to_go_on,
        hostile::pipelining::requests_that_come_at_once_are_worked_on_in_order,
        hostile::pipelining::nothing_behind_a_broken_request_is_worked_on,
        hostile::pipelining::a_client_that_has_said_all_does_not_keep_a_connection_that_has_ended,
        hostile::pipelining::nothing_behind_a_request_that_ends_the_connection_is_worked_on,
        hostile::slow::a_client_that_drips_a_later_head_is_cut_off,
        hostile::slow::a_client_that_drips_a_body_nobody_waits_for_is_cut_off,
        hostile::slow::a_client_that_drips_its_body_is_held_to_the_deadline_of_the_request,
        hostile::slow::connections_that_do_nothing_keep_nobody_waiting,
        hostile::log_pipe::a_log_that_nobody_reads_keeps_nobody_waiting,
        replicas::what_is_no_replica_of_the_primary_is_never_read_and_the_log_says_why,
        replicas::a_primary_that_takes_no_beats_is_named_and_no_replica_is_blamed,
        monitoring::the_dashboard_and_the_alerts_ask_for_metrics_that_exist,
        monitoring::waits_of_requests_for_a_connection_are_measured_and_those_of_probes_are_not,
        monitoring::metrics_can_have_a_listener_of_their_own_that_lives_until_the_end,
        monitoring::a_log_for_machines_is_flat_and_tells_request_and_trace,
    ];
    cases.extend(on_every_empty_engine![
        starting::a_development_start_brings_the_schema_up_to_date,
        starting::init_sql_makes_a_database_that_is_ready_at_once,
        starting::three_servers_started_at_once_agree_on_the_schema,
        migrating::eight_processes_at_once_apply_each_step_once,
        migrating::a_step_that_is_done_and_not_recorded_is_waited_for_and_then_named,
        migrating::status_tells_by_its_exit_code_whether_anything_is_pending,
        migrating::steps_are_applied_and_reverted_one_by_one,
        migrating::fresh_starts_over_but_not_in_production,
        migrating::lint_tells_by_its_exit_code_whether_an_upgrade_would_hurt,
    ]);
    cases.extend(
        on_every_engine![
            rate_limit::a_shared_store_that_goes_away_and_comes_back_is_survived,
            instances::a_limit_in_a_shared_store_is_one_limit_over_two_instances,
        ]
        .into_iter()
        .map(|case| case.needing(rate_limit::REDIS)),
    );
    cases.extend(
        on_every_engine![
            replicas::reads_go_to_replicas_and_writes_and_what_must_be_current_to_the_primary,
            replicas::a_replica_that_lags_is_left_out_until_it_has_caught_up,
            replicas::a_replica_that_is_down_fails_no_read_and_comes_back_by_itself,
            nodes::a_node_that_is_read_only_is_passed_over,
        ]
        .into_iter()
        .map(|case| case.only_on(TestEngine::MariaDb).needing(replicas::REPLICAS)),
    );
    test_db::main([cases, of_the_console(), on_clusters(), exercises::cases()].concat())
}

/// What developers see.
fn of_the_console() -> Vec<TestCase> {
    on_every_engine![
        console::a_change_is_shown_with_its_transaction_and_every_statement,
        console::what_is_given_up_is_shown_as_a_transaction_without_an_outcome,
        console::requests_that_share_a_statement_name_each_other,
        console::an_outline_tells_a_change_from_a_batch_that_was_refused,
        console::of_forty_reads_at_once_the_console_and_the_metrics_count_the_same_statements,
        console::nobody_is_named_in_the_console_and_it_does_not_watch_itself,
        console::what_the_database_says_of_a_failure_stays_out_of_the_console,
        console::waits_in_vain_and_repetitions_are_shown_as_such,
        console::pages_of_others_cannot_read_the_console,
        console::the_console_does_not_fill_the_log,
        console::the_timeline_shows_the_pools_that_the_metrics_tell_of,
        console::the_page_is_one_of_this_host_alone_and_told_only_what_is_new,
        console::where_it_is_off_the_console_does_not_exist,
    ]
}

/// What needs several servers that are one database.
fn on_clusters() -> Vec<TestCase> {
    let galera = on_every_empty_engine![migrating::processes_on_all_nodes_of_galera_apply_each_step_once];
    let group = on_every_empty_engine![
        migrating::processes_that_list_the_nodes_of_a_group_in_any_order_apply_each_step_once,
        nodes::a_planned_change_of_the_primary_is_followed,
        nodes::a_node_that_takes_writes_again_is_known_to,
        nodes::an_account_needs_few_rights_and_is_told_which_it_lacks_in_a_group,
    ];
    let galera = galera
        .into_iter()
        .map(|case| case.only_on(TestEngine::MariaDb).needing(migrating::GALERA));
    let group = group
        .into_iter()
        .map(|case| case.only_on(TestEngine::MySql).needing(migrating::GROUP));
    galera.chain(group).collect()
}
