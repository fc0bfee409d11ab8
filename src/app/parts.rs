//! What the composition root puts together, each made from the settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{SettingError, Settings};
use crate::crypto::{KeyFileError, KeyFileState, KeyRing, RandomError, inspect_key_file, read_or_make_key_file};
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::key_id::KeyId;
use crate::domain::public_url::PublicUrl;
use crate::domain::signing_key::KeyRefusal;
use crate::jobs::JoinError;
#[cfg(feature = "sqlite")]
use crate::jobs::{BackupPlan, BackupWorker};
#[cfg(feature = "smtp")]
use crate::mail::Smtp;
use crate::mail::{Folder, MailError, MailTemplates, Sender, TemplateError, Transport};
use crate::store::nodes::Overview;
use crate::store::{Database, MigrationReport, StoreError};

/// The key file, in the working directory.
pub const KEY_FILE: &str = "perennial.key";

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting makes no sense.
    #[error("{prefix}{error}")]
    Setting {
        /// What the application puts before the names of environment variables.
        prefix: String,
        /// Which setting, and what it takes.
        error: SettingError,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; stop what listens there, or set {setting} to another address")]
    Bind {
        /// The setting that names it.
        setting: &'static str,
        /// The address, as the setting has it.
        address: String,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The key file is gone, and sign-ins are not.
    #[error(
        "{} is missing, and the sign-ins here are signed with the key {key}: restore the file, or set the \
         JWT_SECRET_KEY that was set before; or give those sign-ins up with perennial secret drop {key}",
        file.display()
    )]
    KeyFileLost {
        /// The key that signs.
        key: KeyId,
        /// The file.
        file: PathBuf,
    },
    /// With these keys, it would sign people out.
    #[error(transparent)]
    Refused(#[from] KeyRefusal),
    /// There is no database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are no random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// There is no way to send mail.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// A text of a mail cannot be used.
    #[error(transparent)]
    MailTemplate(#[from] TemplateError),
    /// There can be no such hook.
    #[error("the hook {name:?} cannot be: {problem}")]
    Hook {
        /// Its name.
        name: String,
        /// Why not.
        problem: &'static str,
    },
    /// A thread, a signal handler or a static file failed.
    #[error("cannot start: {0}")]
    Io(#[from] std::io::Error),
}

impl From<JoinError> for StartError {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Refused(refusal) => refusal.into(),
            JoinError::Store(error) => error.into(),
            JoinError::Random(error) => error.into(),
        }
    }
}

/// Returns the keys of the settings, or of the key file, if they open the sign-ins that are there.
///
/// Asked before anything is touched, the key file included: a new one in the place of one that was lost would seem to
/// work, and would end every sign-in.
pub(super) fn keys_that_fit(settings: &Settings, file: &Path) -> Result<KeyRing, StartError> {
    let there = Database::inspect_nodes(&settings.database)?;
    if let Some(key) = there.as_ref().and_then(|there| key_file_lost(settings, file, there)) {
        return Err(StartError::KeyFileLost { key, file: file.to_owned() });
    }
    let keys = key_ring(settings, file)?;
    if let Some(there) = there {
        there.admit(&keys.key_ids())?;
    }
    Ok(keys)
}

/// Returns the key that sign-ins are signed with, where the key file that held it is gone.
pub fn key_file_lost(settings: &Settings, file: &Path, there: &Overview) -> Option<KeyId> {
    let missing = settings.secret_keys.is_none() && matches!(inspect_key_file(file), Ok(KeyFileState::Missing));
    there.key_in_use().filter(|_| missing)
}

/// Returns the keys of the settings, or of the key file.
///
/// # Errors
/// If there is no key file and none can be made, or others than its owner can read it.
pub fn key_ring(settings: &Settings, file: &Path) -> Result<KeyRing, KeyFileError> {
    if let Some(ring) = settings.secret_keys.clone().and_then(KeyRing::from_list) {
        return Ok(ring);
    }
    read_or_make_key_file(file)
}

/// Opens the database of the settings and runs the migrations that are missing.
///
/// # Errors
/// If it cannot be opened or migrated, or is of a newer version.
pub fn open_database(settings: &Settings) -> Result<(Database, MigrationReport), StoreError> {
    Database::open(&settings.database)
}

/// Returns how mail leaves, as the settings say: by a mail server, or into files.
///
/// # Errors
/// If the settings name no sender that the mail library takes.
pub fn transport(settings: &Settings, public_url: &PublicUrl) -> Result<Arc<dyn Transport>, MailError> {
    let sender = Sender::new(public_url.host(), &settings.site_name, settings.mail_from.clone())?;
    #[cfg(feature = "smtp")]
    if let Some(url) = &settings.smtp_url {
        return Ok(Arc::new(Smtp::new(url, sender)?));
    }
    Ok(Arc::new(Folder::new(&settings.mail_dir, sender)))
}

/// Returns the texts of the mails, as the settings say: those of the program, or an operator's in their place.
///
/// # Errors
/// The first text that cannot be used.
pub fn mail_templates(settings: &Settings) -> Result<MailTemplates, TemplateError> {
    MailTemplates::load(settings.mail_template_dir.as_deref(), &settings.site_name)
}

/// Returns the machine's clock.
pub fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::start())
}

/// Starts the server's own backups, if it is to make any.
#[cfg(feature = "sqlite")]
pub(super) fn backups(settings: &Settings, clock: &Arc<dyn Clock>) -> std::io::Result<Option<BackupWorker>> {
    let Some(every) = settings.backup_every else { return Ok(None) };
    let plan = BackupPlan {
        database: settings.database.clone(),
        folder: settings.backup_dir.clone(),
        every,
        keep: settings.backup_keep,
    };
    BackupWorker::start(plan, Arc::clone(clock)).map(Some)
}
