//! A file of users as NDJSON, handed in in pieces: the same rows however it is cut.
#![no_main]

use api::TransferFormat;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| async_starter_fuzz::check_import(TransferFormat::Ndjson, input));
