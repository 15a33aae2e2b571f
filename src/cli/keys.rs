//! `revokd keys create`, `list` and `revoke`.

mod offline;
mod table;

use clap::{Args, Subcommand};

use super::client::Client;
use super::exit::Failure;
use super::moment::{Moment, parse_moment, rfc3339};
use super::output::{self, note, printable};
use super::target::TargetArgs;
use super::{Context, Exit, OutputArgs};
use crate::wire::{KeyAnswer, KeyBody, KeyEntries, KeyRevokedAnswer};

/// Make, list and revoke API keys
///
/// Keys are kept as hashes, so a key is shown when it is made and never again. With --offline they are made, listed and
/// revoked in the data directory itself, while no server holds it: the way back in when every admin key is lost.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  revokd keys create --label gateway --scope check > gateway.key
  revokd keys list
  revokd keys revoke 4f1c09a2be77")]
pub(super) struct KeysCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Create(CreateArgs),
    List(ListArgs),
    Revoke(RevokeArgs),
}

/// Make an API key
///
/// Writes the key to standard output, and nothing else there. It opens doors at once. No scope contains another: a key
/// that is to revoke and to check needs both.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  revokd keys create --label gateway --scope check > gateway.key
  revokd keys create --label 'auth server' --scope revoke --iss https://auth.example
  revokd keys create --label 'incident 17' --scope admin --expires +8h
  revokd keys create --label 'way back in' --scope admin --offline")]
struct CreateArgs {
    /// What the key is for, 1 to 128 bytes
    #[arg(long)]
    label: String,
    /// What it may do; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = ["revoke", "check", "admin", "audit"])]
    scopes: Vec<String>,
    /// An issuer that it may do so about [default: all]; may be repeated
    #[arg(long, value_name = "ISS")]
    iss: Vec<String>,
    /// A client about whose tokens it may do so [default: all]; may be repeated
    #[arg(long, value_name = "CLIENT_ID")]
    client_id: Vec<String>,
    /// When it ends: NumericDate, or from now, as in +8h, +90d [default: never]
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true)]
    expires: Option<Moment>,
    #[command(flatten)]
    common: CommonArgs,
}

/// List the API keys, newest first
///
/// Lists every key that was not revoked, as a table, or with --json as one JSON object a line. Keys themselves are kept
/// nowhere and cannot be shown.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  revokd keys list
  revokd keys list --json | jq -r 'select(.expired) | .id'")]
struct ListArgs {
    #[command(flatten)]
    common: CommonArgs,
}

/// Revoke an API key
///
/// The key is refused at once. Exits 4 if there is no such key. The last key with the scope admin that has neither bounds
/// nor an end is not revoked: make another one first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  revokd keys revoke 4f1c09a2be77 --reason 'seen in a public log'")]
struct RevokeArgs {
    /// The key's id, as `revokd keys list` shows it: the part between the two underscores of the key
    id: String,
    /// Why, 1 to 256 bytes
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Args)]
struct CommonArgs {
    /// Work on the data directory itself, not through a server; refused while one holds it
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// An id stands in the path, so nothing else may. What is none is not quoted: it may be a whole key.
fn checked(id: &str) -> Result<&str, Failure> {
    let is_id = id.len() == 12 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then_some(id).ok_or_else(|| {
        let message = "this is no key's id, which has 12 digits (0-9, a-f) and stands between the two `_` of the key";
        Failure::new(Exit::Usage, message)
    })
}

pub(super) fn run(command: &KeysCommand, context: &Context<'_>) -> anyhow::Result<Exit> {
    match &command.verb {
        Verb::Create(args) => create(args, context),
        Verb::List(args) => list(args, context),
        Verb::Revoke(args) => revoke(args, context),
    }
}

fn create(args: &CreateArgs, context: &Context<'_>) -> anyhow::Result<Exit> {
    let named = |list: &[String]| Some(list.to_vec()).filter(|list| !list.is_empty());
    let (expires_at, expires_in_s) = match args.expires {
        Some(Moment::At(instant)) => (Some(instant.0), None),
        // By the server's clock, which judges it.
        Some(Moment::In(seconds)) => (None, Some(seconds)),
        None => (None, None),
    };
    let body = KeyBody {
        label: args.label.clone(),
        scopes: args.scopes.clone(),
        issuers: named(&args.iss),
        client_ids: named(&args.client_id),
        expires_at,
        expires_in_s,
    };
    let answer: KeyAnswer = if args.common.offline {
        offline::create(&context.load()?, &body)?
    } else {
        Client::new(&args.common.target, context)?.post("/keys", &body)?
    };
    if args.common.output.json {
        output::json(&answer)?;
        return Ok(Exit::Ok);
    }
    output::line(&answer.key)?;
    let until = answer.expires_at.map(|end| format!(", which ends at {}", rfc3339(end))).unwrap_or_default();
    let id = printable(&answer.id);
    note(&format!("key {id} is in force (seq {}){until}; it is shown here and never again", answer.seq));
    Ok(Exit::Ok)
}

fn list(args: &ListArgs, context: &Context<'_>) -> anyhow::Result<Exit> {
    let entries: KeyEntries = if args.common.offline {
        offline::list(&context.load()?)?
    } else {
        Client::new(&args.common.target, context)?.get("/keys", &[])?
    };
    if args.common.output.json {
        entries.keys.iter().try_for_each(output::json)?;
    } else {
        table::print(&entries.keys)?;
    }
    Ok(Exit::Ok)
}

fn revoke(args: &RevokeArgs, context: &Context<'_>) -> anyhow::Result<Exit> {
    let id = checked(&args.id)?;
    let answer: KeyRevokedAnswer = if args.common.offline {
        offline::revoke(&context.load()?, id, args.reason.as_deref())?
    } else {
        let query: Vec<_> = args.reason.iter().map(|reason| ("reason", reason.as_str())).collect();
        Client::new(&args.common.target, context)?.remove(&format!("/keys/{id}"), &query)?
    };
    if args.common.output.json {
        output::json(&answer)?;
    } else {
        output::line(&format!("key {} is refused from now on (seq {})", printable(&answer.id), answer.seq))?;
    }
    Ok(Exit::Ok)
}
