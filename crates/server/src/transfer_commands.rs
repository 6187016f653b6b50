//! `import` and `export`: users in files, over the same use cases and readers as the HTTP API.
//!
//! No statement has a limit of time here: nobody else waits for it, and Ctrl-C ends it.

mod input;
mod output;

use std::{fmt::Write as _, path::Path, pin::pin, process::ExitCode};

use anyhow::Context;
use api::{LineFault, RowReader, TransferFormat, UserWriter};
use domain::{PageNumber, PageRequest, PageSize, UserFilter};
use indicatif::{ProgressBar, ProgressStyle};
use persistence::{Database, Durability};
use service::{DatabaseRuntime, Freshness, Import, ImportReport, UserService, UserServiceOptions};
use tokio::runtime::Handle;

use self::{input::Input, output::Output};
use crate::{
    EXIT_USAGE,
    cli::{ExportArguments, ImportArguments},
    commands::{require_schema, with_database},
    config::Config,
    print,
};

/// The exit code of an import that skipped lines.
const EXIT_REJECTED: u8 = 3;

/// The exit code after Ctrl-C, as shells have it: 128 and the number of the signal.
const EXIT_INTERRUPTED: u8 = 130;

/// The name of standard input or output in the place of a file.
const STANDARD_STREAM: &str = "-";

/// `import`
pub(crate) async fn import(config: &Config, arguments: &ImportArguments) -> anyhow::Result<ExitCode> {
    let Some(format) = arguments.format.or_else(|| format_of(&arguments.file)) else {
        return Ok(ask_for_format());
    };
    let input = Input::open(&arguments.file).with_context(|| format!("cannot read {}", arguments.file.display()))?;
    let work = async |database: &Database| {
        require_schema(database).await?;
        run_import(&users_of(database), input, format).await
    };
    // What is reported as created survives a power cut.
    with_database(config, Durability::Full, work).await
}

/// `export`
pub(crate) async fn export(config: &Config, arguments: &ExportArguments) -> anyhow::Result<ExitCode> {
    let Some(format) = arguments.format.or_else(|| format_of(&arguments.file)) else {
        return Ok(ask_for_format());
    };
    let output = Output::open(&arguments.file, arguments.force)?;
    let work = async |database: &Database| {
        require_schema(database).await?;
        let users = users_of(database);
        tokio::select! {
            exported = run_export(&users, output, format) => exported,
            signal = tokio::signal::ctrl_c() => {
                signal?;
                eprintln!("interrupted; no file was written");
                Ok(ExitCode::from(EXIT_INTERRUPTED))
            }
        }
    };
    with_database(config, Durability::Full, work).await
}

fn users_of(database: &Database) -> UserService {
    UserService::new(
        database.clone(),
        DatabaseRuntime::new(Handle::current()),
        UserServiceOptions::default(),
    )
}

/// The format that the name of a file tells.
fn format_of(file: &Path) -> Option<TransferFormat> {
    let extension = file.extension()?.to_str()?;
    TransferFormat::parse(extension).or_else(|| {
        extension
            .eq_ignore_ascii_case("jsonl")
            .then_some(TransferFormat::Ndjson)
    })
}

fn ask_for_format() -> ExitCode {
    eprintln!("error: the name does not tell the format; give --format ndjson or --format csv");
    ExitCode::from(EXIT_USAGE)
}

async fn run_import(users: &UserService, mut input: Input, format: TransferFormat) -> anyhow::Result<ExitCode> {
    let bar = import_bar(input.bytes())?;
    let (mut import, mut reader) = (users.import(), RowReader::new(format));
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    let report = loop {
        // Both can be given up at any point and gone on with.
        tokio::select! {
            biased;
            signal = &mut interrupt => {
                signal?;
                bar.finish_and_clear();
                return interrupted(import).await;
            }
            is_at_end = take_piece(&mut input, &mut reader, &mut import, &bar) => {
                if is_at_end? {
                    break import.finish().await?;
                }
            }
        }
    };
    bar.finish_and_clear();
    report_rejected(&report);
    let progress = report.progress;
    print(&format!(
        "created {} users; rejected {} lines",
        progress.created, progress.rejected
    ))?;
    Ok(match progress.rejected {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(EXIT_REJECTED),
    })
}

