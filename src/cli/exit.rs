//! How a command ends.

use std::process::ExitCode;

use crate::app::AppError;

/// The exit code of a command. Stable: scripts branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; for `check`: not revoked.
    Ok = 0,
    /// Refused or failed for any other reason.
    Error = 1,
    /// The command line is wrong. clap leaves with it by itself.
    Usage = 2,
    /// `check`: the token is revoked.
    Revoked = 3,
    /// There is no such thing.
    NotFound = 4,
    /// The key is missing, unknown, or may not do this.
    Auth = 5,
    /// It has changed meanwhile, or another process holds it.
    Conflict = 6,
    /// The server cannot be reached, or cannot answer now. For `check`: nobody knows, which never means "not revoked".
    Unavailable = 7,
    /// Some lines of a batch were rejected.
    Partial = 8,
}

/// The codes as `--help` lists them.
pub(super) const HELP: &str = "\
Exit codes:
  0  done; for check: not revoked
  1  refused or failed
  2  wrong usage
  3  check: revoked
  4  not found
  5  key missing, unknown, or without the right to do this
  6  conflict, or the data directory is held by a running server
  7  server not reachable or not able to answer; for check: unknown, never \"not revoked\"
  8  some lines of a batch were rejected";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What went wrong, in words for the person at the terminal, and the exit code that says it to scripts.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The code to leave with.
    pub exit: Exit,
    /// What is wrong, and what to do next.
    pub message: String,
}

impl Failure {
    /// A failure that leaves with `exit`.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

/// The code with which an error leaves.
#[must_use]
pub fn exit_of(error: &anyhow::Error) -> Exit {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return failure.exit;
    }
    match error.downcast_ref::<AppError>() {
        Some(AppError::Held { .. }) => Exit::Conflict,
        Some(AppError::NotOwner { .. }) => Exit::Auth,
        _ => Exit::Error,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn an_error_keeps_its_exit_code_whatever_is_said_around_it() {
        let failure = || anyhow::Error::from(Failure::new(Exit::Auth, "no key"));
        assert_eq!(exit_of(&failure()), Exit::Auth);
        let wrapped = Err::<(), _>(failure()).context("asking").context("checking").unwrap_err();
        assert_eq!(exit_of(&wrapped), Exit::Auth);
        let held = AppError::Held { path: "/data".into() };
        assert_eq!(exit_of(&anyhow::Error::from(held).context("verifying")), Exit::Conflict);
        assert_eq!(exit_of(&anyhow::anyhow!("anything")), Exit::Error);
    }

    #[test]
    fn every_code_is_in_the_help() {
        let codes = [Exit::Ok, Exit::Error, Exit::Usage, Exit::Revoked, Exit::NotFound, Exit::Auth, Exit::Conflict];
        for code in codes.into_iter().chain([Exit::Unavailable, Exit::Partial]) {
            assert!(HELP.contains(&format!("\n  {}  ", code as u8)), "{code:?}");
        }
    }
}
