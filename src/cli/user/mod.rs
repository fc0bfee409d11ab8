//! `perennial user`.

mod import;

use std::path::PathBuf;

use clap::Subcommand;

use super::output::Failure;
use crate::config::Settings;

/// What can be done with users.
#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Add everybody in a file of another program, with the bcrypt hashes that it made: all of them, or nobody
    Import {
        /// A file whose name ends in .csv, with a header, or in .jsonl, one object per line, with email, full_name,
        /// password_hash ($2a$, $2b$ or $2y$), and is_active (true, false, 1 or 0; true where there is none)
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Leave out the lines that cannot be imported, and say which
        #[arg(long)]
        skip_invalid: bool,
    },
}

/// Carries a command out.
pub(super) fn run(settings: &Settings, command: &UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Import { file, skip_invalid } => import::run(settings, file, *skip_invalid),
    }
}
