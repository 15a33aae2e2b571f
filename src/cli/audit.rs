//! `revokd audit`.

use clap::Args;

use super::client::Client;
use super::moment::rfc3339;
use super::output::{self, note, printable};
use super::table::{Table, short};
use super::target::TargetArgs;
use super::{Context, Exit, OutputArgs};
use crate::wire::{AuditRecord, AuditRecords};

/// Records asked for at a time.
const PAGE: u64 = 1_000;

/// Show who did what, when, why and from where
///
/// Shows the records of the audit, newest first, as a table, or with --json as one JSON object a line. With --ndjson all of
/// them are exported, oldest first, as one JSON object a line; each has a `hash` that stands for all records up to it, so that
/// a later export, `revokd verify` or the head in the log can be held against it. Needs a key with the scope `audit`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  revokd audit
  revokd audit --sub alice
  revokd audit --actor 0123456789ab --json | jq -r .what
  revokd audit --ndjson > audit.ndjson
  revokd audit --ndjson --after \"$(tail -n 1 audit.ndjson | jq .seq)\" >> audit.ndjson")]
pub(super) struct AuditArgs {
    /// Only records about this subject
    #[arg(long)]
    sub: Option<String>,
    /// Only what the key of this id has asked for
    #[arg(long, value_name = "KEY_ID")]
    actor: Option<String>,
    /// Only records about this issuer
    #[arg(long)]
    iss: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// All of them
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Export all of them, oldest first
    #[arg(long, conflicts_with_all = ["limit", "all", "json"])]
    ndjson: bool,
    /// Export only what comes after this place in the history
    #[arg(long, value_name = "SEQ", requires = "ndjson")]
    after: Option<u64>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &AuditArgs, context: &Context<'_>) -> anyhow::Result<Exit> {
    let client = Client::new(&args.target, context)?;
    if args.ndjson { export(&client, args) } else { show(&client, args) }
}

fn export(client: &Client, args: &AuditArgs) -> anyhow::Result<Exit> {
    let after = args.after.map(|seq| seq.to_string());
    client.get_lines("/audit", &query(args, after.as_deref(), None), |lines| Ok(output::bytes(lines)?))?;
    Ok(Exit::Ok)
}

fn show(client: &Client, args: &AuditArgs) -> anyhow::Result<Exit> {
    let mut wanted = if args.all { u64::MAX } else { args.limit };
    let mut after = None;
    let mut table = Table::new(HEADINGS);
    while wanted > 0 {
        let limit = wanted.min(PAGE).to_string();
        let page: AuditRecords = client.get("/audit", &query(args, after.as_deref(), Some(&limit)))?;
        wanted = wanted.saturating_sub(page.records.len() as u64);
        if args.output.json {
            page.records.iter().try_for_each(output::json)?;
        } else {
            table.print(&page.records.iter().map(row).collect::<Vec<_>>())?;
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

fn query<'a>(args: &'a AuditArgs, after: Option<&'a str>, limit: Option<&'a str>) -> Vec<(&'static str, &'a str)> {
    let given = [
        ("sub", args.sub.as_deref()),
        ("actor", args.actor.as_deref()),
        ("iss", args.iss.as_deref()),
        ("after", after),
        ("limit", limit),
    ];
    given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

const HEADINGS: [&str; 9] = ["SEQ", "AT", "WHAT", "KIND", "VALUE", "ISS", "ACTOR", "FROM", "REASON"];

fn row(record: &AuditRecord) -> [String; 9] {
    let shown = |text: &str| short(&printable(text));
    let optional = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), shown);
    let value = match (&record.value, &record.route, record.count) {
        (Some(value), ..) => shown(value),
        (None, Some(route), _) => format!("{} {}", record.status.unwrap_or(0), shown(route)),
        (None, None, Some(count)) => format!("{count} times"),
        (None, None, None) => "-".to_owned(),
    };
    [
        record.seq.to_string(),
        rfc3339(record.at),
        shown(&record.what),
        optional(&record.kind),
        value,
        optional(&record.iss),
        record.actor.as_deref().map_or_else(|| "-".to_owned(), shown),
        optional(&record.from),
        optional(&record.reason),
    ]
}
