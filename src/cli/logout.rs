//! `revokd logout`.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;

use super::client::Client;
use super::exit::Failure;
use super::moment::{Moment, parse_moment, rfc3339};
use super::output::{self, printable};
use super::target::TargetArgs;
use super::{Context, Exit, OutputArgs};
use crate::wire::{DryRunAnswer, LogOutAnswer, LogOutAnswers, LogOutBody};

/// Log out a subject, a session, a client, or everybody
///
/// Revokes every matching token that was issued up to now, or up to --before, by one write, whatever their number. A new
/// login works at once. Only checks that bring the claim can notice, and with it the token's iat: --dry-run says how many
/// checks of the last hour did not, and writes nothing. When it exits 0, the cutoff is on the server's disk; `revokd
/// restore` takes it back.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  revokd logout --sub alice --reason 'laptop stolen'
  revokd logout --sub alice --dry-run
  revokd logout --sid 8c1f29c0 --iss https://auth.example
  revokd logout --client-id shop --before -1h
  revokd logout --all --iss https://auth.example --reason 'signing key leaked' --yes")]
pub(super) struct LogoutArgs {
    #[command(flatten)]
    whom: Whom,
    /// The tokens' issuer; needed where the server knows several
    #[arg(long)]
    iss: Option<String>,
    /// The last second whose tokens are revoked: NumericDate, or from now, as in -90s, -1h30m [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true)]
    before: Option<Moment>,
    /// Why, at most 256 bytes
    #[arg(long)]
    reason: Option<String>,
    /// Say whom it would hit and who would not notice, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask back before everybody is logged out
    #[arg(long, conflicts_with_all = ["sub", "sid", "client_id"])]
    yes: bool,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Whom {
    /// A subject
    #[arg(long)]
    sub: Option<String>,
    /// A session
    #[arg(long)]
    sid: Option<String>,
    /// An OAuth client, whoever its tokens were issued for
    #[arg(long)]
    client_id: Option<String>,
    /// Everybody: every token of the issuer
    #[arg(long)]
    all: bool,
}

pub(super) fn run(args: &LogoutArgs, context: &Context<'_>) -> anyhow::Result<Exit> {
    let client = Client::new(&args.target, context)?;
    if args.whom.all && !args.yes && !args.dry_run {
        confirm(args.iss.as_deref())?;
    }
    let body = LogOutBody {
        sub: args.whom.sub.clone(),
        sid: args.whom.sid.clone(),
        client_id: args.whom.client_id.clone(),
        all: args.whom.all,
        iss: args.iss.clone(),
        issued_before: args.before.map(|before| before.resolve().0),
        reason: args.reason.clone(),
        dry_run: args.dry_run,
    };
    let answer: LogOutAnswers = client.post("/force-logout", &body)?;
    if args.output.json {
        output::json(&answer)?;
    } else {
        output::line(&words(&answer))?;
    }
    Ok(Exit::Ok)
}

/// Asks the person at the terminal; a script has to say beforehand that it means everybody.
fn confirm(iss: Option<&str>) -> anyhow::Result<()> {
    let whose = iss.map(|iss| format!(" of {}", printable(iss))).unwrap_or_default();
    if !io::stdin().is_terminal() {
        let message =
            format!("this logs out everybody{whose}; add --yes if that is meant, or look at it with --dry-run");
        return Err(Failure::new(Exit::Usage, message).into());
    }
    let mut said = String::new();
    write!(io::stderr().lock(), "This logs out everybody{whose}. Go on? [y/N] ")?;
    io::stdin().lock().read_line(&mut said)?;
    match said.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::new(Exit::Error, "nobody was logged out").into()),
    }
}

fn words(answer: &LogOutAnswers) -> String {
    match answer {
        LogOutAnswers::Stored(LogOutAnswer { seq, id, issued_before, good_from, expires_at }) => format!(
            "logged out (seq {seq}, id {}): revoked are tokens issued up to {}; a login from {} on works; \
             the entry lives until {}",
            printable(id),
            rfc3339(*issued_before),
            rfc3339(*good_from),
            rfc3339(*expires_at)
        ),
        LogOutAnswers::DryRun(DryRunAnswer { says, .. }) => printable(says),
    }
}
