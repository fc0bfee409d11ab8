//! A disk that is soon full.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::server::empty_folder;

/// A small file system in memory; it is gone when this is dropped.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts one of so many megabytes; fails with one line where that is not allowed.
    pub(crate) fn mount(megabytes: u32) -> Self {
        let folder = empty_folder();
        let size = format!("size={megabytes}m,mode=700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        assert!(mounted, "this test needs to be root, to mount a small file system");
        Self(folder)
    }

    /// Returns its folder.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Mounts it anew, so that nothing on it can be changed.
    pub(crate) fn make_read_only(&self) {
        let mounted = Command::new("mount").args(["-o", "remount,ro"]).arg(self.path()).status();
        assert!(mounted.is_ok_and(|status| status.success()));
    }

    /// Fills it up to the last byte.
    pub(crate) fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        let mut length = 64 * 1024;
        while length > 0 {
            match filler.write(&vec![0; length]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => length /= 2,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Makes room again.
    pub(crate) fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whatever still uses it, it is out of sight at once and gone when that ends.
        let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
        if !unmounted.is_ok_and(|status| status.success()) && !std::thread::panicking() {
            panic!("{} is still mounted", self.path().display());
        }
    }
}
