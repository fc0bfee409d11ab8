//! Mails as files, for a machine that has no mail server.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use time::macros::format_description;

use super::MailError;
use super::carrier::Carrier;
use super::letter::Letter;

/// A folder that takes each mail as an `.eml` file, which every mail program opens.
///
/// For its owner's eyes alone: a mail may hold a link that opens an account.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Names the folder; it is made when the first mail needs it.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }
}

impl Carrier for Folder {
    fn carry(&self, letter: &Letter) -> Result<(), MailError> {
        let format = format_description!("[year]-[month]-[day]T[hour]-[minute]-[second]Z");
        // The time comes first so that a sorted listing is in order.
        let name = format!("{}-{}", letter.at.format(format).unwrap_or_default(), letter.id);
        let path = self.path.join(&name).with_extension("eml");
        let draft = self.path.join(format!(".{name}.draft"));
        write(&self.path, &draft, &path, &letter.mail.formatted())
            .map_err(|source| MailError::File { path: path.clone(), source })?;
        tracing::info!(mail = %letter.id, "SMTP_URL is not set: a mail was written to {}", path.display());
        Ok(())
    }
}

/// Writes a file under another name first, so that nobody reads half a mail.
fn write(folder: &Path, draft: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    let written = file.write_all(content).and_then(|()| fs::rename(draft, path));
    // On a full disk, half a mail would be in the way for ever.
    if written.is_err() && fs::remove_file(draft).is_err() {
        tracing::debug!("the draft of a mail stays at {}", draft.display());
    }
    written
}
