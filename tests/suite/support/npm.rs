//! What `.ci/npm/install` installs from npm.

use std::path::{Path, PathBuf};

/// Returns where a file of an installed package is.
pub(crate) fn installed(file: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/npm/node_modules").join(file);
    assert!(place.is_file(), "this test needs {}: `.ci/npm/install` brings it", place.display());
    place
}
