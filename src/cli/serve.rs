//! `revokd serve`.

use clap::Args;

use super::{Context, Exit};
use crate::app::{self, ServeOptions};

/// Start the server
///
/// Starts the server in the foreground and runs it until SIGTERM or SIGINT: then it says that it is not ready, finishes
/// what is under way, and exits 0. The first start makes the data directory and writes an admin key to `admin.key` in
/// it. SIGHUP reads the files of `[tls]` again, as a change of them does. The log goes to standard error.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  revokd serve
  revokd serve --config /etc/revokd/config.toml
  revokd serve --set server.listen=unix:/run/revokd/revokd.sock
  revokd serve --accept-loss")]
pub(super) struct ServeArgs {
    /// Start although the journal is damaged: journal again what the index still holds, and go on without the rest
    #[arg(long)]
    accept_loss: bool,
}

pub(super) fn run(args: &ServeArgs, context: &Context<'_>) -> anyhow::Result<Exit> {
    app::serve(&context.load()?, ServeOptions { accept_loss: args.accept_loss })?;
    Ok(Exit::Ok)
}
