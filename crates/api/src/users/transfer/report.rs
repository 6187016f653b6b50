//! What an import answers.

use std::borrow::Cow;

use serde::Serialize;
use service::Rejected;
use utoipa::ToSchema;

use super::{LineCode, LineFault};
use crate::users::schemas;

/// What became of the lines of an import.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportReport {
    /// How many lines held something.
    #[schema(minimum = 0, example = 3)]
    received: u64,
    /// How many users were created.
    #[schema(minimum = 0, example = 2)]
    created: u64,
    /// How many lines were skipped; with `created` this makes up `received`.
    #[schema(minimum = 0, example = 1)]
    rejected: u64,
    /// The first 100 lines that were skipped, in their order.
    #[schema(max_items = 100)]
    errors: Vec<LineError>,
}

/// A line of an import that was skipped.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineError {
    /// The physical line, from 1.
    #[schema(minimum = 1, example = 3)]
    line: u64,
    /// What is wrong with it, for programs. Of several faults, that of the first member.
    #[schema(schema_with = schemas::line_code)]
    code: LineCode,
    /// What is wrong with it, for people.
    #[schema(example = "name must be 1 to 100 characters")]
    message: Cow<'static, str>,
}

impl From<service::ImportReport<LineFault>> for ImportReport {
    fn from(report: service::ImportReport<LineFault>) -> Self {
        Self {
            received: report.progress.received,
            created: report.progress.created,
            rejected: report.progress.rejected,
            errors: report.rejected.into_iter().map(LineError::from).collect(),
        }
    }
}

impl From<Rejected<LineFault>> for LineError {
    fn from(rejected: Rejected<LineFault>) -> Self {
        let LineFault { code, message } = LineFault::from(rejected.reason);
        Self {
            line: rejected.line,
            code,
            message,
        }
    }
}