/// Takes in the next piece of the file; true at its end.
async fn take_piece(
    input: &mut Input,
    reader: &mut RowReader,
    import: &mut Import<LineFault>,
    bar: &ProgressBar,
) -> anyhow::Result<bool> {
    while let Some(row) = reader.next_row()? {
        import.add(row.line, row.user).await?;
    }
    let Some(piece) = input.next().await? else {
        reader.end();
        while let Some(row) = reader.next_row()? {
            import.add(row.line, row.user).await?;
        }
        return Ok(true);
    };
    bar.inc(piece.len() as u64);
    bar.set_message(format!("{} users", import.progress().created));
    reader.push(piece);
    Ok(false)
}

/// Waits for the chunk that is being written, unless a second Ctrl-C comes, and tells what is there.
async fn interrupted(import: Import<LineFault>) -> anyhow::Result<ExitCode> {
    tokio::select! {
        report = import.stop() => {
            let report = report?;
            report_rejected(&report);
            eprintln!("interrupted; run the same command again to go on");
            print(&format!(
                "created {} users; rejected {} lines",
                report.progress.created, report.progress.rejected
            ))?;
        }
        signal = tokio::signal::ctrl_c() => signal?,
    }
    Ok(ExitCode::from(EXIT_INTERRUPTED))
}

/// Lists the lines that were skipped, as far as they are remembered. They stand together: no line of the log comes in between.
fn report_rejected(report: &ImportReport<LineFault>) {
    let mut list = String::new();
    for rejected in &report.rejected {
        let fault = LineFault::from(rejected.reason.clone());
        // Writing to a String cannot fail.
        let _ = writeln!(list, "line {}: {fault}", rejected.line);
    }
    let listed = report.rejected.len() as u64;
    if let Some(more @ 1..) = report.progress.rejected.checked_sub(listed) {
        let _ = writeln!(list, "and {more} more lines");
    }
    eprint!("{list}");
}

async fn run_export(users: &UserService, mut output: Output, format: TransferFormat) -> anyhow::Result<ExitCode> {
    let bar = export_bar(users).await?;
    let (mut export, writer) = (users.export(Freshness::Current), UserWriter::new(format));
    let mut text = writer.header().to_vec();
    while let Some(page) = export.next_page().await? {
        bar.inc(page.len() as u64);
        writer.write(page, &mut text);
        (output, text) = output.write(text).await?;
        text.clear();
    }
    let (output, _) = output.write(text).await?;
    bar.finish_and_clear();
    let is_file = output.is_file();
    output.finish().await?;
    if is_file {
        print(&format!("exported {} users", export.users()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// By bytes, since the number of lines is not known. Nothing is shown where nobody watches.
fn import_bar(bytes: Option<u64>) -> anyhow::Result<ProgressBar> {
    Ok(match bytes {
        Some(bytes) => {
            let style = "{bar:40} {bytes}/{total_bytes}, {msg}, {bytes_per_sec}, {eta} left";
            ProgressBar::new(bytes).with_style(ProgressStyle::with_template(style)?)
        }
        None => ProgressBar::no_length().with_style(ProgressStyle::with_template("{spinner} {bytes}, {msg}")?),
    })
}

/// By users, who are counted only for somebody who watches.
async fn export_bar(users: &UserService) -> anyhow::Result<ProgressBar> {
    let style = "{bar:40} {pos}/{len} users, {per_sec}, {eta} left";
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(style)?);
    if !bar.is_hidden() {
        let request = PageRequest {
            number: PageNumber::FIRST,
            size: PageSize::DEFAULT,
        };
        let page = users.page(UserFilter::default(), request, Freshness::Current).await?;
        bar.set_length(page.total);
    }
    Ok(bar)
}
