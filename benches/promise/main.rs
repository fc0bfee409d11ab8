//! The promise in figures: years of devices, with answers lost, browsers that crash, and jars that are copied.
//!
//! Each device has one person who visits at random with up to three tabs. Every decision is made by the real
//! [`perennial::domain::rotation::decide`], and every row by its `Transition`; rows are in memory. What is counted is what the promise is about: people
//! signed out although nobody copied their jar, and thieves who are not noticed.
//!
//! ```text
//! cargo bench --bench promise -- --devices 1000 --days 365 --loss 0.01 --crash 0.001 --theft 0.0001
//! cargo bench --bench promise -- --bound --late 0.01 --late-by 7200 --theft 0.01
//! ```

mod device;
mod exchange;
mod jar;
#[path = "../../tests/suite/model/random.rs"]
mod random;
mod tally;

use clap::Parser;

use device::Device;
use random::Random;
use tally::Tally;

/// Simulates sign-ins for years and counts broken promises.
#[derive(Debug, Clone, Parser)]
struct Arguments {
    /// Devices, each with one person.
    #[arg(long, default_value_t = 1000)]
    devices: u64,
    /// Days that each is looked at.
    #[arg(long, default_value_t = 365)]
    days: u32,
    /// Visits of a person, and of a thief, a day.
    #[arg(long, default_value_t = 6.0)]
    visits: f64,
    /// Probability that an answer is lost.
    #[arg(long, default_value_t = 0.01)]
    loss: f64,
    /// Probability that a browser crashes within half a minute of an answer, and forgets that half minute.
    #[arg(long, default_value_t = 0.001)]
    crash: f64,
    /// Probability that a device's jar is copied on a day.
    #[arg(long, default_value_t = 0.0001)]
    theft: f64,
    /// Probability that an answer takes longer than the grace: a stated limit of the promise.
    #[arg(long, default_value_t = 0.0)]
    late: f64,
    /// Seconds that such an answer takes at most; the window is 120.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(32..))]
    late_by: u32,
    /// Probability that a request meets a process that has just woken up.
    #[arg(long, default_value_t = 0.0)]
    sleep: f64,
    /// Seconds by which the clock of the process that a request meets may be wrong, either way.
    #[arg(long, default_value_t = 0)]
    clock: u32,
    /// The person's browser binds its sign-ins to the device; whoever copies the jar comes every five minutes.
    #[arg(long)]
    bound: bool,
    /// The same seed gives the same years.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Passed by Cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    let mut tally = Tally::default();
    let mut seeds = Random::from_seed(arguments.seed);
    for _ in 0..arguments.devices {
        Device::new(&arguments, Random::from_seed(seeds.bits()), &mut tally).live();
    }
    print!("{}", tally.table(arguments.devices as f64 * f64::from(arguments.days) / 365.0));
}
