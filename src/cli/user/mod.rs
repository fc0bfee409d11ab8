//! `perennial user`.

mod import;
mod reset_link;
mod unlock;

use std::path::PathBuf;

use clap::Subcommand;

use super::output::Failure;
use crate::config::Settings;

/// What can be done with accounts.
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
    /// Print a link that sets a new password, for somebody whom mail does not reach; it works once, for 30 minutes
    ResetLink {
        /// The number of the account, or its email address
        #[arg(value_name = "USER")]
        user: String,
    },
    /// End the lock of an account after too many wrong passwords, its own devices' included
    Unlock {
        /// The number of the account, or its email address
        #[arg(value_name = "USER")]
        user: String,
    },
}

/// Carries a command out.
pub(super) fn run(settings: &Settings, command: &UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Import { file, skip_invalid } => import::run(settings, file, *skip_invalid),
        UserCommand::ResetLink { user } => reset_link::run(settings, user),
        UserCommand::Unlock { user } => unlock::run(settings, user),
    }
}
