//! Lists with aligned columns.

use crate::say;

/// Characters of a text that stands in a column.
const CELL_CHARS_MAX: usize = 160;

/// Prints rows under their headings, each column as wide as its widest cell; nothing else stands between two columns
/// than two spaces, so that `awk` can read it.
pub(super) fn print<const N: usize>(headings: [&str; N], rows: &[[String; N]]) {
    let cells: Vec<[String; N]> =
        rows.iter().map(|row| row.each_ref().map(|cell| on_one_line(cell))).collect();
    let widths: [usize; N] = std::array::from_fn(|column| {
        let lengths = cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        lengths.chain(headings.get(column).map(|heading| heading.chars().count())).max().unwrap_or(0)
    });
    say::line(&line(&headings.map(str::to_owned), &widths));
    for row in &cells {
        say::line(&line(row, &widths));
    }
}

fn line<const N: usize>(cells: &[String; N], widths: &[usize; N]) -> String {
    let padded: Vec<String> =
        cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    padded.join("  ").trim_end().to_owned()
}

/// An empty cell would shift those behind it.
fn on_one_line(cell: &str) -> String {
    let words = cell.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(CELL_CHARS_MAX) {
        _ if words.is_empty() => "-".to_owned(),
        Some(_) => words.chars().take(CELL_CHARS_MAX).chain(['…']).collect(),
        None => words,
    }
}

/// A cell that may have nothing to say.
pub(super) fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_line_of_bounded_length() {
        assert_eq!(on_one_line("no\n  paper"), "no paper");
        assert_eq!(on_one_line(" "), "-");
        assert_eq!(on_one_line(&"ü".repeat(CELL_CHARS_MAX + 5)).chars().count(), CELL_CHARS_MAX + 1);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let cells = ["ab".to_owned(), "c".to_owned(), String::new()];
        assert_eq!(line(&cells, &[4, 3, 0]), "ab    c");
    }
}
