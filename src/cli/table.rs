//! Lists for people: columns as wide as what is in them.

use console::{Alignment, measure_text_width, pad_str, style};

use super::output::printable;

/// Writes rows under each other, with two spaces between columns and none at the end of a line.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| measure_text_width(cell)).max();
    let widths: Vec<_> = (0..N).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| pad_str(cell, *width, Alignment::Left, None));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Writes a table with a heading, which stands out on a terminal; what others wrote into a cell tells the terminal nothing.
pub(super) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows = rows.into_iter().map(|row| row.map(|cell| printable(&cell)));
    let rows: Vec<_> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let text = aligned(&rows);
    match text.split_once('\n') {
        Some((head, rows)) => format!("{}\n{rows}", style(head).bold()),
        None => style(text).bold().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let rows =
            [["ID", "NAME", "X"], ["1", "李白", "a"], ["12345", "Ämilie", "b"]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows), "ID     NAME    X\n1      李白    a\n12345  Ämilie  b");
    }

    #[test]
    fn a_cell_moves_no_cursor() {
        let text = table(["NAME"], [["a\u{1b}[31m\nb".to_owned()]]);
        assert!(text.ends_with("a\u{fffd}[31m\u{fffd}b"), "{text:?}");
    }
}
