//! The command line.

mod backup;
mod cleanup;
mod database;
mod deploy;
mod doctor;
mod event;
mod manual;
mod migrate;
mod node;
mod output;
mod relocate;
mod restore;
mod secret;
mod serve;
mod session;
mod table;
mod token;
mod user;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use self::deploy::Target;
use self::event::EventCommand;
use self::output::{Failure, complain};
use self::session::SessionCommand;
use self::token::TokenCommand;
use self::user::UserCommand;
use crate::config::{Arguments, Filled, Flags, Settings, fill_from_files};

/// What the program was called with.
#[derive(Parser)]
#[command(name = "perennial", version, about, long_about = LONG_ABOUT)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// A file of settings, NAME = "value" in TOML; what it sets, .env in this folder does not
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

const LONG_ABOUT: &str = "Sign in once, stay signed in, safely, without a line of JavaScript.\n\n\
    Without a command it serves. Every setting is a flag, an environment variable of the same name, and a line of a \
    file (--config, or .env in this folder), the first of these that is there; durations are written 90s, 15m, 36h or 30d.";

/// What the program can do.
#[derive(Subcommand)]
enum Command {
    /// Serve the pages (the default)
    Serve,
    /// Bring the database up to date, and say what was done
    Migrate {
        /// Shut the version before out, once none of its processes is left: from then on signing keys move
        #[arg(long)]
        finish: bool,
    },
    /// Print a fresh secret for JWT_SECRET_KEY
    Secret {
        #[command(subcommand)]
        command: Option<SecretCommand>,
    },
    /// Look at the processes on the database
    Node {
        #[command(subcommand)]
        command: NodeCommand,
    },
    /// Look after accounts
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Look at sign-ins, and end them
    Session {
        #[command(subcommand)]
        command: SessionCommand,
    },
    /// Look at what happened
    Event {
        #[command(subcommand)]
        command: EventCommand,
    },
    /// Count refresh tokens, of which each sign-in has one
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Delete sign-ins that are over, spent tokens and old events, as the server does by itself
    Cleanup {
        /// Go by this machine's clock, and not only as far as a server has run since
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
    /// Write a copy of a SQLite database, also while a server runs on it, in the place of FILE if that is there
    Backup {
        /// The backup
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put a backup in the place of a SQLite database, while no server runs on it, and end the sign-ins of the backup
    Restore {
        /// The backup
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// End no sign-in: those that were ended since the backup was made live again
        #[arg(long)]
        keep_sign_ins: bool,
    },
    /// Check the settings, the key file, the database and the clock, and say what to mend
    Doctor,
    /// Print what a program around this one needs, as the settings in force have it
    Deploy {
        /// The program
        #[arg(value_name = "TARGET")]
        target: Target,
    },
    /// Print the completions for a shell, to be put where it looks for them
    Completions {
        /// The shell
        #[arg(value_name = "bash|zsh|fish", value_parser = shell, hide_possible_values = true)]
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

/// Understands the name of a shell.
fn shell(name: &str) -> Result<Shell, String> {
    let known = [("bash", Shell::Bash), ("zsh", Shell::Zsh), ("fish", Shell::Fish)];
    let found = known.into_iter().find(|(known, _)| *known == name).map(|(_, shell)| shell);
    found.ok_or_else(|| "takes bash, zsh or fish".to_owned())
}

/// What can be done with a secret besides making one.
#[derive(Subcommand)]
enum SecretCommand {
    /// Put a new signing key first in the key file, and take those away that are older than any sign-in
    Rotate,
    /// End a signing key that leaked or was lost: what it signed opens nothing any more, with every process
    Drop {
        /// The name of the key, as node list and doctor show it
        #[arg(value_name = "KEYID", allow_hyphen_values = true)]
        key: String,
    },
}

/// What can be done with the processes on the database.
#[derive(Subcommand)]
enum NodeCommand {
    /// List them with their version, keys and lifetimes, and mark the key that signs
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
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
    let Cli { command, config, flags } = cli;
    let arguments = Arguments::from(flags);
    let mut json = logs_json(command.as_ref(), &arguments);
    let done = match &command {
        Some(Command::Secret { command: None }) => secret::run(),
        Some(Command::Move { from, to }) => relocate::run(from, to),
        Some(Command::Completions { shell }) => manual::completions(Cli::command(), *shell),
        Some(Command::Man) => manual::page(Cli::command()),
        other => match fill_from_files(&arguments, config.as_deref(), Path::new(".")) {
            Ok(filled) => {
                json = logs_json(other.as_ref(), &filled.arguments);
                execute(other.as_ref(), &filled)
            }
            Err(error) => Err(Failure::Usage(error.to_string())),
        },
    };
    match done {
        Ok(()) | Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(Failure::Failed(line)) => complain(&line, 1, json),
        Err(Failure::Usage(line)) => complain(&line, 2, json),
    }
}

/// Tells whether every line is to be an object: those of a server whose log is read by a machine.
fn logs_json(command: Option<&Command>, arguments: &Arguments) -> bool {
    matches!(command, None | Some(Command::Serve)) && arguments.log_format.as_deref() == Some("json")
}

/// Carries a command out that takes settings.
fn execute(command: Option<&Command>, filled: &Filled) -> Result<(), Failure> {
    let settings = filled.settings();
    if let Some(Command::Doctor) = command {
        return doctor::run(settings, &filled.warnings);
    }
    let settings: Settings = settings.map_err(Failure::Usage)?;
    match command {
        Some(Command::Deploy { target }) => deploy::run(*target, &settings, &filled.arguments),
        Some(Command::Migrate { finish }) => migrate::run(&settings, *finish),
        Some(Command::Cleanup { clock_is_right }) => cleanup::run(&settings, *clock_is_right),
        Some(Command::Secret { command: Some(SecretCommand::Drop { key }) }) => secret::drop(&settings, key),
        Some(Command::Secret { command: Some(SecretCommand::Rotate) }) => secret::rotate(&settings),
        Some(Command::Backup { file }) => backup::run(&settings, file),
        Some(Command::Restore { file, keep_sign_ins }) => restore::run(&settings, file, *keep_sign_ins),
        Some(Command::Node { command: NodeCommand::List { json } }) => node::list(&settings, *json),
        Some(Command::User { command }) => user::run(&settings, command),
        Some(Command::Session { command }) => session::run(&settings, command),
        Some(Command::Event { command }) => event::run(&settings, command),
        Some(Command::Token { command }) => token::run(&settings, command),
        _ => serve::run(&settings, &filled.warnings),
    }
}
