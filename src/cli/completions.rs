//! `revokd completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Exit, output};

/// Write completions for a shell to standard output
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  revokd completions bash > /usr/share/bash-completion/completions/revokd
  revokd completions zsh > /usr/share/zsh/vendor-completions/_revokd
  revokd completions fish > ~/.config/fish/completions/revokd.fish")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "revokd", &mut script);
    output::bytes(&script)?;
    Ok(Exit::Ok)
}
