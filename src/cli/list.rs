//! `revokd list`.

use clap::Args;

use super::client::Client;
use super::moment::rfc3339;
use super::output::{self, note, printable};
use super::table::{self, short};
use super::target::TargetArgs;
use super::{Context, Exit, OutputArgs};
use crate::wire::{Entries, Entry};

/// Entries asked for at a time.
const PAGE: u64 = 1_000;

/// List what is revoked, newest first
///
/// Lists the live entries, newest first, as a table, or with --json as one JSON object a line: revocations of tokens (kind
/// jti), logouts of sessions, subjects, clients and whole issuers (`sid`, `sub`, `client_id`, `iss`), and what revoked refresh
/// tokens took with them (family). Control characters in values are shown as \u{..}, and complete values only with --json.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  revokd list
  revokd list --sub alice
  revokd list --kind sub --iss https://auth.example
  revokd list --all --json | jq -r .value")]
pub(super) struct ListArgs {
    /// Only entries of this subject
    #[arg(long)]
    sub: Option<String>,
    /// Only entries of this issuer
    #[arg(long)]
    iss: Option<String>,
    /// Only entries of this kind
    #[arg(long, value_parser = ["jti", "sid", "family", "sub", "client_id", "iss"])]
    kind: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// All of them
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &ListArgs, context: &Context<'_>) -> anyhow::Result<Exit> {
    let client = Client::new(&args.target, context)?;
    let mut wanted = if args.all { u64::MAX } else { args.limit };
    let mut after = None;
    let mut table = Table::default();
    while wanted > 0 {
        let page = page(&client, args, after.as_deref(), wanted.min(PAGE))?;
        wanted = wanted.saturating_sub(page.revocations.len() as u64);
        for entry in &page.revocations {
            if args.output.json {
                output::json(entry)?;
            }
        }
        if !args.output.json {
            table.print(&page.revocations)?;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if after.is_some() && !args.output.json {
        note(&format!("there are more than {}; see them with --all or a larger --limit", args.limit));
    }
    Ok(Exit::Ok)
}

fn page(client: &Client, args: &ListArgs, after: Option<&str>, limit: u64) -> anyhow::Result<Entries> {
    let limit = limit.to_string();
    let given = [
        ("sub", args.sub.as_deref()),
        ("iss", args.iss.as_deref()),
        ("kind", args.kind.as_deref()),
        ("after", after),
        ("limit", Some(&limit)),
    ];
    let query: Vec<_> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    Ok(client.get("/revocations", &query)?)
}

/// Columns of the table.
const COLUMNS: usize = 9;

const HEADINGS: [&str; COLUMNS] = ["ID", "SEQ", "KIND", "VALUE", "SUB", "ISS", "REVOKED AT", "EXPIRES AT", "REASON"];

/// A table of entries.
pub(super) struct Table(table::Table<COLUMNS>);

impl Default for Table {
    fn default() -> Self {
        Self(table::Table::new(HEADINGS))
    }
}

impl Table {
    pub(super) fn print(&mut self, entries: &[Entry]) -> Result<(), output::OutputError> {
        self.0.print(&entries.iter().map(row).collect::<Vec<_>>())
    }
}

fn row(entry: &Entry) -> [String; COLUMNS] {
    let shown = |text: &str| short(&printable(text));
    let optional = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), shown);
    [
        shown(&entry.id),
        entry.seq.to_string(),
        shown(&entry.kind),
        shown(&entry.value),
        optional(&entry.sub),
        optional(&entry.iss),
        rfc3339(entry.revoked_at),
        rfc3339(entry.expires_at),
        optional(&entry.reason),
    ]
}
