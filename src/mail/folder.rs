//! Mail as files, for a machine that has no mail server.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use time::macros::format_description;

#[cfg(feature = "smtp")]
use super::compose::written;
#[cfg(not(feature = "smtp"))]
use super::plain_compose::written;
use super::{MailError, OutgoingEmail, SendError, Sender, Transport};

/// A transport that writes each e-mail to an `.eml` file, which every mail program opens.
///
/// The folder and its files are readable by their owner alone: a mail may hold a link that opens an account.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    sender: Sender,
}

impl Folder {
    /// Creates a transport into the folder at `path`, which is made when the first mail needs it.
    pub fn new(path: &Path, sender: Sender) -> Self {
        Self { path: path.to_owned(), sender }
    }
}

impl Transport for Folder {
    /// Writes the file; a repeat of the same e-mail replaces it.
    ///
    /// A file that cannot be written is no fault of the e-mail: the folder is full or forbidden, for all of them.
    fn send(&self, email: &OutgoingEmail) -> Result<(), SendError> {
        let message = written(&self.sender, email).map_err(SendError::Refused)?;
        let format = format_description!("[year]-[month]-[day]T[hour]-[minute]-[second]Z");
        // The time comes first so that a sorted listing is in order.
        let name = format!("{}-{}", email.queued_at.format(format).unwrap_or_default(), email.id);
        let path = self.path.join(&name).with_extension("eml");
        let draft = self.path.join(format!(".{name}.draft"));
        write(&self.path, &draft, &path, &message)
            .map_err(|source| SendError::Unavailable(MailError::File { path: path.clone(), source }))?;
        tracing::info!(mail = %email.id, "SMTP_URL is not set: a mail was written to {}", path.display());
        Ok(())
    }
}

/// Writes a file under another name first, so that nobody reads half a mail, and returns once it survives power loss:
/// the row it came from is deleted next.
fn write(folder: &Path, draft: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // A draft may be there already, left by a process that was killed.
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft)?;
    let written = file
        .write_all(content)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(draft, path))
        .and_then(|()| File::open(folder)?.sync_all());
    // On a full disk, a draft would take the room that the next mail needs.
    if written.is_err() && draft.exists() && fs::remove_file(draft).is_err() {
        tracing::debug!("the draft of a mail stays at {}", draft.display());
    }
    written
}
