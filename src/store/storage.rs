//! What keeps SQLite from using a file: found by doing, without SQLite, what SQLite will have to do.
//!
//! SQLite itself says little: a file that it may not write is opened for reading in silence, and a folder in which it cannot
//! make its log is "unable to open database file". Modes of files say little too, for a mount, a quota or another user
//! decides as well.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Room that there must be: some thousand sign-ins. With less, the disk is full before anybody has read about it.
const ROOM: usize = 1024 * 1024;

/// What is wrong, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub(super) enum StorageFault {
    /// There is no folder for the file.
    #[error("there is no folder {}: make it, or set DATABASE_URL to a file in one that exists", .0.display())]
    NoFolder(PathBuf),
    /// Something else has the name of the file.
    #[error("{} is no file: set DATABASE_URL to a file, or move what is there away", .0.display())]
    NoFile(PathBuf),
    /// The file, or one that SQLite keeps beside it, cannot be opened for writing.
    #[error("{} cannot be written ({source}): {}", path.display(), remedy(source, "chown it to the user that runs perennial, and chmod 600 it"))]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Nothing can be made in the folder.
    #[error(
        "SQLite can make no -wal and -shm file in {} ({source}): {}",
        path.display(), remedy(source, "chown the folder to the user that runs perennial, and chmod u+rwx it")
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no room.
    #[error("the disk of {} is full ({source}): make room; until then pages are shown, and nobody can sign in", path.display())]
    Full {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn remedy(error: &io::Error, rights: &'static str) -> &'static str {
    match error.kind() {
        ErrorKind::ReadOnlyFilesystem => {
            "its file system is mounted read-only, so mount it for writing, or move the database"
        }
        _ => rights,
    }
}

/// Checks that a database can be there: a file that may be there already, and files beside it.
pub(super) fn check(file: &Path) -> Result<(), StorageFault> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(StorageFault::NoFolder(folder.to_owned()));
    }
    let beside = ["-wal", "-shm"].map(|ending| PathBuf::from(format!("{}{ending}", file.display())));
    for path in [file.to_owned()].iter().chain(&beside) {
        match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Ok(found) if !found.is_file() => return Err(StorageFault::NoFile(path.clone())),
            // Opened and closed again, it is as it was.
            _ => {
                let opened = OpenOptions::new().read(true).write(true).open(path);
                opened.map(drop).map_err(|source| StorageFault::File { path: path.clone(), source })?;
            }
        }
    }
    write_nameless(folder).map_err(|source| match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StorageFault::Full { path: folder.to_owned(), source },
        _ => StorageFault::Folder { path: folder.to_owned(), source },
    })
}

/// Writes a file that has no name, so that it is gone with its last handle, whatever happens.
fn write_nameless(folder: &Path) -> io::Result<()> {
    let mut file: File = tempfile::tempfile_in(folder).map_err(|error| match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error,
    })?;
    file.write_all(&vec![0; ROOM])?;
    // Some file systems find out only now that there is no room.
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_folder_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        check(&file).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::write(&file, "content").unwrap();
        check(&file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "content");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        assert!(matches!(check(&file.join("b.db")), Err(StorageFault::NoFolder(_))));
        fs::create_dir(folder.path().join("a.db-wal")).unwrap();
        assert!(matches!(check(&file), Err(StorageFault::NoFile(path)) if path.ends_with("a.db-wal")));
        fs::create_dir(&file).unwrap();
        assert!(matches!(check(&file), Err(StorageFault::NoFile(path)) if path.ends_with("a.db")));
    }
}
