//! Clocks, medians and what the system tells of a process.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Ticks a second in which Linux counts processor time for programs.
const TICKS: f64 = 100.0;

/// Returns the middle of some figures.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { (sorted[middle - 1] + sorted[middle]) / 2.0 } else { sorted[middle] }
}

/// Returns, in milliseconds, what so many of a thousand do not exceed.
pub(crate) fn permille(times: &mut [Duration], permille: usize) -> f64 {
    times.sort_unstable();
    let rank = (times.len() * permille).div_ceil(1000).saturating_sub(1);
    times.get(rank).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

/// Returns the seconds of processor time that a process has used.
pub(crate) fn processor_seconds(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS
}

/// Returns the megabytes of memory that a process has to itself or shares, file pages included.
pub(crate) fn resident_megabytes(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Waits.
#[expect(clippy::disallowed_methods, reason = "a measurement lasts a time, and clients come at a rate")]
pub(crate) fn wait(time: Duration) {
    std::thread::sleep(time);
}

/// Reads a file to its end, so that its pages are in the system's cache.
pub(crate) fn warm(path: &Path) {
    std::io::copy(&mut fs::File::open(path).unwrap(), &mut std::io::sink()).unwrap();
}

/// Says on what this was measured: cores, processor, kernel, file system of `folder`, versions.
pub(crate) fn machine(folder: &Path, sqlite: &str) -> String {
    let cores = std::thread::available_parallelism().unwrap();
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let rustc = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    format!(
        "{cores} cores of {}, Linux {}, {}; Perennial {}, SQLite {sqlite}, {}",
        model.unwrap_or("an unknown processor"),
        kernel.trim(),
        file_system(folder),
        env!("CARGO_PKG_VERSION"),
        String::from_utf8_lossy(&rustc).trim()
    )
}

fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let folder = fs::canonicalize(folder).unwrap();
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let holding = fields.filter(|fields| fields.len() > 2 && folder.starts_with(fields[1]));
    let deepest = holding.max_by_key(|fields| fields[1].len());
    deepest.map_or_else(|| "an unknown file system".to_owned(), |fields| fields[2].to_owned())
}
