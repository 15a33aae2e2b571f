//! `revokd verify`.

use std::io::{self, IsTerminal};

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Context, Exit, OutputArgs, output};
use crate::app::{self, AppError, Progress};
use crate::config::Config;

/// Verify the data directory, while no server runs
///
/// Reads the whole journal and the archive of the audit, holds them against their checksums and the chain of hashes, and
/// the index against the journal. Prints the head of the chain: hold it against what the log, /metrics or /readyz?verbose
/// said, which is how a history that was rewritten as a whole is found. Makes and changes no entry;
/// the index's store may tidy its own files as at any start, and is left unread on a read-only file system. Refuses (exit
/// 6) while a server holds the directory.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  revokd verify
  revokd verify --config /etc/revokd/config.toml --json")]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &VerifyArgs, context: &Context<'_>) -> anyhow::Result<Exit> {
    let loaded = context.load()?;
    verify(&loaded.config, args.output.json)
}

fn verify(config: &Config, json: bool) -> anyhow::Result<Exit> {
    let bar = if io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    let report = app::verify(config, &|Progress { done_bytes, total_bytes }| {
        bar.set_length(total_bytes);
        bar.set_position(done_bytes);
    });
    bar.finish_and_clear();
    let report = match report {
        Err(AppError::Open(damage)) => {
            Err(damage).with_context(|| format!("{} is not in order", config.store.path.display()))?
        }
        // A directory that is held, missing or not to be opened says nothing of what is in it.
        report => report?,
    };
    if json {
        output::json(&report)?;
    } else {
        let app::VerifyReport { segments, events, last_seq, torn_bytes, index, head, .. } = &report;
        output::line(&format!("in order: {events} events in {segments} segments, up to seq {last_seq}"))?;
        let app::VerifyReport { audit_from, audit_files, audit_records, audit_unlisted, .. } = &report;
        output::line(&format!(
            "the audit has every record from seq {audit_from} on, {audit_records} of them in {audit_files} archived files"
        ))?;
        output::line(&format!("head {head}"))?;
        if !audit_unlisted.is_empty() {
            let count = audit_unlisted.len();
            output::line(&format!("{count} files in audit/ are none of this history's, as after an accepted loss"))?;
        }
        match *index {
            "differs" => output::line("the index differs from the journal; the next start rebuilds it")?,
            "unread" => output::line("the index cannot be opened without writing, and was not looked at")?,
            _ => {}
        }
        if *torn_bytes > 0 {
            output::line(&format!("a torn last frame of {torn_bytes} bytes, which the next start cuts"))?;
        }
    }
    Ok(Exit::Ok)
}
