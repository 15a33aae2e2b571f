//! `revokd purge`.

use clap::Args;
use serde::Serialize;

use super::client::Client;
use super::target::TargetArgs;
use super::{Context, Exit, OutputArgs, output};
use crate::wire::PurgeAnswer;

/// Drop what has ended, now
///
/// Drops entries whose tokens have expired by themselves. The server does so on its own by `purge.schedule`; no answer to
/// a check depends on it, only memory and disk do.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  revokd purge
  revokd purge --trust-clock")]
pub(super) struct PurgeArgs {
    /// Vouch for the server's wall clock: after a jump it is doubted, and nothing is dropped by it until it has kept
    /// step for `clock.hold_s`
    #[arg(long)]
    trust_clock: bool,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Serialize)]
struct Request {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    trust_clock: bool,
}

pub(super) fn run(args: &PurgeArgs, context: &Context<'_>) -> anyhow::Result<Exit> {
    let client = Client::new(&args.target, context)?;
    let answer: PurgeAnswer = client.post("/purge", &Request { trust_clock: args.trust_clock })?;
    if args.output.json {
        output::json(&answer)?;
    } else {
        let PurgeAnswer { buckets, entries, segments } = answer;
        output::line(&format!("dropped {entries} entries in {buckets} buckets; {segments} journal segments"))?;
    }
    Ok(Exit::Ok)
}
