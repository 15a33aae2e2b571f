//! The queue between those who log and stderr: whoever logs never waits, and what does not fit is dropped and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait for stderr; a few megabytes at most.
const QUEUE_LINES: usize = 8 * 1024;
/// Lines are put together up to this many bytes and written at once.
const BATCH_BYTES: usize = 64 * 1024;
/// How long lines gather after the first: waking this thread for each would cost whoever logs more than the line does.
const GATHER: Duration = Duration::from_millis(5);
/// How long the end of the process waits for the last lines.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

enum Message {
    Line(Vec<u8>),
    Close,
}

/// Where log lines go in.
pub(super) struct LineQueue {
    lines: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl LineQueue {
    /// Starts the thread that writes lines to `sink`.
    pub(super) fn start(sink: impl Write + Send + 'static) -> io::Result<(Self, LogGuard)> {
        let (lines, queue) = mpsc::sync_channel(QUEUE_LINES);
        let (closing, closed) = mpsc::channel::<()>();
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            write_lines(&queue, sink);
            drop(closing);
        })?;
        let dropped = Arc::default();
        let guard = LogGuard { lines: lines.clone(), closed, dropped: Arc::clone(&dropped) };
        Ok((Self { lines, dropped }, guard))
    }
}

impl<'a> MakeWriter<'a> for LineQueue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// Each write is one line: the formatting layer writes every event at once.
impl Write for &LineQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(Message::Line(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps the log flowing. Dropping it writes what waits, for a second at most; what is logged later is lost.
#[derive(Debug)]
pub struct LogGuard {
    lines: SyncSender<Message>,
    closed: Receiver<()>,
    dropped: Arc<AtomicU64>,
}

impl LogGuard {
    /// Lines dropped so far because the sink did not take them.
    #[must_use]
    pub fn dropped_lines(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let deadline = Instant::now() + FLUSH_TIMEOUT;
        // A full queue takes no more messages, and the standard channel cannot wait for room with a deadline.
        while self.lines.try_send(Message::Close).is_err() {
            if Instant::now() >= deadline {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        // Ends with an error when the thread has dropped its end, which is what is waited for.
        let _ = self.closed.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// Writes until told to close. A sink that fails loses its lines; there is nowhere left to say so.
fn write_lines(queue: &Receiver<Message>, mut sink: impl Write) {
    let mut batch = Vec::with_capacity(BATCH_BYTES);
    while let Ok(Message::Line(line)) = queue.recv() {
        batch.extend_from_slice(&line);
        thread::sleep(GATHER);
        let is_last = loop {
            if batch.len() >= BATCH_BYTES {
                break false;
            }
            match queue.try_recv() {
                Ok(Message::Line(line)) => batch.extend_from_slice(&line),
                Err(TryRecvError::Empty) => break false,
                Ok(Message::Close) | Err(TryRecvError::Disconnected) => break true,
            }
        };
        let _ = sink.write_all(&batch).and_then(|()| sink.flush());
        batch.clear();
        if is_last {
            return;
        }
    }
}
