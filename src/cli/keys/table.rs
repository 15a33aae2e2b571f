//! API keys as a table.

use super::super::moment::rfc3339;
use super::super::output::{self, OutputError, printable};
use crate::wire::KeyEntry;

const COLUMNS: usize = 7;

const HEADINGS: [&str; COLUMNS] = ["ID", "SCOPES", "BOUND TO", "CREATED AT", "CREATED BY", "EXPIRES AT", "LABEL"];

pub(super) fn print(keys: &[KeyEntry]) -> Result<(), OutputError> {
    let rows: Vec<_> = std::iter::once(HEADINGS.map(str::to_owned)).chain(keys.iter().map(row)).collect();
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        output::line(cells.join("  ").trim_end())?;
    }
    Ok(())
}

fn row(key: &KeyEntry) -> [String; COLUMNS] {
    let ends = match key.expires_at {
        Some(end) if key.expired => format!("{} (over)", rfc3339(end)),
        Some(end) => rfc3339(end),
        None => "never".to_owned(),
    };
    [
        printable(&key.id),
        printable(&key.scopes.join(",")),
        bounds(key),
        rfc3339(key.created_at),
        key.created_by.as_deref().map_or_else(|| "-".to_owned(), printable),
        ends,
        printable(&key.label),
    ]
}

/// The first of each kind, and how many more there are: `--json` names all.
fn bounds(key: &KeyEntry) -> String {
    let of = |list: &Option<Vec<String>>| {
        let list = list.as_deref()?;
        let first = printable(list.first()?);
        Some(if list.len() == 1 { first } else { format!("{first} +{}", list.len() - 1) })
    };
    let both: Vec<_> =
        of(&key.issuers).into_iter().chain(of(&key.client_ids).map(|of| format!("client {of}"))).collect();
    if both.is_empty() { "all".to_owned() } else { both.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_a_key_may_do_about_what_and_until_when() {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let mut key = KeyEntry {
            id: "0123456789ab".to_owned(),
            seq: 1,
            label: "a\u{1b}b".to_owned(),
            scopes: texts(&["revoke", "check"]),
            issuers: None,
            client_ids: None,
            created_at: 1_800_000_000,
            created_by: None,
            expires_at: None,
            expired: false,
        };
        assert_eq!(
            row(&key),
            ["0123456789ab", "revoke,check", "all", "2027-01-15T08:00:00Z", "-", "never", "a\\u{1b}b"]
        );
        key.issuers = Some(texts(&["https://a", "https://b"]));
        key.client_ids = Some(texts(&["shop"]));
        (key.expires_at, key.expired) = (Some(1_800_000_000), true);
        assert_eq!(row(&key)[2], "https://a +1, client shop");
        assert_eq!(row(&key)[5], "2027-01-15T08:00:00Z (over)");
    }
}
