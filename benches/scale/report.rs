//! The table that is printed.

use std::fmt;

/// Lines of the table, in the order they were measured.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<[String; 4]>);

impl Report {
    /// Adds a line.
    pub(crate) fn line(&mut self, what: &str, goal: &str, measured: &str, met: &str) {
        progress(&format!("{what}: {measured}"));
        self.0.push([what, goal, measured, met].map(str::to_owned));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | goal | measured | met? |\n| --- | --- | --- | --- |")?;
        self.0.iter().try_for_each(|line| writeln!(f, "| {} |", line.join(" | ")))
    }
}

/// Answers the table's last question.
pub(crate) fn met(met: bool) -> &'static str {
    if met { "yes" } else { "no" }
}

/// Says what is under way, beside the table.
#[expect(clippy::print_stderr, reason = "a measurement takes minutes, and standard output is for its table")]
pub(crate) fn progress(what: &str) {
    eprintln!("{what}");
}
