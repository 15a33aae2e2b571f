//! `[log]`: what is said on standard error.

use confique::Config;
use serde::{Deserialize, Serialize};

/// What is said on standard error. No token, key or claim value ever is.
#[derive(Debug, Clone, Config, Serialize)]
pub struct Log {
    /// `"off"`, `"error"`, `"warn"`, `"info"`, `"debug"` or `"trace"`; also per module: `"info,revokd::journal=debug"`.
    /// The environment variable `RUST_LOG` goes before this file.
    #[config(default = "info")]
    pub level: String,

    /// `"text"`, `"json"`, or `"auto"`: text on a terminal, else JSON.
    #[config(default = "auto")]
    pub format: LogFormat,

    /// Whether each check is logged.
    #[config(default = false)]
    pub checks: bool,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
