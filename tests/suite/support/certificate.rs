//! A certificate of a test's own.

use std::path::Path;
use std::process::Command;

use super::chromium::find_program;

/// Makes a certificate for a name, and returns the paths of it, of its key, and of both in one file.
pub(crate) fn certificate(folder: &Path, name: &str) -> [String; 3] {
    let [certificate, key, both] = ["certificate.pem", "key.pem", "both.pem"].map(|file| folder.join(file));
    let alternative = format!("subjectAltName=DNS:{name}");
    let made = Command::new(find_program(&["openssl"]))
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=test",
            "-addext",
            &alternative,
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let [first, second] = [&certificate, &key].map(|file| std::fs::read_to_string(file).unwrap());
    std::fs::write(&both, first + &second).unwrap();
    [certificate, key, both].map(|path| path.display().to_string())
}
