//! `revokd config check` and `revokd config show`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::output::{self, note};
use super::{Context, Exit, OutputArgs};
use crate::config::{Loaded, Setting};
use crate::metrics::TlsMetrics;
use crate::tls::Tls;
use crate::verifier::Verifier;

/// Check or show the configuration
///
/// The configuration is put together from defaults, file, environment and flags, in this order; what comes later wins.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  revokd config check --config new.toml
  revokd config show --origin")]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Name every mistake in the configuration
    ///
    /// Names every mistake that can be seen, with its place and limit: of each issuer the first, and what is wrong with the
    /// issuers' keys only once all else is right, so check again after mending. Starts nothing and changes nothing. Exits 0
    /// if there is none, else 1.
    #[command(after_help = "\
Examples:
  revokd config check
  revokd config check --config /etc/revokd/config.toml --json")]
    Check {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show the effective configuration
    ///
    /// Shows every key with its effective value, as TOML. Secrets are redacted.
    #[command(after_help = "\
Examples:
  revokd config show
  revokd config show --origin
  REVOKD__TOKENS__LEEWAY_S=60 revokd config show --origin --json")]
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
}

pub(super) fn run(command: &ConfigCommand, context: &Context<'_>) -> anyhow::Result<Exit> {
    match &command.verb {
        Verb::Check { output } => check(output.json, context),
        Verb::Show { origin, output } => show(*origin, output.json, context),
    }
}

fn check(as_json: bool, context: &Context<'_>) -> anyhow::Result<Exit> {
    match context.load() {
        Ok(loaded) => {
            let faults = faults_of_files(&loaded);
            if as_json {
                let file = loaded.file.as_ref().map(|file| file.display().to_string());
                let problem = |fault: &String| json!({ "place": file, "message": fault });
                let problems: Vec<_> = faults.iter().map(problem).collect();
                output::json(&json!({ "ok": faults.is_empty(), "file": file, "problems": problems }))?;
                return Ok(if faults.is_empty() { Exit::Ok } else { Exit::Error });
            }
            if !faults.is_empty() {
                anyhow::bail!("{}", faults.join("\n"));
            }
            output::line(&format!("ok: {}", loaded.describe()))?;
            Ok(Exit::Ok)
        }
        Err(error) if as_json => {
            let problem =
                |problem: &crate::config::Problem| json!({ "place": problem.place(), "message": problem.message() });
            output::json(
                &json!({ "ok": false, "problems": error.problems().iter().map(problem).collect::<Vec<_>>() }),
            )?;
            Ok(Exit::Error)
        }
        Err(error) => Err(error.into()),
    }
}

/// What is wrong with the files that the configuration names. Fetches nothing.
fn faults_of_files(loaded: &Loaded) -> Vec<String> {
    let keys = Verifier::new(loaded.config.issuers.clone(), &loaded.base_dir()).err().map(|error| error.to_string());
    let tls = loaded.config.tls_settings().and_then(|settings| Tls::load(settings, TlsMetrics::default()).err());
    keys.into_iter().chain(tls.map(|error| error.to_string())).collect()
}

fn show(origin: bool, as_json: bool, context: &Context<'_>) -> anyhow::Result<Exit> {
    let loaded = context.load()?;
    note(&loaded.describe());
    let settings = loaded.settings();
    if as_json {
        let member = |setting: Setting| {
            let value = if origin {
                json!({ "value": setting.value, "origin": setting.origin.to_string() })
            } else {
                setting.value
            };
            (setting.key, value)
        };
        output::json(&Value::Object(settings.into_iter().map(member).collect::<Map<_, _>>()))?;
        return Ok(Exit::Ok);
    }
    // TOML wants keys without a section before the first section.
    let (sectioned, top): (Vec<_>, Vec<_>) = settings.into_iter().partition(|setting| setting.key.contains('.'));
    let mut section = String::new();
    for setting in top.into_iter().chain(sectioned) {
        let (of, key) = setting.key.split_once('.').unwrap_or(("", &setting.key));
        if of != section {
            output::line(&format!("\n[{of}]"))?;
            of.clone_into(&mut section);
        }
        let comment = if origin { format!("  # {}", setting.origin) } else { String::new() };
        output::line(&format!("{key} = {}{comment}", setting.toml()))?;
    }
    Ok(Exit::Ok)
}
