//! The `revokd` binary: parse, dispatch, print what went wrong, exit.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use revokd::cli::{self, Cli, Environment};

/// A leaf of the index is a few dozen small allocations, and so is a request: `benches/README.md` has the figures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::run(&Cli::parse(), &Environment::of_process()) {
        Ok(exit) => exit.into(),
        Err(error) if cli::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed too, the exit code still speaks.
            let _ = writeln!(std::io::stderr(), "revokd: {error:#}");
            cli::exit_of(&error).into()
        }
    }
}
