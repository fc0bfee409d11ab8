//! Lists for people: columns as wide as what is in them.

/// Writes rows under each other, with two spaces between columns and none at the end of a line.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..N).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [["ID", "NAME"], ["1", "Ada"], ["12345", "Ämilie"]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows), "ID     NAME\n1      Ada\n12345  Ämilie");
    }
}
