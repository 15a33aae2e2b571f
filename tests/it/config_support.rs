//! Configurations made of what a test says, and nothing of this machine.

use std::ffi::OsString;
use std::fs;

use revokd::config::{Config, ConfigError, Loaded, Origin, Sources};
use tempfile::TempDir;

/// A directory with this config file, and what else the configuration is read from.
pub(crate) struct ConfigCase {
    pub(crate) dir: TempDir,
    environment: Vec<(&'static str, &'static str)>,
    flags: Vec<&'static str>,
}

impl ConfigCase {
    pub(crate) fn file(text: &str) -> Self {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("config.toml"), text).unwrap();
        Self { dir, environment: Vec::new(), flags: Vec::new() }
    }

    pub(crate) fn variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    pub(crate) fn flag(mut self, assignment: &'static str) -> Self {
        self.flags.push(assignment);
        self
    }

    pub(crate) fn load(&self) -> Result<Loaded, ConfigError> {
        let environment = self.environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let flags: Vec<_> = self.flags.iter().map(|flag| (*flag).to_owned()).collect();
        Loaded::load(&Sources::new(Some(&self.dir.path().join("config.toml")), environment, &flags))
    }

    pub(crate) fn config(&self) -> Config {
        self.load().unwrap().config
    }

    /// Every problem, its place without the directory.
    pub(crate) fn problems(&self) -> Vec<String> {
        let error = self.load().expect_err("must be refused");
        let dir = format!("{}/", self.dir.path().display());
        error.problems().iter().map(|problem| problem.to_string().replace(&dir, "")).collect()
    }
}

pub(crate) fn origin(loaded: &Loaded, key: &str) -> Origin {
    loaded.settings().into_iter().find(|setting| setting.key == key).unwrap().origin
}
