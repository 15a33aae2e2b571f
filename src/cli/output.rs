//! Standard output for data, standard error for everything else.

use std::io::{self, Write};

use serde::Serialize;

/// Standard output could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub(super) struct OutputError(#[from] io::Error);

/// Writes one line of data.
pub(super) fn line(text: &str) -> Result<(), OutputError> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// Writes one line of JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), OutputError> {
    let text = serde_json::to_string(value).map_err(io::Error::from)?;
    line(&text)
}

/// Writes bytes as they are.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), OutputError> {
    Ok(io::stdout().lock().write_all(bytes)?)
}

/// Says something to the person at the terminal. Where nobody listens, nothing is lost.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Text of others without what would move a terminal's cursor, recolour it, or reorder its line.
pub(super) fn printable(text: &str) -> String {
    let directs = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || directs(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_drive_a_terminal_is_shown_as_its_code() {
        assert_eq!(printable("a☂é b"), "a☂é b");
        assert_eq!(printable("a\u{1b}[31m\n\u{202e}"), "a\\u{1b}[31m\\u{a}\\u{202e}");
    }
}
