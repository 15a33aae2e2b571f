//! `revokd check`.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use serde::Serialize;

use super::client::Client;
use super::moment::rfc3339;
use super::output::{self, note, printable};
use super::target::TargetArgs;
use super::{Context, Exit, OutputArgs};
use crate::wire::CheckAnswer;

/// Largest file that can be a token, bytes.
const TOKEN_FILE_BYTES_MAX: u64 = 65_536;

/// Ask whether a token is revoked
///
/// Asks by the token's id and what else is known of it, or by the token itself, whose signature is then verified too. The
/// answer lists what was judged: a check by jti alone does not see a revocation of the whole session. Exits 0 if the
/// token is not revoked, 3 if it is, and 7 if nobody knows; never take 7 for 0. A token is read from a file or standard
/// input, never from the command line, where other users could see it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  revokd check 8c1f29c0
  revokd check 8c1f29c0 --sub alice --iat 1800000000
  revokd check --token-file token.jwt
  revokd check --json --token-file - < token.jwt
  revokd check -- -id-that-starts-with-a-dash

Exit codes: 0 not revoked, 3 revoked, 7 unknown; see revokd --help for the others")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    claims: Claims,
    /// File with the token; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["jti", "iss", "sub", "sid", "client_id", "family", "iat"])]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args, Serialize)]
struct Claims {
    /// The token's id
    #[arg(required_unless_present_any = ["token_file", "sub", "sid", "client_id", "family"])]
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    /// The token's issuer; needed where the server knows several
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    /// Its subject
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    /// Its session
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    /// Its OAuth client
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// Its family, where its issuer has one
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<String>,
    /// When it was issued
    #[arg(long, value_name = "NUMERICDATE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
}

#[derive(Serialize)]
struct Token {
    token: String,
}

pub(super) fn run(args: &CheckArgs, context: &Context<'_>) -> anyhow::Result<Exit> {
    let client = Client::new(&args.target, context)?;
    // Posted, not put into the path: an id may be `..`, and paths end up in the logs of what stands between.
    let answer: CheckAnswer = match &args.token_file {
        Some(path) => client.post("/check", &Token { token: read_token(path)? })?,
        None => client.post("/check", &args.claims)?,
    };
    if answer.by.as_deref() == Some("unverifiable") {
        note(
            "the server cannot verify this token: it is forged or malformed, or the server has no keys of its issuer; \
             without [[issuers]] in its config it can verify none. Its log says why at log.level=debug",
        );
    }
    if args.output.json {
        output::json(&answer)?;
    } else {
        output::line(&words(&answer))?;
    }
    Ok(if answer.revoked { Exit::Revoked } else { Exit::Ok })
}

fn words(answer: &CheckAnswer) -> String {
    let judged = printable(&answer.judged.join(", "));
    if !answer.revoked {
        return format!("not revoked (judged: {judged})");
    }
    let by = answer.by.as_deref().map(|by| format!(" by {}", printable(by))).unwrap_or_default();
    let at = answer.revoked_at.map(|at| format!(" at {}", rfc3339(at))).unwrap_or_default();
    let reason = answer.reason.as_deref().map(|reason| format!(": {}", printable(reason))).unwrap_or_default();
    format!("revoked{by}{at}{reason} (judged: {judged})")
}

/// Reads one token from a file, or from standard input for `-`.
pub(super) fn read_token(path: &Path) -> anyhow::Result<String> {
    let mut token = String::new();
    let read = if path.as_os_str() == "-" {
        io::stdin().lock().take(TOKEN_FILE_BYTES_MAX + 1).read_to_string(&mut token)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(TOKEN_FILE_BYTES_MAX + 1).read_to_string(&mut token))
    };
    let bytes = read.with_context(|| format!("cannot read the token from {}", path.display()))?;
    ensure!(
        bytes as u64 <= TOKEN_FILE_BYTES_MAX,
        "{} is no token: the limit is {TOKEN_FILE_BYTES_MAX} bytes",
        path.display()
    );
    ensure!(!token.trim().is_empty(), "there is no token in {}", path.display());
    Ok(token.trim().to_owned())
}
