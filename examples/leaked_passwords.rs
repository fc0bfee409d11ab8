//! Makes the list of leaked passwords that Perennial refuses: passwords on standard input, one per line, and the filter of
//! them on standard output. `src/domain/leaked_passwords.rs` says where the passwords come from, and has the whole command.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{BufRead, Write, stderr, stdin, stdout};

use perennial::domain::leaked_passwords::{DESCRIPTION, key};
use xorf::{BinaryFuse16, DmaSerializable};

/// Characters of a password at least: no shorter one is ever accepted as new.
const SHORTEST: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let mut keys = BTreeSet::new();
    for line in stdin().lock().split(b'\n') {
        let line = line?;
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        // What is no text is no password that a form could send.
        if let Ok(password) = std::str::from_utf8(line)
            && password.chars().count() >= SHORTEST
        {
            keys.insert(key(password));
        }
    }
    let count = keys.len();
    let filter = BinaryFuse16::try_from(keys.into_iter().collect::<Vec<_>>())?;
    let mut description = [0; DESCRIPTION];
    filter.dma_copy_descriptor_to(&mut description);
    let fingerprints = filter.dma_fingerprints();
    let mut output = stdout().lock();
    output.write_all(&description)?;
    output.write_all(fingerprints)?;
    output.flush()?;
    writeln!(stderr(), "{count} passwords in {} bytes", DESCRIPTION + fingerprints.len())?;
    Ok(())
}
