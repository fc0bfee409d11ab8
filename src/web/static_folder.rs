//! The folder of `STATIC_DIR`: nothing is read that lies outside it.

use std::io;
use std::path::{Path, PathBuf};

/// The folder, by its path without symbolic links.
#[derive(Debug, Clone)]
pub(crate) struct StaticFolder(PathBuf);

impl StaticFolder {
    /// Finds out where the folder really is; it may itself be a link.
    ///
    /// # Errors
    /// If it is not there.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        folder.canonicalize().map(Self)
    }

    /// Returns where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Tells whether something of this name is in the folder; a symbolic link is where it leads to.
    ///
    /// It is opened after it was looked at, so this keeps out links that lie there. Whoever may write into the folder
    /// decides what is served anyway.
    pub(crate) fn holds(&self, name: &Path) -> bool {
        self.find(name).is_ok()
    }

    /// Reads the file of a name.
    ///
    /// # Errors
    /// `NotFound` if it is not there; if it lies elsewhere or cannot be read, each with its path.
    pub(crate) fn read(&self, name: &Path) -> io::Result<Vec<u8>> {
        self.find(name).and_then(std::fs::read).map_err(|error| {
            let path = self.0.join(name);
            io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display()))
        })
    }

    /// Returns the path of a file without symbolic links.
    fn find(&self, name: &Path) -> io::Result<PathBuf> {
        let path = self.0.join(name).canonicalize()?;
        if path.starts_with(&self.0) { Ok(path) } else { Err(io::Error::other("it is a link out of STATIC_DIR")) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_is_followed_within_the_folder_and_not_out_of_it() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        for folder in ["real/images", "real-secrets"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("real/images/a.png"), "a").unwrap();
        fs::write(root.join("real-secrets/key"), "secret").unwrap();
        symlink(root.join("real"), root.join("folder")).unwrap();
        let whole = |path: &str| root.join(path).display().to_string();
        for (name, target) in [
            ("inside", "images/a.png"),
            ("inside-by-its-whole-path", &whole("real/images/a.png")),
            ("folder-inside", "images"),
            ("outside", "../real-secrets/key"),
            ("outside-by-its-whole-path", &whole("real-secrets/key")),
            ("folder-outside", "../real-secrets"),
            ("again", "outside"),
            ("round", "round"),
            ("nowhere", "../missing"),
        ] {
            symlink(target, root.join("real").join(name)).unwrap();
        }
        let folder = StaticFolder::open(&root.join("folder")).unwrap();
        for name in ["images/a.png", "inside", "inside-by-its-whole-path", "folder-inside/a.png"] {
            assert!(folder.holds(Path::new(name)), "{name}");
            assert_eq!(folder.read(Path::new(name)).unwrap(), b"a", "{name}");
        }
        for name in [
            "outside",
            "outside-by-its-whole-path",
            "folder-outside",
            "folder-outside/key",
            "again",
            "round",
            "nowhere",
            "../real-secrets/key",
            "missing",
        ] {
            assert!(!folder.holds(Path::new(name)), "{name}");
            assert!(folder.read(Path::new(name)).is_err(), "{name}");
        }
        let refused = folder.read(Path::new("outside")).unwrap_err();
        assert!(refused.to_string().ends_with("/real/outside: it is a link out of STATIC_DIR"), "{refused}");
        assert_eq!(folder.read(Path::new("missing")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
