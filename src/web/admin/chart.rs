//! A chart of the last thirty days, drawn here, with the same in a table.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Duration};

use crate::display::number::grouped;
use crate::store::operator::Series;

/// Width of the drawing, which is stretched to that of the page.
const WIDTH: i64 = 300;

/// Height of the drawing.
const HEIGHT: i64 = 64;

/// Room between two bars.
const GAP: i64 = 2;

/// How little of a bar is drawn, so that one is not none.
const LEAST: i64 = 2;

const IN_A_TABLE: &[BorrowedFormatItem<'_>] = format_description!("[day padding:none] [month repr:long] [year]");

/// Thirty days are of one year, or nobody takes one for the other.
const IN_A_SENTENCE: &[BorrowedFormatItem<'_>] = format_description!("[day padding:none] [month repr:long]");

/// A chart; the template `admin/chart.html` shows it.
pub(super) struct Chart {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// What is counted, in a sentence.
    pub(super) what: &'static str,
    /// The number of today; nothing while it is being counted.
    pub(super) today: Option<String>,
    /// What the drawing shows, in words.
    pub(super) words: String,
    pub(super) width: i64,
    pub(super) height: i64,
    pub(super) bars: Vec<Bar>,
    /// The days, the newest first; those of which nothing is known are left out.
    pub(super) table: Vec<Day>,
    /// Where the events are that were counted.
    pub(super) href: &'static str,
}

/// One day of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Day {
    /// As machines read it.
    pub(super) iso: String,
    /// As people do: `22 November 2026`.
    pub(super) words: String,
    pub(super) count: String,
}

/// One day of the drawing.
pub(super) struct Bar {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) width: i64,
    pub(super) height: i64,
    pub(super) is_today: bool,
}

/// What a chart is of.
pub(super) struct Subject {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) what: &'static str,
    pub(super) href: &'static str,
    /// Whether the numbers of several days add up to something.
    pub(super) adds_up: bool,
}

impl Chart {
    /// Draws the counts of the days up to `today`, the oldest first.
    pub(super) fn new(subject: &Subject, series: &Series, today: Date) -> Self {
        let days = series.len() as i64;
        let most = series.iter().flatten().copied().max().unwrap_or_default();
        let step = WIDTH / days.max(1);
        let bar = |(at, count): (usize, &Option<i64>)| {
            let count = count.filter(|count| *count > 0)?;
            let height = (HEIGHT * count / most.max(1)).max(LEAST);
            let x = at as i64 * step;
            Some(Bar { x, y: HEIGHT - height, width: step - GAP, height, is_today: at as i64 + 1 == days })
        };
        let named = series.iter().enumerate().filter_map(|(at, count)| {
            let day = today.checked_sub(Duration::days(days - 1 - at as i64))?;
            Some((day, (*count)?))
        });
        let mut days_told: Vec<_> = named.collect();
        days_told.reverse();
        Self {
            id: subject.id,
            title: subject.title,
            what: subject.what,
            href: subject.href,
            today: series.last().copied().flatten().map(grouped),
            words: words(&days_told, subject.adds_up, series.contains(&None)),
            width: days * step - GAP,
            height: HEIGHT,
            bars: series.iter().enumerate().filter_map(bar).collect(),
            table: days_told.iter().map(Day::new).collect(),
        }
    }
}

impl Day {
    fn new((day, count): &(Date, i64)) -> Self {
        let words = day.format(IN_A_TABLE).unwrap_or_default();
        Self { iso: day.to_string(), words, count: grouped(*count) }
    }
}

/// Says what a chart shows to somebody who does not see it.
fn words(days: &[(Date, i64)], adds_up: bool, incomplete: bool) -> String {
    let total: i64 = days.iter().map(|(_, count)| count).sum();
    let most = days.iter().max_by_key(|(_, count)| count);
    let mut words = match most {
        Some((day, count)) if *count > 0 => {
            let (day, count) = (day.format(IN_A_SENTENCE).unwrap_or_default(), grouped(*count));
            if adds_up {
                format!("{} in 30 days, and {count} on {day}, the most on one day.", grouped(total))
            } else {
                format!("{count} on {day}, the most in 30 days.")
            }
        }
        _ => "None in 30 days.".to_owned(),
    };
    if incomplete {
        words.push_str(" Some days are not counted yet.");
    }
    words
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const SUBJECT: Subject = Subject { id: "x", title: "X", what: "X.", href: "/", adds_up: true };

    #[test]
    fn the_highest_bar_is_as_high_as_the_drawing_and_one_is_not_none() {
        let mut series = vec![Some(0); 30];
        (series[3], series[28], series[29]) = (Some(1000), Some(1), Some(500));
        let chart = Chart::new(&SUBJECT, &series, date!(2026 - 11 - 22));
        let heights: Vec<_> = chart.bars.iter().map(|bar| (bar.height, bar.y + bar.height)).collect();
        assert_eq!(heights, [(HEIGHT, HEIGHT), (LEAST, HEIGHT), (HEIGHT / 2, HEIGHT)]);
        assert!(chart.bars[2].is_today && !chart.bars[1].is_today);
        assert!(chart.bars.iter().all(|bar| bar.x >= 0 && bar.x + bar.width <= chart.width));
        assert_eq!(chart.words, "1,501 in 30 days, and 1,000 on 27 October, the most on one day.");
        let level = Chart::new(&Subject { adds_up: false, ..SUBJECT }, &series, date!(2026 - 11 - 22));
        assert_eq!(level.words, "1,000 on 27 October, the most in 30 days.");
        let today = ["2026-11-22", "22 November 2026", "500"].map(str::to_owned);
        assert_eq!([&chart.table[0].iso, &chart.table[0].words, &chart.table[0].count], today.each_ref());
        assert_eq!((chart.table.len(), chart.today.as_deref()), (30, Some("500")));
    }

    #[test]
    fn days_of_which_nothing_is_known_are_not_told_as_none() {
        let mut series = vec![None; 30];
        series[0] = Some(0);
        let chart = Chart::new(&SUBJECT, &series, date!(2026 - 11 - 22));
        assert_eq!((chart.today, chart.table.len(), chart.bars.len()), (None, 1, 0));
        assert_eq!(chart.words, "None in 30 days. Some days are not counted yet.");
        assert_eq!(Chart::new(&SUBJECT, &Vec::new(), date!(2026 - 11 - 22)).bars.len(), 0);
    }
}
