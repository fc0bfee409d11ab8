//! The key file: the secret of an installation that was given none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::key_ring::KeyRing;
use super::random::{RandomError, fresh_secret};

/// Bytes of a secret at least, as for `JWT_SECRET_KEY`.
const SECRET_MIN_BYTES: usize = 32;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It is there and cannot be read.
    #[error("cannot read the key file {}: {source}; give this user the right to read it, or set JWT_SECRET_KEY", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others than its owner can read or change it.
    #[error("the key file {} can be read by others (mode {mode:o}), and who reads it can sign in as anybody: run chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is not there and cannot be made.
    #[error("cannot make the key file {}: {source}; give this user the right to write here, or set JWT_SECRET_KEY", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It holds no secret.
    #[error("the key file {} holds no secret of at least {SECRET_MIN_BYTES} bytes; restore it from a backup, or move it away to have a new one made (which ends every sign-in)", path.display())]
    Content {
        /// The file.
        path: PathBuf,
    },
    /// No random bytes for a new one.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// What there is to say of a key file without changing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFileState {
    /// There is none yet.
    Missing,
    /// Its owner alone can read it.
    Private,
    /// Others than its owner can read it; holds the mode.
    Exposed(u32),
}

/// Reads the key file, or makes it with mode 0600 if there is none.
///
/// It holds secrets as `JWT_SECRET_KEY` does, separated by commas or line breaks, the signing one first.
///
/// # Errors
/// If it cannot be read or made, others can read it, or it holds no secret.
pub fn read_or_make_key_file(path: &Path) -> Result<KeyRing, KeyFileError> {
    match read_existing(path) {
        Ok((ring, _)) => Ok(ring),
        Err(KeyFileError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => make(path),
        Err(error) => Err(error),
    }
}

/// Reads a key file that is there, and returns its keys and its text.
pub(super) fn read_existing(path: &Path) -> Result<(KeyRing, Zeroizing<String>), KeyFileError> {
    match read(path) {
        Ok((mode, _)) if is_exposed(mode) => Err(KeyFileError::Exposed { path: path.to_owned(), mode }),
        Ok((_, content)) => Ok((parse(path, &content)?, content)),
        Err(source) => Err(KeyFileError::Read { path: path.to_owned(), source }),
    }
}

/// Looks at the key file and changes nothing.
///
/// # Errors
/// If it cannot be looked at.
pub fn inspect_key_file(path: &Path) -> io::Result<KeyFileState> {
    match fs::metadata(path) {
        Ok(metadata) => {
            let mode = metadata.permissions().mode() & 0o777;
            Ok(if is_exposed(mode) { KeyFileState::Exposed(mode) } else { KeyFileState::Private })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(KeyFileState::Missing),
        Err(error) => Err(error),
    }
}

/// Tells whether a mode lets the group or anybody else at a file.
fn is_exposed(mode: u32) -> bool {
    mode & 0o077 != 0
}

/// Returns the mode and the content of one and the same file, whatever takes its place meanwhile.
fn read(path: &Path) -> io::Result<(u32, Zeroizing<String>)> {
    let mut file = File::open(path)?;
    let mut content = Zeroizing::new(String::new());
    file.read_to_string(&mut content)?;
    Ok((file.metadata()?.permissions().mode() & 0o777, content))
}

fn parse(path: &Path, content: &str) -> Result<KeyRing, KeyFileError> {
    let secrets: Vec<SecretString> = secrets(content).map(SecretString::from).collect();
    let sound = secrets.iter().all(|secret| secret.expose_secret().len() >= SECRET_MIN_BYTES);
    let ring = if sound { KeyRing::from_list(secrets) } else { None };
    ring.ok_or_else(|| KeyFileError::Content { path: path.to_owned() })
}

/// Returns the secrets in the content of a key file, in their order.
pub(super) fn secrets(content: &str) -> impl Iterator<Item = &str> {
    content.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty())
}

/// Writes a fresh secret under another name and links it into place, so that no reader ever sees half a file and two
/// processes that start at once agree on one key.
fn make(path: &Path) -> Result<KeyRing, KeyFileError> {
    let failed = |source| KeyFileError::Write { path: path.to_owned(), source };
    let secret = fresh_secret()?;
    let draft = path.with_extension(format!("key.{}", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        writeln!(file, "{}", secret.expose_secret())?;
        file.sync_all()?;
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    })();
    let removed = fs::remove_file(&draft);
    written.map_err(failed)?;
    removed.map_err(failed)?;
    let content = fs::read_to_string(path).map_err(|source| KeyFileError::Read { path: path.to_owned(), source })?;
    parse(path, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn it_is_made_once_for_its_owner_alone() {
        let folder = folder();
        let path = folder.path().join("perennial.key");
        let first = read_or_make_key_file(&path).unwrap().key_ids();
        assert_eq!(inspect_key_file(&path).unwrap(), KeyFileState::Private);
        assert_eq!(read_or_make_key_file(&path).unwrap().key_ids(), first);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn two_processes_that_start_at_once_agree() {
        let folder = folder();
        let path = folder.path().join("perennial.key");
        make(&path).unwrap();
        let winner = fs::read_to_string(&path).unwrap();
        make(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), winner);
    }

    #[test]
    fn a_file_without_a_secret_is_named_and_left_alone() {
        let folder = folder();
        let path = folder.path().join("perennial.key");
        for content in ["", "\n", "short\n", &format!("{},short", "x".repeat(32))] {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(read_or_make_key_file(&path), Err(KeyFileError::Content { .. })), "{content:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_told_and_not_used() {
        let folder = folder();
        let path = folder.path().join("perennial.key");
        read_or_make_key_file(&path).unwrap();
        for mode in [0o644, 0o640, 0o604, 0o622, 0o610] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(inspect_key_file(&path).unwrap(), KeyFileState::Exposed(mode));
            let refused = read_or_make_key_file(&path).unwrap_err();
            assert!(matches!(refused, KeyFileError::Exposed { mode: found, .. } if found == mode), "{refused}");
        }
        for mode in [0o600, 0o400] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(inspect_key_file(&path).unwrap(), KeyFileState::Private);
            assert!(read_or_make_key_file(&path).is_ok());
        }
    }
}
