//! The command line: a server, and the verbs that talk to it.
//!
//! Data goes to standard output, everything else to standard error. Verbs are clients of the running server; they find
//! it, and its key, through the same config (`target`). One file per command.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand};

pub use exit::{Exit, Failure, exit_of};

use crate::config::{ConfigError, Loaded, Sources};

mod bulk;
mod check;
mod client;
mod completions;
mod config;
mod exit;
mod keys;
mod list;
mod logout;
mod moment;
mod output;
mod own_tls;
mod purge;
mod restore;
mod revoke;
mod serve;
mod target;
mod verify;

/// A durable denylist for JSON Web Tokens.
///
/// revokd is the revocation layer that stateless JWTs lack: auth servers post the ids of revoked tokens, gateways ask
/// about every request, and entries go by themselves once their tokens have expired.
///
/// `revokd serve` starts the server. The other verbs talk to it: they find it and its admin key through the same config
/// file, or through `REVOKD_URL` and `REVOKD_API_KEY` (or `REVOKD_API_KEY_FILE`).
#[derive(Debug, Parser)]
#[command(version, after_help = exit::HELP, max_term_width = 100, subcommand_required = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: Command,
}

/// How the configuration is found.
#[derive(Debug, Args)]
struct ConfigArgs {
    /// Config file; otherwise ./config.toml, then /etc/revokd/config.toml
    #[arg(long, global = true, value_name = "FILE", env = "REVOKD_CONFIG", hide_env_values = true)]
    #[arg(help_heading = "Configuration")]
    #[arg(value_parser = OsStringValueParser::new().map(PathBuf::from))]
    config: Option<PathBuf>,
    /// Set one config key, as in `--set server.listen=127.0.0.1:7010`; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", help_heading = "Configuration")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Revoke(revoke::RevokeArgs),
    Check(check::CheckArgs),
    Logout(logout::LogoutArgs),
    Restore(restore::RestoreArgs),
    List(list::ListArgs),
    Purge(purge::PurgeArgs),
    Keys(keys::KeysCommand),
    Verify(verify::VerifyArgs),
    Config(config::ConfigCommand),
    Completions(completions::CompletionsArgs),
}

/// How an answer is written.
#[derive(Debug, Args)]
struct OutputArgs {
    /// Write JSON to standard output
    #[arg(long)]
    json: bool,
}

/// The process environment, read once.
#[derive(Debug, Clone)]
pub struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    /// What this process was given.
    #[must_use]
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// The value of a variable; empty is as good as unset.
    fn get(&self, name: &str) -> Option<&OsStr> {
        let found = self.0.iter().find(|(candidate, _)| candidate == name);
        found.map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
    }
}

/// What every command gets.
struct Context<'a> {
    config: &'a ConfigArgs,
    environment: &'a Environment,
}

impl Context<'_> {
    /// Reads the configuration; only commands that need it do, so that a remote client can do without.
    fn load(&self) -> Result<Loaded, ConfigError> {
        let file = self.config.config.as_deref().filter(|path| !path.as_os_str().is_empty());
        Loaded::load(&Sources::new(file, self.environment.0.iter().cloned(), &self.config.set))
    }
}

/// Runs one command to its end.
///
/// # Errors
/// Whatever kept it from its end; [`exit_of`] says with which code to leave.
pub fn run(cli: &Cli, environment: &Environment) -> anyhow::Result<Exit> {
    let context = Context { config: &cli.config, environment };
    match &cli.command {
        Command::Serve(args) => serve::run(args, &context),
        Command::Revoke(args) => revoke::run(args, &context),
        Command::Check(args) => check::run(args, &context),
        Command::Logout(args) => logout::run(args, &context),
        Command::Restore(args) => restore::run(args, &context),
        Command::List(args) => list::run(args, &context),
        Command::Purge(args) => purge::run(args, &context),
        Command::Keys(command) => keys::run(command, &context),
        Command::Verify(args) => verify::run(args, &context),
        Command::Config(command) => config::run(command, &context),
        Command::Completions(args) => completions::run(args),
    }
}

/// Whether the reader of our output has gone, which is no failure of ours.
#[must_use]
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.is::<output::OutputError>() && error.chain().any(|cause| cause.downcast_ref().is_some_and(broken))
}
