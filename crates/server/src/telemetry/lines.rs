//! Log lines: one flat line per event, for people or for machines.
//!
//! An event is written with its own fields, then those of the spans around it, the innermost first. So whatever happens for
//! a request is found by the id of the request, and a field stands on the line, not in an object inside it.
//!
//! The formats of `tracing-subscriber` would do but for three things: their JSON either nests the fields of spans or leaves
//! out those of all but the innermost, a name that stands on event and span comes twice, and values of any length go out
//! whole.

use std::{
    borrow::Cow,
    fmt,
    io::{self, IsTerminal, Write as _, stderr},
    ops::Range,
};

use tracing::{
    Dispatch, Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    fmt::{
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::Context,
    registry::{Extensions, LookupSpan},
};

use super::{around::Around, writer::LineWriter};
use crate::config::LogFormat;

/// The most bytes of one value that a line shows. A batch of a thousand users is a statement of some 36 000.
const MAX_VALUE_BYTES: usize = 1000;

/// The field that holds what an event says.
const MESSAGE: &str = "message";

/// Room that is enough for most: for the fields of an event, for their values in bytes, for the time, and for what stands
/// around the values on a line.
const USUAL_FIELDS: usize = 12;
const USUAL_TEXT_BYTES: usize = 256;
const USUAL_TIME_BYTES: usize = 32;
const USUAL_FRAME_BYTES: usize = 256;

/// Fields that speak to the exporter of traces alone.
const FOR_EXPORT: &str = "otel.";

/// Makes lines of events, and has them written.
pub(super) struct Lines {
    form: Form,
    writer: LineWriter,
    around: Around,
}

/// How lines look.
#[derive(Clone, Copy)]
struct Form {
    format: LogFormat,
    colours: bool,
}

/// Names and values in the order in which they were given, each name once. The values are as they go out: those of a span
/// stand on every line for a request, and are written once.
struct Fields {
    format: LogFormat,
    values: Vec<(&'static str, Range<usize>)>,
    text: Vec<u8>,
}

impl Lines {
    /// Lines for standard error.
    pub(super) fn new(format: LogFormat, writer: LineWriter) -> Self {
        let colours = stderr().is_terminal();
        Self {
            form: Form { format, colours },
            writer,
            around: Around::default(),
        }
    }
}

impl Form {
    fn line(self, event: &Event<'_>, fields: &Fields) -> io::Result<Vec<u8>> {
        let mut time = String::with_capacity(USUAL_TIME_BYTES);
        SystemTime
            .format_time(&mut Writer::new(&mut time))
            .map_err(io::Error::other)?;
        let metadata = event.metadata();
        match self.format {
            LogFormat::Json => json_line(&time, *metadata.level(), metadata.target(), fields),
            LogFormat::Pretty => pretty_line(&time, *metadata.level(), self.colours, fields),
        }
    }
}

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Lines {
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        self.around.belong_to(subscriber);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::new(self.form.format);
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let fields = Fields::of(self.form.format, event, &context, &self.around);
        if let Ok(line) = self.form.line(event, &fields) {
            self.writer.write(*event.metadata().level(), &line);
        }
    }
}

fn json_line(time: &str, level: Level, target: &str, fields: &Fields) -> io::Result<Vec<u8>> {
    let mut line = Vec::with_capacity(fields.text.len() + USUAL_FRAME_BYTES);
    write!(line, "{{\"timestamp\":\"{time}\",\"level\":\"{level}\"")?;
    for (name, value) in fields.iter() {
        line.push(b',');
        serde_json::to_writer(&mut line, name)?;
        line.push(b':');
        line.extend_from_slice(value);
    }
    line.extend_from_slice(b",\"target\":");
    serde_json::to_writer(&mut line, target)?;
    line.extend_from_slice(b"}\n");
    Ok(line)
}

fn pretty_line(time: &str, level: Level, colours: bool, fields: &Fields) -> io::Result<Vec<u8>> {
    let (dim, colour, plain) = match (colours, level) {
        (false, _) => ("", "", ""),
        (true, Level::ERROR) => ("\x1b[2m", "\x1b[31m", "\x1b[0m"),
        (true, Level::WARN) => ("\x1b[2m", "\x1b[33m", "\x1b[0m"),
        (true, Level::INFO) => ("\x1b[2m", "\x1b[32m", "\x1b[0m"),
        (true, _) => ("\x1b[2m", "\x1b[34m", "\x1b[0m"),
    };
    let mut line = format!("{dim}{time}{plain} {colour}{level:>5}{plain}").into_bytes();
    if let Some((_, message)) = fields.iter().find(|(name, _)| *name == MESSAGE) {
        line.push(b' ');
        line.extend_from_slice(message);
    }
    for (name, value) in fields.iter().filter(|(name, _)| *name != MESSAGE) {
        write!(line, " {dim}{name}={plain}")?;
        line.extend_from_slice(value);
    }
    line.push(b'\n');
    Ok(line)
}

/// Whether a text can stand without quotes and be told from what follows.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(|character: char| character.is_whitespace() || character.is_control() || character == '"')
}

impl Fields {
    fn new(format: LogFormat) -> Self {
        Self {
            format,
            values: Vec::with_capacity(USUAL_FIELDS),
            text: Vec::with_capacity(USUAL_TEXT_BYTES),
        }
    }

