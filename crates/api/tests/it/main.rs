//! The API on every engine, over real connections.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

extern crate async_starter_api as api;

use std::process::ExitCode;

use persistence::{on_every_empty_engine, on_every_engine, test_db};

mod answer;
mod auth;
mod batch;
mod bodies;
mod capacity;
mod concurrency;
mod conditional;
mod contract;
mod cors;
mod docs;
mod exercises;
mod exporting;
mod failure;
mod faults;
mod health;
mod idempotency;
mod importing;
mod listing;
mod metrics;
mod problems;
mod rate_limit;
mod routing;
mod support;
mod users;
mod walking;
mod wire;

#[expect(clippy::too_many_lines, reason = "it is a list")]
fn main() -> ExitCode {
    let mut cases = on_every_engine![
        users::every_operation_of_the_document_succeeds,
        users::a_created_user_is_answered_located_and_found,
        users::times_are_written_with_all_six_digits_even_when_they_are_zero,
        users::names_of_every_script_come_back_as_they_were_sent,
        users::addresses_with_signs_are_stored_found_and_linked,
        users::the_longest_address_is_stored_and_a_longer_one_is_refused,
        users::an_address_in_other_case_is_the_same_address,
        users::a_patch_changes_what_it_gives_and_keeps_the_rest,
        users::names_that_look_alike_are_a_change,
        users::a_patch_that_changes_nothing_keeps_the_time,
        users::a_merge_patch_by_its_own_media_type_is_taken,
        users::a_patch_to_the_address_of_another_is_refused,
        users::a_deleted_user_is_gone_and_its_address_is_free,
        batch::a_batch_is_answered_in_the_order_of_the_request,
        batch::a_batch_of_one_and_one_of_a_thousand_are_created,
        batch::every_address_that_is_not_free_is_listed_and_nothing_is_created,
        batch::a_thousand_conflicts_are_listed_by_number,
        batch::an_invalid_item_hides_conflicts,
        listing::an_empty_list_has_no_pages,
        listing::newest_come_first_and_ids_decide_between_equals,
        listing::pages_cover_the_list_and_link_to_each_other,
        listing::a_page_past_the_end_is_empty_and_leads_back,
        listing::the_filter_finds_one_address_in_either_shape,
        listing::the_total_follows_every_write,
        walking::a_walk_over_users_of_the_same_microsecond_repeats_and_skips_nobody,
        walking::a_walk_repeats_and_skips_nobody_while_others_come_and_go,
        walking::the_cursor_of_a_page_continues_as_a_walk,
        walking::a_cursor_that_was_not_issued_is_refused,
        walking::a_cursor_is_good_for_its_own_filter_only,
        walking::cursors_work_on_every_instance_that_shares_the_secret,
        bodies::a_body_that_is_no_json_object_is_malformed,
        bodies::blanks_around_a_json_object_are_part_of_json,
        bodies::other_media_types_are_refused,
        bodies::a_body_may_be_as_large_as_the_limit_and_no_larger,
        bodies::an_oversize_body_is_refused_by_its_length_before_it_comes,
        bodies::an_oversize_stream_is_refused_when_it_passes_the_limit,
        bodies::a_body_that_ends_too_early_or_is_damaged_is_malformed,
        bodies::a_body_that_stalls_is_given_up,
        bodies::a_slow_body_is_waited_for_while_it_keeps_coming,
        bodies::faults_are_reported_in_a_fixed_order_of_kinds,
        faults::every_invalid_name_is_refused,
        faults::every_invalid_address_is_refused,
        faults::all_faults_of_a_request_are_listed_at_once,
        faults::a_repeated_member_is_a_fault_even_with_the_same_value,
        faults::a_patch_of_nothing_says_so,
        faults::unknown_parameters_are_refused_on_every_operation,
        faults::every_invalid_parameter_of_the_list_is_refused,
        faults::a_batch_lists_the_faults_of_every_item_in_order,
        faults::a_batch_needs_a_list_of_1_to_1000_users,
        faults::a_body_of_nothing_but_faults_is_answered_in_time,
        conditional::the_tag_of_a_user_changes_with_the_user_and_only_then,
        conditional::what_the_caller_has_already_is_not_sent_again,
        conditional::a_change_based_on_an_outdated_state_is_refused,
        conditional::of_twenty_parallel_patches_with_one_tag_one_succeeds,
        conditional::preconditions_are_asked_for_in_their_place,
        conditional::a_header_that_is_no_list_of_tags_is_malformed,
        idempotency::a_create_that_is_sent_again_is_answered_as_before,
        idempotency::a_batch_of_a_thousand_that_is_sent_again_is_answered_as_before,
        idempotency::a_key_that_was_used_for_another_request_is_refused,
        idempotency::a_refused_request_leaves_its_key_free,
        idempotency::of_a_stampede_with_one_key_one_creates_and_all_get_its_answer,
        idempotency::what_is_no_key_is_malformed,
        idempotency::keys_themselves_are_not_stored,
        importing::an_import_creates_what_it_can_and_lists_the_other_lines,
        importing::an_import_of_nothing_creates_nobody,
        importing::a_hundred_errors_are_listed_and_all_are_counted,
        importing::an_import_may_be_of_any_size_and_its_lines_may_not,
        importing::an_import_that_is_sent_again_creates_nobody_twice,
        importing::a_body_that_is_no_import_is_refused_before_anything_is_created,
        importing::an_import_that_stalls_is_ended_and_told_what_was_created,
        importing::an_import_that_is_cut_off_leaves_whole_chunks,
        importing::the_deadline_of_requests_is_not_that_of_an_import,
        importing::when_the_database_breaks_in_the_middle_the_answer_tells_what_is_there,
        importing::a_defect_in_the_middle_tells_nothing,
        exporting::everybody_is_exported_in_the_order_of_the_list,
        exporting::the_form_is_the_one_that_the_caller_prefers,
        exporting::the_head_of_an_export_reads_no_rows,
        exporting::without_its_database_an_export_does_not_begin,
        exporting::a_fault_in_the_middle_of_an_export_cuts_the_connection,
        exporting::an_export_counts_as_in_progress_until_it_has_been_sent,
        exporting::the_names_of_imports_and_exports_are_no_ids,
        routing::an_unknown_path_is_not_found,
        routing::a_method_that_a_path_does_not_take_is_refused_with_those_it_takes,
        routing::the_document_names_every_method_of_every_path,
        routing::a_path_that_cannot_be_decoded_is_malformed,
        routing::an_escaped_path_is_the_same_path,
        routing::an_id_has_one_spelling,
        routing::head_answers_as_get_without_the_body,
        routing::a_harmless_request_id_is_echoed_and_any_other_replaced,
        routing::the_query_of_a_request_stays_out_of_its_problem,
        concurrency::of_fifty_parallel_creates_of_one_address_one_succeeds,
        concurrency::parallel_creates_of_different_addresses_all_succeed,
        concurrency::of_parallel_batches_that_share_an_address_one_succeeds,
        concurrency::of_parallel_moves_to_one_address_one_succeeds,
        concurrency::of_parallel_deletions_of_one_user_one_succeeds,
        concurrency::parallel_changes_of_one_user_all_succeed,
        health::a_healthy_service_says_so,
        health::without_its_database_the_service_lives_and_is_not_ready,
        health::a_draining_service_answers_and_closes_its_connections,
        health::an_answer_that_goes_out_while_the_service_drains_closes_its_connection,
        health::a_closing_service_turns_late_requests_away,
        failure::a_row_that_breaks_the_rules_is_a_defect_that_tells_nothing,
        failure::a_missing_table_is_a_defect_that_tells_nothing,
        failure::a_patch_that_outruns_its_deadline_changes_nothing,
        failure::a_deletion_that_outruns_its_deadline_changes_nothing,
        bodies::a_refused_body_does_not_disturb_the_next_request,
        bodies::a_client_that_asks_first_is_told_to_go_on,
        failure::a_batch_that_outruns_its_deadline_creates_nobody,
        metrics::requests_are_counted_by_method_template_and_status,
        metrics::the_pools_are_shown_as_they_are,
        metrics::database_work_that_has_not_ended_is_counted,
        metrics::a_client_cannot_make_up_labels,
        metrics::both_forms_are_told_with_their_content_types,
        metrics::metrics_that_have_a_listener_of_their_own_are_not_here,
        metrics::metrics_are_told_while_the_database_is_gone,
        docs::the_document_is_served_as_it_is_tested,
        docs::swagger_ui_loads_from_this_host_alone,
        docs::without_docs_their_pages_do_not_exist,
        auth::without_a_token_no_operation_is_open,
        auth::each_operation_asks_for_its_own_scope,
        auth::a_token_for_everything_opens_everything,
        auth::an_unknown_path_and_a_wrong_method_are_told_without_a_token,
        auth::whoever_is_refused_learns_nothing_about_the_request,
        auth::whoever_watches_or_reads_about_the_service_needs_no_token,
        auth::a_refused_token_is_told_why,
        auth::where_no_token_is_asked_for_none_is_looked_at,
        auth::tokens_of_an_issuer_are_checked_with_its_public_keys,
        rate_limit::beyond_the_quota_requests_are_refused_and_told_when_to_come_back,
        rate_limit::every_answer_of_the_api_tells_what_is_left,
        rate_limit::unknown_paths_count,
        rate_limit::who_watches_the_service_or_reads_about_it_is_not_counted,
        rate_limit::a_forged_address_is_ignored_unless_a_trusted_proxy_passes_it_on,
        rate_limit::without_a_limit_nothing_is_said_of_one,
        rate_limit::a_shared_store_that_is_down_lets_requests_through,
        rate_limit::an_address_that_is_none_of_a_store_is_refused_at_once,
        bodies::a_body_that_drips_for_ever_is_given_up_at_the_deadline,
        capacity::beyond_its_capacity_the_service_refuses_at_once_and_says_how_it_is,
        capacity::of_a_burst_exactly_as_many_as_there_are_places_are_let_in,
        capacity::requests_that_end_badly_give_their_places_back,
        cors::a_preflight_says_what_the_path_takes,
        cors::a_foreign_origin_is_given_no_permission,
        cors::an_allowed_page_reads_every_answer_whatever_its_status,
        cors::an_allowed_page_reads_that_its_request_was_given_up,
        cors::where_anybody_may_call_the_answers_are_the_same_for_all,
        cors::without_origins_nothing_of_cors_exists,
        cors::an_options_request_that_is_no_preflight_is_refused,
        problems::the_type_of_a_problem_leads_to_its_explanation,
        problems::every_problem_is_explained_to_people_and_to_programs,
        problems::a_page_is_html_unless_json_is_preferred,
        problems::a_page_loads_nothing_and_runs_nothing,
        problems::a_code_that_does_not_exist_has_no_page,
        problems::pages_are_there_while_the_service_turns_requests_away,
    ];
    cases.extend(
        on_every_engine![
            rate_limit::instances_that_share_a_store_share_the_quota,
            rate_limit::both_stores_answer_alike,
            rate_limit::in_both_stores_a_token_comes_back_when_it_was_announced,
            rate_limit::what_is_shared_names_nobody_and_goes_by_itself,
        ]
        .into_iter()
        .map(|case| case.needing(rate_limit::REDIS)),
    );
    cases.extend(on_every_empty_engine![
        health::with_pending_migrations_the_service_is_not_ready,
    ]);
    cases.extend(exercises::cases());
    test_db::main(cases)
}
