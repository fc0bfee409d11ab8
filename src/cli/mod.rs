//! The command line.

mod cleanup;
mod doctor;
mod migrate;
mod relocate;
mod secret;
mod serve;

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::config::{Arguments, Settings};

/// What the program was called with.
#[derive(Parser)]
#[command(name = "perennial", version, about, long_about = LONG_ABOUT)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    arguments: Arguments,
}

const LONG_ABOUT: &str = "Sign in once, stay signed in, safely, without a line of JavaScript.\n\n\
    Without a command it serves. Every setting is a flag and an environment variable of the same name; durations are \
    written 90s, 15m, 36h or 30d.";

/// What the program can do.
#[derive(Subcommand)]
enum Command {
    /// Serve the pages (the default)
    Serve,
    /// Bring the database up to date, and say what was done
    Migrate,
    /// Print a fresh secret for JWT_SECRET_KEY
    Secret,
    /// Delete sign-ins that are over, spent tokens and old events, as the server does by itself
    Cleanup {
        /// Delete even though nothing has happened for a month, which a wrong clock looks like
        #[arg(long)]
        clock_is_right: bool,
    },
    /// Copy a SQLite database to a PostgreSQL server, with every sign-in alive
    Move {
        /// The SQLite database: sqlite:// and its path
        #[arg(long, value_name = "URL")]
        from: String,
        /// The empty PostgreSQL database: postgres://user@host/database; PGPASSWORD may hold the password
        #[arg(long, value_name = "URL")]
        to: String,
    },
    /// Check the settings, the key file, the database and the clock, and say what to mend
    Doctor,
}

/// How a command failed.
#[derive(Debug)]
enum Failure {
    /// It could not be done: exit code 1.
    Failed(String),
    /// The settings make no sense: exit code 2.
    Usage(String),
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Runs the program: 0 done, 1 failed, 2 wrong usage or settings.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if error.print().is_ok() && help { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
    };
    match execute(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(line)) => complain(&line, 1),
        Err(Failure::Usage(line)) => complain(&line, 2),
    }
}

fn execute(cli: &Cli) -> Result<(), Failure> {
    match &cli.command {
        Some(Command::Secret) => return secret::run(),
        Some(Command::Move { from, to }) => return relocate::run(from, to),
        _ => {}
    }
    let settings = cli.arguments.settings();
    if let Some(Command::Doctor) = cli.command {
        return doctor::run(settings);
    }
    let settings: Settings = settings.map_err(|error| Failure::Usage(error.to_string()))?;
    match cli.command {
        Some(Command::Migrate) => migrate::run(&settings),
        Some(Command::Cleanup { clock_is_right }) => cleanup::run(&settings, clock_is_right),
        _ => serve::run(&settings),
    }
}

/// Says one line on standard error and returns the exit code.
fn complain(line: &str, code: u8) -> ExitCode {
    let said = writeln!(std::io::stderr(), "perennial: {}", line.replace('\n', " "));
    // With standard error closed, the exit code alone has to say it.
    drop(said);
    ExitCode::from(code)
}

/// Prints lines on standard output.
fn say(lines: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{lines}")?;
    Ok(output.flush()?)
}