    // ANCHOR: of
    /// Those of an event, then those of the spans around it.
    fn of<S>(format: LogFormat, event: &Event<'_>, context: &Context<'_, S>, around: &Around) -> Self
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let mut fields = Self::new(format);
        event.record(&mut fields);
        let mut add = |extensions: &Extensions<'_>| {
            if let Some(of_span) = extensions.get::<Self>() {
                fields.add_those_that_lack(of_span);
            }
        };
        match context.event_scope(event) {
            Some(spans) => spans.for_each(|span| add(&span.extensions())),
            None => around.each(add),
        }
        fields
    }
    // ANCHOR_END: of

    fn iter(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let value = |range: &Range<usize>| self.text.get(range.clone()).unwrap_or_default();
        self.values.iter().map(move |(name, range)| (*name, value(range)))
    }

    /// Sets a value to what `write` writes.
    fn set(&mut self, field: &Field, write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>) {
        let name = field.name();
        if name.starts_with(FOR_EXPORT) {
            return;
        }
        let begin = self.text.len();
        if write(&mut self.text).is_err() {
            // Memory does not fail, and numbers and texts can be written.
            self.text.truncate(begin);
            return;
        }
        let range = begin..self.text.len();
        match self.values.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = range,
            None => self.values.push((name, range)),
        }
    }

    fn set_text(&mut self, field: &Field, text: &str) {
        let end = text.floor_char_boundary(MAX_VALUE_BYTES);
        let cut: Cow<'_, str> = match text.get(..end) {
            Some(start) if end < text.len() => format!("{start}…").into(),
            _ => text.into(),
        };
        let format = self.format;
        let is_message = field.name() == MESSAGE;
        self.set(field, |out| match format {
            // A line stays a line, and the terminal as it is.
            LogFormat::Pretty if is_message => {
                out.extend_from_slice(cut.replace(char::is_control, " ").as_bytes());
                Ok(())
            }
            LogFormat::Pretty if is_plain(&cut) => {
                out.extend_from_slice(cut.as_bytes());
                Ok(())
            }
            LogFormat::Pretty | LogFormat::Json => serde_json::to_writer(out, cut.as_ref()),
        });
    }

    fn add_those_that_lack(&mut self, others: &Self) {
        for (name, value) in others.iter() {
            if self.values.iter().all(|(known, _)| *known != name) {
                let begin = self.text.len();
                self.text.extend_from_slice(value);
                self.values.push((name, begin..self.text.len()));
            }
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, |out| serde_json::to_writer(out, &value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, |out| serde_json::to_writer(out, &value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, |out| serde_json::to_writer(out, &value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, |out| serde_json::to_writer(out, &value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set_text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set_text(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written of `events`, without the time.
    fn written(format: LogFormat, events: impl FnOnce()) -> Vec<String> {
        let kept = Kept::default();
        let writer = LineWriter::start(kept.clone(), |_| ()).unwrap();
        let form = Form { format, colours: false };
        let lines = Lines {
            form,
            writer: writer.clone(),
            around: Around::default(),
        };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), events);
        writer.flush();
        let written = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let start = match format {
            LogFormat::Json => "{\"timestamp\":\"2026-11-23T03:05:13.123456Z\",".len(),
            LogFormat::Pretty => "2026-11-23T03:05:13.123456Z ".len(),
        };
        written
            .split_inclusive('\n')
            .map(|line| line[start..].to_owned())
            .collect()
    }

    fn a_request() {
        let span = tracing::error_span!(
            "request",
            otel.kind = "server",
            request_id = "a1",
            trace_id = tracing::field::Empty
        );
        span.record("trace_id", tracing::field::display("b2"));
        let _entered = span.enter();
        let _inner = tracing::info_span!("database", request_id = "inner").entered();
        tracing::info!(
            status = 200,
            duration_ms = 0.5,
            good = true,
            text = "two words\n",
            "request"
        );
    }

    #[test]
    fn a_machine_reads_flat_objects_with_each_name_once() {
        let line = written(LogFormat::Json, a_request).remove(0);
        assert_eq!(
            line,
            "\"level\":\"INFO\",\"message\":\"request\",\"status\":200,\"duration_ms\":0.5,\"good\":true,\
             \"text\":\"two words\\n\",\"request_id\":\"inner\",\"trace_id\":\"b2\",\
             \"target\":\"async_starter::telemetry::lines::tests\"}\n"
        );
    }

    #[test]
    fn a_person_reads_names_and_values_on_one_line() {
        let line = written(LogFormat::Pretty, a_request).remove(0);
        assert_eq!(
            line,
            " INFO request status=200 duration_ms=0.5 good=true text=\"two words\\n\" request_id=inner trace_id=b2\n"
        );
    }

    #[test]
    fn a_long_value_is_cut() {
        let events = || tracing::warn!(statement = "é".repeat(20_000), "slow");
        let line = written(LogFormat::Json, events).remove(0);
        assert!(line.len() < 1200 && line.contains("éé…\""), "{line}");
    }

    #[test]
    fn a_message_cannot_pass_for_another_line() {
        let line = written(LogFormat::Pretty, || tracing::warn!("one\ntwo\x1b[2J")).remove(0);
        assert_eq!(line, " WARN one two [2J\n");
    }
}
