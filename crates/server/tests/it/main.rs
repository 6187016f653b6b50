//! The program on every engine.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::process::ExitCode;

use persistence::{on_every_empty_engine, on_every_engine, test_db};

mod limits;
mod logging;
mod migrating;
mod monitoring;
mod outage;
mod proxy;
mod rate_limit;
mod retrying;
mod rolling;
mod seeding;
mod shutdown;
mod starting;
#[path = "../support/mod.rs"]
mod support;
mod transfer;

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
        outage::a_server_that_starts_before_its_database_becomes_ready,
        rate_limit::production_limits_requests_and_warns_where_no_proxy_is_named,
        rate_limit::an_outage_of_the_shared_store_is_one_line_in_the_log,
        seeding::seeding_again_adds_nothing_and_truncating_starts_over,
        seeding::a_plan_gives_the_same_users_on_every_engine,
        seeding::production_data_is_not_deleted,
        retrying::a_create_whose_server_was_killed_after_its_commit_is_answered_as_it_would_have_been,
        retrying::a_key_holds_across_two_servers_on_one_database,
        retrying::a_key_that_has_expired_is_swept,
        transfer::the_log_tells_what_an_import_left_that_was_cut_off,
        transfer::a_client_that_takes_nothing_of_an_export_is_cut_off,
        transfer::the_commands_work_on_every_database,
        logging::names_and_addresses_of_users_stay_out_of_the_log,
        logging::the_password_of_the_database_stays_out_of_all_output,
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
        migrating::status_tells_by_its_exit_code_whether_anything_is_pending,
        migrating::steps_are_applied_and_reverted_one_by_one,
        migrating::fresh_starts_over_but_not_in_production,
    ]);
    cases.extend(
        on_every_engine![rate_limit::a_shared_store_that_goes_away_and_comes_back_is_survived]
            .into_iter()
            .map(|case| case.needing(rate_limit::REDIS)),
    );
    test_db::main(cases)
}
