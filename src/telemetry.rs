//! Logging: text on a terminal, JSON lines otherwise, on stderr, through a queue that never holds a request up.
//!
//! No token, key or raw claim value is ever logged (promise 12).

mod access;
mod json;
mod writer;

use std::io::{self, IsTerminal as _, Write};

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{ParseError, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;

pub use self::access::Access;
pub use self::writer::LogGuard;

use self::json::JsonLines;
use self::writer::LineQueue;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object per line: `ts`, `level`, `target`, `msg`, and the fields.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is not in the language of `RUST_LOG`.
    #[error("{origin} = {directives:?} is not understood; write for example `info` or `info,revokd::access=debug`")]
    Directives {
        /// `RUST_LOG` or `log.level`.
        origin: &'static str,
        /// What it says.
        directives: String,
        /// What is wrong with it.
        #[source]
        source: ParseError,
    },
    /// The thread that writes cannot be started.
    #[error("cannot start the log writer")]
    Writer(#[source] io::Error),
    /// Somebody else has set logging up in this process.
    #[error("logging is already set up")]
    AlreadySet,
}

/// Sets logging up for the whole process. `level` is the value of `log.level`, in the language of `RUST_LOG`.
/// Lines are written until the guard is dropped, which waits a second at most for the last ones.
///
/// # Errors
/// [`TelemetryError`].
pub fn init(level: &str, format: Format) -> Result<LogGuard, TelemetryError> {
    let filter = parse_filter("log.level", level)?;
    let is_text = match format {
        Format::Auto => io::stderr().is_terminal(),
        Format::Text => true,
        Format::Json => false,
    };
    let (queue, guard) = LineQueue::start(io::stderr()).map_err(TelemetryError::Writer)?;
    let colours = is_text && io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let subscriber = subscriber(filter, is_text, colours, queue);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::AlreadySet)?;
    Ok(guard)
}

/// Checks a value of `log.level` without setting anything up.
///
/// # Errors
/// [`TelemetryError::Directives`].
pub fn validate_level(level: &str) -> Result<(), TelemetryError> {
    parse_filter("log.level", level).map(drop)
}

fn parse_filter(origin: &'static str, directives: &str) -> Result<EnvFilter, TelemetryError> {
    // The scheduler tells its steps at info.
    EnvFilter::builder()
        .parse(format!("tokio_cron_scheduler=warn,{directives}"))
        .map_err(|source| TelemetryError::Directives { origin, directives: directives.to_owned(), source })
}

fn subscriber<W>(filter: EnvFilter, is_text: bool, colours: bool, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a, Writer: Write> + Send + Sync + 'static,
{
    let registry = Registry::default().with(filter).with(filter_fn(may_be_logged));
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    if is_text {
        Box::new(registry.with(lines.with_ansi(colours)))
    } else {
        Box::new(registry.with(lines.with_ansi(false).event_format(JsonLines)))
    }
}

/// Libraries may print what they parse (header fields, frames) below `info`, whatever `RUST_LOG` asks of them
/// (promise 12).
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let is_ours = metadata.target().split("::").next() == Some(env!("CARGO_CRATE_NAME"));
    is_ours || *metadata.level() <= Level::INFO
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::{Duration, Instant};

    use serde_json::Value;
    use tracing::subscriber::with_default;

    use super::*;

    /// Keeps what was written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    /// Takes nothing until it is let go.
    struct Stalled(mpsc::Receiver<()>);

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What `log` leaves on the sink at `level`.
    fn logged(level: &str, is_text: bool, log: impl FnOnce()) -> String {
        let kept = Kept::default();
        let (queue, guard) = LineQueue::start(kept.clone()).unwrap();
        with_default(subscriber(parse_filter("log.level", level).unwrap(), is_text, false, queue), log);
        drop(guard);
        kept.text()
    }

    fn access(is_check: bool) -> Access<'static> {
        Access {
            method: "GET",
            route: "/check/{jti}",
            status: 200,
            duration: Duration::from_micros(42),
            request_id: "r1",
            key_id: "k1",
            is_check,
        }
    }

    #[test]
    fn a_line_is_one_json_object_whatever_it_holds() {
        let text = logged("info", false, || {
            tracing::info!(field = "a\"b\n\u{1b}[31m", number = 7, yes = true, "two\nlines");
        });
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["msg"], "two\nlines");
        assert_eq!(line["field"], "a\"b\n\u{1b}[31m");
        assert_eq!((&line["number"], &line["yes"]), (&Value::from(7), &Value::from(true)));
        assert_eq!((&line["level"], &line["target"]), (&Value::from("INFO"), &Value::from(module_path!())));
        assert!(line["ts"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn an_error_is_logged_with_its_causes() {
        let error = TelemetryError::Writer(io::Error::other("no thread"));
        let text = logged("info", false, || tracing::error!(error = &error as &dyn std::error::Error, "failed"));
        assert!(text.contains("cannot start the log writer: no thread"), "{text}");
    }

    #[test]
    fn checks_are_not_logged_at_info_and_everything_else_is() {
        let both = || [true, false].into_iter().for_each(|is_check| access(is_check).log());
        let lines = logged("info", false, both);
        assert_eq!(lines.matches("revokd::access").count(), 1, "{lines}");
        assert_eq!(logged("info,revokd::access=debug", false, both).matches("revokd::access").count(), 2);
        assert_eq!(logged("info,revokd::access=off", false, both), "");
        let line: Value = serde_json::from_str(&lines).unwrap();
        assert_eq!(line["route"], "/check/{jti}");
        assert_eq!(line["duration_us"], 42);
    }

    #[test]
    fn text_lines_cannot_be_forged_by_what_they_hold() {
        let text = logged("info", true, || tracing::info!(value = "x\nERROR forged \u{1b}[2J", "msg"));
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn a_stalled_sink_holds_nobody_up_and_what_is_dropped_is_counted() {
        let (let_go, stalled) = mpsc::channel();
        let (queue, guard) = LineQueue::start(Stalled(stalled)).unwrap();
        let started = Instant::now();
        for _ in 0..50_000 {
            (&queue).write_all(b"line\n").unwrap();
        }
        assert!(started.elapsed() < Duration::from_secs(5));
        assert!(guard.dropped_lines() > 0);
        drop(let_go);
        drop(guard);
    }

    #[test]
    fn the_end_of_the_process_waits_for_a_stalled_sink_for_a_second_at_most() {
        let (_let_go, stalled) = mpsc::channel();
        let (queue, guard) = LineQueue::start(Stalled(stalled)).unwrap();
        for _ in 0..20_000 {
            (&queue).write_all(b"line\n").unwrap();
        }
        let started = Instant::now();
        drop(guard);
        assert!(started.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn libraries_cannot_be_made_to_print_what_they_parse() {
        let text = logged("trace", false, || {
            tracing::debug!(target: "h2::codec", "authorization: Bearer secret");
            tracing::trace!(target: "hyper", "x-api-key: secret");
            tracing::warn!(target: "hyper", "heard");
            tracing::trace!("ours");
        });
        assert!(!text.contains("secret") && text.contains("heard") && text.contains("ours"), "{text}");
    }

    #[test]
    fn a_bad_level_is_refused_by_name() {
        let error = validate_level("info,revokd=loud").unwrap_err().to_string();
        assert!(error.starts_with("log.level = \"info,revokd=loud\""), "{error}");
        validate_level("info,revokd::access=debug").unwrap();
    }
}
