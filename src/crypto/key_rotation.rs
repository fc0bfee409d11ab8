//! A new key in front of the others in a key file.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::key_file::{KeyFileError, read_existing, secrets};
use super::key_ring::KeyRing;
use super::random::fresh_secret;
use crate::domain::key_id::KeyId;

/// What became of the keys of a key file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotatedKeys {
    /// The new one, which is the first.
    pub new: KeyId,
    /// Those that follow it.
    pub kept: Vec<KeyId>,
    /// Those that are not there any more.
    pub removed: Vec<KeyId>,
}

/// Puts a fresh secret in front of those of a key file, and leaves out what `keep` does not want.
///
/// The file is replaced in one step by another of the same owner and of mode 0600: whoever reads it finds the old keys or
/// the new ones.
///
/// # Errors
/// If there is no key file that could be used, or it cannot be replaced; then it is as it was.
pub fn rotate_key_file(path: &Path, keep: impl Fn(KeyId) -> bool) -> Result<RotatedKeys, KeyFileError> {
    let (ring, content) = read_existing(path)?;
    let fresh = fresh_secret()?;
    let mut rotated = RotatedKeys { new: key_id(&fresh), kept: Vec::new(), removed: Vec::new() };
    let mut text = Zeroizing::new(format!("{}\n", fresh.expose_secret()));
    for (id, secret) in ring.key_ids().into_iter().zip(secrets(&content)) {
        if keep(id) {
            text.push_str(secret);
            text.push('\n');
            rotated.kept.push(id);
        } else {
            rotated.removed.push(id);
        }
    }
    replace(path, &text).map_err(|source| KeyFileError::Write { path: path.to_owned(), source })?;
    Ok(rotated)
}

fn key_id(secret: &SecretString) -> KeyId {
    let ring = KeyRing::from_list(vec![secret.clone()]);
    ring.and_then(|ring| ring.key_ids().first().copied()).unwrap_or(KeyId::from_bytes([0; 12]))
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let there = fs::metadata(path)?;
    // Of mode 0600.
    let mut draft = tempfile::Builder::new().prefix(".perennial-key-").tempfile_in(folder)?;
    draft.write_all(text.as_bytes())?;
    let own = draft.as_file().metadata()?;
    if (own.uid(), own.gid()) != (there.uid(), there.gid()) {
        chown(draft.path(), Some(there.uid()), Some(there.gid()))?;
    }
    draft.as_file().sync_all()?;
    draft.persist(path).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::crypto::read_or_make_key_file;

    #[test]
    fn a_new_key_comes_first_and_the_others_keep_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("perennial.key");
        fs::write(&path, format!("{}, {}\n{}\n", "a".repeat(40), "b".repeat(40), "c".repeat(40))).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let before = read_or_make_key_file(&path).unwrap().key_ids();
        let rotated = rotate_key_file(&path, |id| id != before[1]).unwrap();
        assert_eq!(rotated.kept, [before[0], before[2]]);
        assert_eq!(rotated.removed, [before[1]]);
        assert_eq!(read_or_make_key_file(&path).unwrap().key_ids(), [rotated.new, before[0], before[2]]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_could_not_be_used_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("perennial.key");
        assert!(matches!(rotate_key_file(&path, |_| true), Err(KeyFileError::Read { .. })));
        assert!(!path.exists(), "none is made");
        for (content, mode) in [("short\n".to_owned(), 0o600), ("a".repeat(40), 0o644)] {
            fs::write(&path, &content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(rotate_key_file(&path, |_| true).is_err());
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }
}
