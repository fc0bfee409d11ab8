//! What can go wrong with mail.

use std::io;
use std::path::PathBuf;

use crate::domain::client::is_deceptive;

/// Why there is no transport, or why an e-mail was not taken; no variant holds a password or the content of a mail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// The URL of the mail server is malformed; its text is left out, because it may hold a password.
    #[error("SMTP_URL: takes the URL of a mail server")]
    Url,
    /// A template cannot be filled in.
    #[error("cannot fill in a mail: {0}")]
    Template(#[from] minijinja::Error),
    /// A template does not begin with a subject.
    #[error("cannot fill in a mail: it has no subject")]
    NoSubject,
    /// An address, a header or the whole message is none.
    #[error("cannot compose a mail: {0}")]
    Compose(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file of a mail cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The mail server did not take it.
    #[error("the mail server of SMTP_URL: {}", one_line(source.as_ref()))]
    Smtp {
        /// What came of the attempt.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A transport that an application brought itself did not take it.
    #[error("{}", one_line(source.as_ref()))]
    Other {
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Puts what a mail server said into one line: it must not be able to write log lines of its own.
fn one_line(error: &dyn std::error::Error) -> String {
    error.to_string().chars().map(|c| if is_deceptive(c) { ' ' } else { c }).collect()
}
