//! `revokd revoke --file`: a file of any size in requests of about a mebibyte, resumable by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::Path;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::Exit;
use super::client::Client;
use super::exit::Failure;
use super::output::{self, note, printable};
use crate::wire::{RejectedLine, RevokeManyAnswer};

/// A request is sent once it has this many bytes. Far below the server's limit (`limits.ndjson_bytes_max`): a request is
/// what has to be repeated when the connection breaks.
const CHUNK_BYTES: usize = 1_048_576;

/// Longest line that is read, bytes: the largest `limits.line_bytes_max` that a server can have.
const LINE_BYTES_MAX: usize = 1_048_576;

/// What to revoke.
pub(super) struct Bulk<'a> {
    /// The file, or `-`.
    pub(super) file: &'a Path,
    /// The first line to send, from 1.
    pub(super) from_line: u64,
    /// Whether to write JSON.
    pub(super) json: bool,
}

/// The last line of the output.
#[derive(Default, Serialize)]
struct Summary {
    accepted: u64,
    rejected: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
}

pub(super) fn run(bulk: &Bulk<'_>, client: &Client) -> anyhow::Result<Exit> {
    let from_stdin = bulk.file.as_os_str() == "-";
    let (input, bytes): (Box<dyn Read>, _) = if from_stdin {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(bulk.file).with_context(|| format!("cannot open {}", bulk.file.display()))?;
        let bytes = file.metadata().ok().map(|metadata| metadata.len());
        (Box::new(file), bytes)
    };
    let bar = progress_bar(bytes);
    let mut chunks = Chunks { input: BufReader::new(input), lines_read: 0 };
    let mut summary = Summary::default();
    chunks.skip_to(bulk.from_line)?;
    loop {
        let done = chunks.lines_read;
        let broke_off = |cause: anyhow::Error, durable: u64| broken_off(bulk, &cause, done + 1, durable);
        let chunk = match chunks.next() {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) => return Err(broke_off(error, 0)),
        };
        let bytes = chunk.len() as u64;
        match client.post_lines::<RevokeManyAnswer>("/revoke", chunk) {
            Ok(answer) => {
                summary.take(&answer);
                bar.suspend(|| report(&answer, done, bulk.json))?;
            }
            Err(refused) => return Err(broke_off(refused.failure.into(), refused.durable)),
        }
        bar.inc(bytes);
    }
    bar.finish_and_clear();
    summary.print(bulk.json)?;
    Ok(if summary.rejected == 0 { Exit::Ok } else { Exit::Partial })
}

impl Summary {
    fn take(&mut self, answer: &RevokeManyAnswer) {
        self.accepted += answer.accepted;
        self.rejected += answer.rejected.len() as u64 + answer.rejected_unlisted.unwrap_or(0);
        self.seq = self.seq.max(answer.seq);
    }

    fn print(&self, json: bool) -> Result<(), output::OutputError> {
        if json {
            return output::json(self);
        }
        output::line(&format!("{} accepted, {} rejected", self.accepted, self.rejected))
    }
}

/// Names the rejected lines by their number in the file.
fn report(answer: &RevokeManyAnswer, before: u64, json: bool) -> Result<(), output::OutputError> {
    for RejectedLine { line, error } in &answer.rejected {
        let line = line.saturating_add(before);
        if json {
            output::json(&RejectedLine { line, error: error.clone() })?;
        } else {
            note(&format!("line {line}: {}", printable(error)));
        }
    }
    if let Some(unlisted) = answer.rejected_unlisted {
        note(&format!("and {unlisted} more of these lines were rejected"));
    }
    Ok(())
}

/// What is durable, and how to go on: at the first line of the request that failed. Some of its lines may be durable,
/// but which of them were rejected has been said to nobody.
fn broken_off(bulk: &Bulk<'_>, cause: &anyhow::Error, next: u64, durable: u64) -> anyhow::Error {
    let file = bulk.file.display();
    let beyond =
        if durable > 0 { format!(", and {durable} of those from there on are durable") } else { String::new() };
    let message = format!(
        "{cause:#}\nThe lines before line {next} are done{beyond}. Go on with --file {file} --from-line {next}; \
         sending lines again is harmless."
    );
    Failure::new(super::exit_of(cause), message).into()
}

fn progress_bar(bytes: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    match bytes {
        Some(bytes) => {
            let style = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {eta}");
            ProgressBar::new(bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        }
        None => ProgressBar::new_spinner(),
    }
}

/// Lines in portions.
struct Chunks<R> {
    input: R,
    lines_read: u64,
}

impl<R: BufRead> Chunks<R> {
    fn skip_to(&mut self, line: u64) -> anyhow::Result<()> {
        let mut skipped = Vec::new();
        while self.lines_read + 1 < line && self.line(&mut skipped)? {
            skipped.clear();
        }
        Ok(())
    }

    /// The next lines, or `None` at the end.
    fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK_BYTES && self.line(&mut chunk)? {}
        Ok((!chunk.is_empty()).then_some(chunk))
    }

    /// Appends one line with its end; `false` if there is none.
    fn line(&mut self, chunk: &mut Vec<u8>) -> anyhow::Result<bool> {
        let number = self.lines_read + 1;
        let mut limited = self.input.by_ref().take(LINE_BYTES_MAX as u64 + 1);
        let bytes = limited.read_until(b'\n', chunk).with_context(|| format!("cannot read line {number}"))?;
        if bytes > LINE_BYTES_MAX {
            bail!("line {number} is longer than {LINE_BYTES_MAX} bytes; is this one JSON object a line?");
        }
        self.lines_read += u64::from(bytes > 0);
        Ok(bytes > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(text: &str) -> Chunks<&[u8]> {
        Chunks { input: text.as_bytes(), lines_read: 0 }
    }

    #[test]
    fn a_file_is_cut_at_line_ends_only() {
        let line = format!("{}\n", "x".repeat(999));
        let text = line.repeat(3_000);
        let mut chunks = chunks(&text);
        let mut all = Vec::new();
        while let Some(chunk) = chunks.next().unwrap() {
            assert!(chunk.ends_with(b"\n") && chunk.len() < CHUNK_BYTES + line.len());
            all.extend(chunk);
        }
        assert_eq!((all.len(), chunks.lines_read), (text.len(), 3_000));
    }

    #[test]
    fn a_last_line_without_end_counts_and_lines_can_be_skipped() {
        let mut chunks = chunks("a\nb\n\nd");
        chunks.skip_to(3).unwrap();
        assert_eq!(chunks.next().unwrap().unwrap(), b"\nd");
        assert_eq!(chunks.lines_read, 4);
        assert!(chunks.next().unwrap().is_none());
    }

    #[test]
    fn skipping_past_the_end_leaves_nothing() {
        let mut chunks = chunks("a\nb");
        chunks.skip_to(9).unwrap();
        assert!(chunks.next().unwrap().is_none());
    }

    #[test]
    fn a_line_that_cannot_be_one_is_refused_by_number() {
        let text = format!("a\n{}", "x".repeat(LINE_BYTES_MAX + 1));
        assert!(chunks(&text).next().unwrap_err().to_string().contains("line 2"));
    }
}
