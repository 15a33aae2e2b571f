//! Places in the config file, and errors about them in words that its reader knows.

use std::path::Path;

use super::error::Problem;

/// The file under way, to name places in it.
pub(super) struct File<'a> {
    /// Its path, as it was named.
    pub(super) path: &'a Path,
    /// Its text.
    pub(super) text: &'a str,
}

impl File<'_> {
    /// Line and column of an offset, both from 1, the column in characters.
    pub(super) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    pub(super) fn problem_at(&self, offset: usize, message: String) -> Problem {
        let (line, column) = self.line_and_column(offset);
        Problem::new(format!("{}:{line}:{column}", self.path.display()), message).at_offset(offset)
    }

    /// What is no TOML.
    pub(super) fn syntax_problem(&self, error: &toml::de::Error) -> Problem {
        self.problem_at(error.span().map_or(0, |span| span.start), error.message().to_owned())
    }

    /// A value of the wrong type. serde quotes what it found, which must not be a secret (promise 12).
    pub(super) fn value_problem(&self, name: &str, error: &toml::de::Error, otherwise: usize) -> Problem {
        let offset = error.span().map_or(otherwise, |span| span.start);
        let line = self.text.lines().nth(self.line_and_column(offset).0 - 1).unwrap_or_default();
        let quotes = error.message().starts_with("invalid");
        let words = if quotes && line.contains("secret") {
            "a secret must be a text".to_owned()
        } else {
            plain_words(error.message())
        };
        self.problem_at(offset, format!("`{name}`: {words}"))
    }
}

/// serde's words for types, in words that a user of the file knows.
pub(super) fn plain_words(message: &str) -> String {
    let mut words = message.to_owned();
    for (theirs, ours) in [
        ("expected usize", "expected a whole number from 0"),
        ("expected u64", "expected a whole number from 0"),
        ("expected u32", "expected a whole number from 0 to 4294967295"),
        ("expected i64", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("expected a boolean", "expected true or false"),
        ("expected path string", "expected a text"),
        ("expected a string", "expected a text"),
        ("string \"", "text \""),
    ] {
        words = words.replace(theirs, ours);
    }
    words
}
