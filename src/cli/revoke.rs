//! `revokd revoke`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde::Serialize;

use super::bulk::{self, Bulk};
use super::check::read_token;
use super::client::Client;
use super::moment::{Moment, parse_moment, rfc3339};
use super::output::{self, printable};
use super::target::TargetArgs;
use super::{Context, Exit, OutputArgs};
use crate::wire::RevokeAnswer;

/// Revoke a token, or many
///
/// Revokes one token by its id and exp, one by the token itself (whose signature is then verified), or many from a file
/// with one JSON object a line. When it exits 0, the revocation is on the server's disk. Doing it again is harmless; a
/// later exp extends the entry. A token is read from a file or standard input, never from the command line, where other
/// users could see it.
///
/// Of a file, lines that are refused are named and the others still count (exit 8); with --json each is one object on
/// standard output, and the last line sums up. Should it break off, it says how
/// many lines are durable and how to go on.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").args(["jti", "token_file", "file"]).required(true))]
#[command(after_help = "\
Examples:
  revokd revoke 8c1f29c0 --exp +1h
  revokd revoke 8c1f29c0 --exp $(($(date +%s) + 3600)) --sub alice --reason 'lost laptop'
  revokd revoke --token-file token.jwt
  revokd revoke --file events.ndjson
  gunzip -c events.ndjson.gz | revokd revoke --file -

A line of the file, with exp as NumericDate and at most tokens.lifetime_max_s ahead:
  echo '{\"jti\":\"8c1f29c0\",\"exp\":'$(($(date +%s) + 3600))'}' | revokd revoke --file -

Exit codes: 0 done, 8 some lines were refused; see revokd --help for the others")]
pub(super) struct RevokeArgs {
    /// The token's id
    #[arg(requires = "exp")]
    jti: Option<String>,
    /// When the token expires: NumericDate, or from now, as in +90s, +1h30m, +30d
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_negative_numbers = true)]
    #[arg(requires = "jti", conflicts_with_all = ["token_file", "file"])]
    exp: Option<Moment>,
    /// Its issuer; needed where the server knows several
    #[arg(long, requires = "jti", conflicts_with_all = ["token_file", "file"])]
    iss: Option<String>,
    /// Its subject, for listings
    #[arg(long, requires = "jti", conflicts_with_all = ["token_file", "file"])]
    sub: Option<String>,
    /// Why, at most 256 bytes
    #[arg(long, conflicts_with = "file")]
    reason: Option<String>,
    /// File with the token; - is standard input
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with one revocation a line (NDJSON); - is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Go on at this line of the file
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    #[arg(conflicts_with_all = ["jti", "token_file"])]
    from_line: u64,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Serialize)]
struct Request<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

pub(super) fn run(args: &RevokeArgs, context: &Context<'_>) -> anyhow::Result<Exit> {
    if let Some(file) = &args.file {
        let client = Client::new(&args.target, context)?;
        return bulk::run(&Bulk { file, from_line: args.from_line, json: args.output.json }, &client);
    }
    let request = Request {
        token: args.token_file.as_deref().map(read_token).transpose()?,
        jti: args.jti.as_deref(),
        exp: args.exp.map(|exp| exp.resolve().0),
        iss: args.iss.as_deref(),
        sub: args.sub.as_deref(),
        reason: args.reason.as_deref(),
    };
    let answer: RevokeAnswer = Client::new(&args.target, context)?.post("/revoke", &request)?;
    if args.output.json {
        output::json(&answer)?;
    } else {
        output::line(&words(&answer))?;
    }
    Ok(Exit::Ok)
}

fn words(answer: &RevokeAnswer) -> String {
    match answer {
        RevokeAnswer::Stored(stored) => {
            format!("revoked (seq {}); the entry lives until {}", stored.seq, rfc3339(stored.expires_at))
        }
        RevokeAnswer::NotStored(not_stored) => format!("nothing to store: {}", printable(&not_stored.because)),
    }
}
