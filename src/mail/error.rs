//! Why a mail is not sent.

use std::io;
use std::path::PathBuf;

use crate::domain::client::is_deceptive;

/// Why there is no mailer, or why a mail is not sent; none of them holds a password or a mail's content.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The URL of the mail server makes no sense; its text stays out of this, for it may hold a password.
    #[error("SMTP_URL: takes the URL of a mail server")]
    Url,
    /// The thread that sends cannot be started.
    #[error("cannot start the mail thread: {0}")]
    Thread(#[source] io::Error),
    /// The words cannot be filled in.
    #[error("cannot fill in a mail: {0}")]
    Template(#[from] askama::Error),
    /// An address is none to the mail library.
    #[error("cannot address a mail: {0}")]
    Address(#[from] lettre::address::AddressError),
    /// The mail cannot be put together.
    #[error("cannot compose a mail: {0}")]
    Compose(#[from] lettre::error::Error),
    /// A header has a name that is none.
    #[error("cannot compose a mail: {0}")]
    Header(#[from] lettre::message::header::InvalidHeaderName),
    /// There are no random bytes for the mail's name.
    #[error("cannot name a mail: {0}")]
    Random(#[from] getrandom::Error),
    /// The file of a mail cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The mail server does not take it.
    #[error("the mail server of SMTP_URL: {}", one_line(source))]
    Smtp {
        /// What came of the try.
        #[from]
        source: lettre::transport::smtp::Error,
    },
}

impl MailError {
    /// Tells whether the same mail may get through later.
    ///
    /// A refusal with a 5xx reply is meant for good (RFC 5321 section 4.2.1); a file that cannot be written is for an
    /// operator to mend, and says so at once. All else between two machines passes: no answer, no name, a 4xx reply.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Smtp { source } if !source.is_permanent() && !source.is_client())
    }
}

/// Says in one line what a mail server said in any way it likes: it must not be able to write log lines of its own.
fn one_line(error: &lettre::transport::smtp::Error) -> String {
    error.to_string().chars().map(|c| if is_deceptive(c) { ' ' } else { c }).collect()
}
