//! `revokd restore`.

use clap::Args;

use super::client::Client;
use super::list::Table;
use super::output;
use super::target::TargetArgs;
use super::{Context, Exit, OutputArgs};
use crate::wire::{Entry, RestoreAnswer};

/// Take a revocation or a logout back
///
/// Takes one entry back, by its id as `revokd list` shows it, and no other: whatever else matches the same tokens stays in
/// force, and the cutoffs among it are listed. Checks follow at once. Exits 4 if there is no such entry, and 6 if it has
/// changed since --seq.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  revokd restore x1TqUQn0v3mQpXoZ5mZk2A --reason 'laptop found'
  revokd restore x1TqUQn0v3mQpXoZ5mZk2A --seq 17 --reason 'wrong subject'
  revokd restore --reason 'wrong subject' -- -id_that_starts_with_a_dash")]
pub(super) struct RestoreArgs {
    /// The entry's id
    #[arg(value_parser = parse_id, allow_hyphen_values = true)]
    id: String,
    /// Why, at most 256 bytes
    #[arg(long)]
    reason: String,
    /// The entry's seq, to be sure that it has not changed since it was looked at [default: what it is now]
    #[arg(long, value_name = "N")]
    seq: Option<u64>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// An id stands in the path, so nothing else may.
fn parse_id(text: &str) -> Result<String, String> {
    let is_id = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_id { Ok(text.to_owned()) } else { Err("an id has letters, digits, - and _ only".to_owned()) }
}

pub(super) fn run(args: &RestoreArgs, context: &Context<'_>) -> anyhow::Result<Exit> {
    let client = Client::new(&args.target, context)?;
    let path = format!("/revocations/{}", args.id);
    let seq = match args.seq {
        Some(seq) => seq,
        None => client.get::<Entry>(&path, &[])?.seq,
    };
    let answer: RestoreAnswer = client.delete(&path, &[("reason", &args.reason)], seq)?;
    if args.output.json {
        output::json(&answer)?;
        return Ok(Exit::Ok);
    }
    let still = answer.still_matching.len();
    let which = match (still, answer.more) {
        (0, _) => "no other logout matches".to_owned(),
        (_, true) => format!("more than {still} logouts still match; the newest:"),
        (_, false) => format!("still in force for the same tokens, {still}:"),
    };
    output::line(&format!("restored (seq {}); {which}", answer.seq))?;
    if still > 0 {
        Table::default().print(&answer.still_matching)?;
    }
    Ok(Exit::Ok)
}
