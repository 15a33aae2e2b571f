//! Tables on standard output.

use super::output;

/// Columns as wide as the first page asks for, so that a long list can be printed as it comes.
pub(super) struct Table<const COLUMNS: usize> {
    headings: [&'static str; COLUMNS],
    widths: Option<[usize; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(super) fn new(headings: [&'static str; COLUMNS]) -> Self {
        Self { headings, widths: None }
    }

    /// Prints rows, and before the first ones the headings.
    pub(super) fn print(&mut self, rows: &[[String; COLUMNS]]) -> Result<(), output::OutputError> {
        if let Some(widths) = &self.widths {
            return rows.iter().try_for_each(|row| output::line(&aligned(row, widths)));
        }
        let headings = self.headings.map(str::to_owned);
        let mut widths = [0; COLUMNS];
        for row in rows.iter().chain([&headings]) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        self.widths = Some(widths);
        [headings].iter().chain(rows).try_for_each(|row| output::line(&aligned(row, &widths)))
    }
}

/// A cell that one long value does not make as wide as a page.
pub(super) fn short(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    match text.char_indices().nth(CHARS_MAX) {
        Some(_) => text.chars().take(CHARS_MAX - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

fn aligned<const COLUMNS: usize>(row: &[String; COLUMNS], widths: &[usize; COLUMNS]) -> String {
    let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    cells.join("  ").trim_end().to_owned()
}
