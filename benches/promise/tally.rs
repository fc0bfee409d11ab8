//! What is counted, and the table it is shown in.

use std::fmt::Write;

/// What happened, on all devices.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sign_ins: u64,
    pub(crate) visits: u64,
    pub(crate) rotations: u64,
    pub(crate) overlaps: u64,
    pub(crate) reissues: u64,
    pub(crate) lost: u64,
    pub(crate) late: u64,
    pub(crate) crashes: u64,
    pub(crate) false_sign_outs: u64,
    /// Sign-ins that ended because eight renewals in a row were lost, which is a stated limit.
    pub(crate) renewals_lost: u64,
    pub(crate) thefts: u64,
    /// Sign-ins that were over before the second party came back.
    pub(crate) expired_first: u64,
    pub(crate) both_rotated_twice: u64,
    pub(crate) caught: Vec<Caught>,
    /// Proofs over a challenge that was over: each cost a round trip.
    pub(crate) stale: u64,
    /// Requests with the cookies of a bound sign-in and without a proof.
    pub(crate) turned_away: u64,
    /// Jars that were copied before the device had proved itself for the first time.
    pub(crate) before_proof: u64,
    /// Seconds from the copy of a bound sign-in's jar to the last page that it opened.
    pub(crate) useful: Vec<i64>,
}

/// A theft that was noticed: what it took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caught {
    pub(crate) rotations: u64,
    pub(crate) thiefs_rotations: u64,
    pub(crate) seconds: i64,
}

impl Tally {
    /// Writes the table.
    pub(crate) fn table(&self, device_years: f64) -> String {
        let caught = self.caught.len();
        let open = self.thefts - self.expired_first - u64::try_from(caught).unwrap_or(u64::MAX);
        let mut table = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(table, "{name:<36}{value:>14}");
        };
        line("device-years", format!("{device_years:.1}"));
        line("sign-ins", self.sign_ins.to_string());
        line("visits", self.visits.to_string());
        line("rotations", self.rotations.to_string());
        line("  after a lost answer or a crash", self.reissues.to_string());
        line("parallel requests let in", self.overlaps.to_string());
        line("answers lost", self.lost.to_string());
        line("answers later than the grace", self.late.to_string());
        line("crashes", self.crashes.to_string());
        line("false sign-outs", self.false_sign_outs.to_string());
        line("ended by eight lost renewals", self.renewals_lost.to_string());
        line("thefts", self.thefts.to_string());
        line("  caught", caught.to_string());
        line("  sign-in expired or idle first", self.expired_first.to_string());
        line("  not over when the time was up", open.to_string());
        line("  both parties rotated twice", self.both_rotated_twice.to_string());
        let mut spread = |name: &str, values: Vec<i64>, show: fn(i64) -> String| {
            for (percent, label) in [(50, "median"), (99, "99 %"), (100, "at most")] {
                line(&format!("{name}, {label}"), show(percentile(values.clone(), percent)));
            }
        };
        let number = |value: i64| value.to_string();
        let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        spread("rotations until caught", self.caught.iter().map(|c| count(c.rotations)).collect(), number);
        spread("  of these the thief's", self.caught.iter().map(|c| count(c.thiefs_rotations)).collect(), number);
        spread("time until caught", self.caught.iter().map(|c| c.seconds).collect(), duration);
        if !self.useful.is_empty() {
            spread("a bound copy opened pages for", self.useful.clone(), minutes);
        }
        for (name, count) in [
            ("copied before the first proof", self.before_proof),
            ("turned away without a proof", self.turned_away),
            ("proofs over an old challenge", self.stale),
        ] {
            if count > 0 {
                let _ = writeln!(table, "{name:<36}{count:>14}");
            }
        }
        table
    }
}

/// Returns the smallest value that this many in a hundred do not exceed; 0 where there is none.
fn percentile(mut values: Vec<i64>, percent: usize) -> i64 {
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(rank).copied().unwrap_or(0)
}

fn duration(seconds: i64) -> String {
    format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60)
}

fn minutes(seconds: i64) -> String {
    format!("{}m {:02}s", seconds / 60, seconds % 60)
}
