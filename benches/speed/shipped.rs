//! The program as its users build it.

use std::path::Path;
use std::process::Command;
use std::sync::Once;

/// Where Cargo puts the program, whoever it is built for.
const PROGRAM: &str = env!("CARGO_BIN_EXE_perennial");

/// Returns the program that `cargo build --release` makes; it is made first.
///
/// Cargo has built one for this bench, too, but with the features that open it to benches. The compiler lays that out otherwise,
/// and whatever is measured of it, up to a tenth of a page's rate, is true of a program that nobody runs.
///
/// # Panics
/// If it cannot be built.
pub(crate) fn program() -> &'static Path {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let target = Path::new(PROGRAM).ancestors().nth(2).unwrap();
        let mut build = Command::new(cargo);
        build.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--release", "--locked", "--bin", "perennial"]);
        let status = build.arg("--target-dir").arg(target).status().unwrap();
        assert!(status.success(), "`cargo build --release` failed, see above");
    });
    Path::new(PROGRAM)
}
