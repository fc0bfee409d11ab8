//! How fast it is, and how much it costs, beside what others do on the same machine in the same minutes.
//!
//! Everything is measured over loopback, with servers in processes of their own. Those that are compared take turns, in
//! many short rounds, and what is reported is the median of the rounds' ratios: a machine that is busy for a while slows
//! both down.
//!
//! ```text
//! cargo bench --bench speed
//! cargo bench --bench speed -- --only pages --rounds 31
//! ```

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a figure that cannot be taken is no figure")]
#![expect(clippy::disallowed_methods, reason = "it measures the time that passes, and waits while others work")]

mod bare;
mod client;
mod footprint;
mod hostile;
mod load;
mod machine;
mod pages;
mod peers;
mod process;
mod refusals;
mod renewals;
mod scrapes;
mod shipped;
mod sign_ins;
mod table;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// The allocator of the program, for the bare server too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A part of the measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Pages,
    SignIns,
    Footprint,
    Hostile,
    Refusals,
    Renewals,
    Scrapes,
}

/// Measures how fast Perennial is.
#[derive(Debug, Clone, Parser)]
struct Arguments {
    /// Measure these parts alone.
    #[arg(long, value_enum, num_args = 1..)]
    only: Vec<Part>,
    /// Rounds of each comparison.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Seconds of a round.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Leave the peers out: building them takes minutes the first time.
    #[arg(long)]
    no_peers: bool,
    /// Be the bare server instead.
    #[arg(long, hide = true, requires_all = ["page", "listen"])]
    bare: Option<bare::Making>,
    #[arg(long, hide = true)]
    page: Option<PathBuf>,
    #[arg(long, hide = true)]
    listen: Option<SocketAddr>,
    /// Passed by Cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    fn round(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    if let (Some(making), Some(page), Some(address)) = (arguments.bare, &arguments.page, arguments.listen) {
        return bare::serve(making, page, address);
    }
    let mut rows = Vec::new();
    if arguments.wants(Part::Pages) {
        pages::measure(&arguments, &mut rows);
    }
    if arguments.wants(Part::SignIns) {
        sign_ins::measure(&arguments, &mut rows);
    }
    if arguments.wants(Part::Footprint) {
        footprint::measure(&arguments, &mut rows);
    }
    if arguments.wants(Part::Hostile) {
        hostile::measure(&arguments, &mut rows);
    }
    if arguments.wants(Part::Refusals) {
        refusals::measure(&mut rows);
    }
    if arguments.wants(Part::Renewals) {
        renewals::measure(&arguments, &mut rows);
    }
    if arguments.wants(Part::Scrapes) {
        scrapes::measure(&arguments, &mut rows);
    }
    print!("{}\n\n{}", machine::describe(), table::table(&rows));
    Ok(())
}
