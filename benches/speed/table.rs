//! The table that is printed.

use std::fmt::Write;

/// One row.
pub(crate) struct Row {
    what: String,
    goal: String,
    measured: String,
    met: &'static str,
}

impl Row {
    /// A figure that must not be smaller than its goal.
    pub(crate) fn at_least(what: impl Into<String>, goal: f64, measured: f64) -> Self {
        let met = if measured >= goal { "yes" } else { "**no**" };
        Self { what: what.into(), goal: format!("≥ {goal:.2}"), measured: format!("{measured:.2}"), met }
    }

    /// A figure that must not be greater than its goal.
    pub(crate) fn at_most(what: impl Into<String>, goal: f64, measured: f64, unit: &str) -> Self {
        let met = if measured <= goal { "yes" } else { "**no**" };
        let unit = unit.trim_end();
        Self { what: what.into(), goal: format!("≤ {goal} {unit}"), measured: format!("{measured:.1} {unit}"), met }
    }

    /// A ratio that must not be greater than its goal.
    pub(crate) fn ratio_at_most(what: impl Into<String>, goal: f64, measured: f64) -> Self {
        let met = if measured <= goal { "yes" } else { "**no**" };
        Self { what: what.into(), goal: format!("≤ {goal:.2}"), measured: format!("{measured:.3}"), met }
    }

    /// A figure without a goal.
    pub(crate) fn note(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self { what: what.into(), goal: String::new(), measured: measured.into(), met: "" }
    }
}

/// Writes the rows out in Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = "| what | goal | measured | met? |\n| --- | --- | --- | --- |\n".to_owned();
    for Row { what, goal, measured, met } in rows {
        writeln!(text, "| {what} | {goal} | {} | {met} |", measured.trim_end()).unwrap();
    }
    text
}

/// Returns the middle one of some figures.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let half = figures.len() / 2;
    if figures.len() % 2 == 1 { figures[half] } else { (figures[half - 1] + figures[half]) / 2.0 }
}
