//! `perennial user`.

mod add;
mod import;
mod list;
mod reset_link;
mod standing;
mod unlock;

use std::path::PathBuf;

use clap::Subcommand;

use super::output::Failure;
use crate::config::Settings;

/// What can be done with accounts.
#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Make an account for somebody; unless it is given a password, a link to set one is mailed
    Add {
        /// The address they sign in with
        #[arg(value_name = "EMAIL")]
        email: String,
        /// What they are called
        #[arg(long, value_name = "NAME")]
        name: String,
        /// user, admin or a word of the application's own [default: user, and admin for the first account of all]
        #[arg(long, value_name = "ROLE")]
        role: Option<String>,
        /// Read the password from standard input, or ask for it on a terminal
        #[arg(long)]
        password_stdin: bool,
    },
    /// List accounts in the order in which they were made
    List {
        /// Only those with this text in the name or the address
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show one account
    Show {
        /// The number of the account, or its email address
        #[arg(value_name = "USER")]
        user: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Keep somebody from signing in, and end the sign-ins they have
    Deactivate {
        /// The number of the account, or its email address
        #[arg(value_name = "USER")]
        user: String,
    },
    /// Let somebody sign in again
    Activate {
        /// The number of the account, or its email address
        #[arg(value_name = "USER")]
        user: String,
    },
    /// Give somebody a role
    Role {
        /// The number of the account, or its email address
        #[arg(value_name = "USER")]
        user: String,
        /// user, admin or a word of the application's own
        #[arg(value_name = "ROLE")]
        role: String,
    },
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
        UserCommand::Add { email, name, role, password_stdin } => {
            let wanted = add::Wanted { email, name, role: role.as_deref(), password_stdin: *password_stdin };
            add::run(settings, &wanted)
        }
        UserCommand::List { search, limit, json } => list::list(settings, search.as_deref(), *limit, *json),
        UserCommand::Show { user, json } => list::show(settings, user, *json),
        UserCommand::Deactivate { user } => standing::run_deactivate(settings, user),
        UserCommand::Activate { user } => standing::run_activate(settings, user),
        UserCommand::Role { user, role } => standing::run_role(settings, user, &add::parse_role("ROLE", role)?),
        UserCommand::Import { file, skip_invalid } => import::run(settings, file, *skip_invalid),
        UserCommand::ResetLink { user } => reset_link::run(settings, user),
        UserCommand::Unlock { user } => unlock::run(settings, user),
    }
}
