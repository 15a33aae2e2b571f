//! Where a configuration can come from.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use super::error::{ConfigError, Problem};

/// Files that are read where none is named: the first that exists.
pub(super) const SEARCHED: [&str; 2] = ["./config.toml", "/etc/revokd/config.toml"];

/// What names a variable of ours.
pub(super) const VARIABLE_PREFIX: &str = "REVOKD__";

/// The ecosystem's variable for `log.level`.
pub(super) const RUST_LOG: &str = "RUST_LOG";

/// Largest config file, bytes: whoever names another file by mistake is told, and memory stays bounded.
const FILE_BYTES_MAX: u64 = 1_048_576;

/// Everything that a configuration is read from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The file that was named, which must exist.
    pub(super) file: Option<PathBuf>,
    /// Variables of ours, by name.
    pub(super) environment: Vec<(OsString, OsString)>,
    /// `section.key=value`, in the order given.
    pub(super) assignments: Vec<String>,
    /// Files to look for where none was named.
    pub(super) searched: Vec<PathBuf>,
}

impl Sources {
    /// The sources of a process: the file that `--config` names, its environment, and what `--set` assigns.
    #[must_use]
    pub fn new(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        assignments: &[String],
    ) -> Self {
        let mut environment: Vec<_> = environment.into_iter().filter(|(name, _)| is_ours(name)).collect();
        environment.sort_unstable();
        Self {
            file: file.map(Path::to_owned),
            environment,
            assignments: assignments.to_vec(),
            searched: SEARCHED.map(PathBuf::from).to_vec(),
        }
    }

    /// The text of the file that was named, else of the first that exists.
    pub(super) fn find_file(&self) -> Result<Option<(PathBuf, String)>, ConfigError> {
        if let Some(path) = &self.file {
            return read_file(path).map(|text| Some((path.clone(), text))).map_err(|error| unreadable(path, &error));
        }
        for path in &self.searched {
            match read_file(path) {
                Ok(text) => return Ok(Some((path.clone(), text))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unreadable(path, &error)),
            }
        }
        Ok(None)
    }
}

fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let bytes = fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if bytes as u64 > FILE_BYTES_MAX {
        let message = format!("it is larger than the limit of {FILE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}

fn unreadable(path: &Path, error: &io::Error) -> ConfigError {
    let message = format!("cannot read the config file: {error}");
    ConfigError::new(vec![Problem::new(path.display().to_string(), message)])
}

/// Whether a variable sets a key.
fn is_ours(name: &OsStr) -> bool {
    name == RUST_LOG || name.as_encoded_bytes().starts_with(VARIABLE_PREFIX.as_bytes())
}

/// The directory that relative paths in `file` start at; the working directory without one.
pub(super) fn base_dir(file: Option<&Path>) -> PathBuf {
    file.and_then(Path::parent).map(Path::to_owned).unwrap_or_default()
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The compiled-in default.
    Default,
    /// A place in the config file.
    File {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
    },
    /// A variable, by name.
    Environment(String),
    /// A flag.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag => f.write_str("--set"),
        }
    }
}
