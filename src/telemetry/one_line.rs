//! One line per entry of the log, whatever is in it.
//!
//! What is logged holds words of others: of a database, of a mail server, of a client. A line break in them would begin a
//! line that nobody logged, and an escape sequence would be obeyed by the terminal that shows it (OWASP Logging Cheat Sheet,
//! "Event collection"). So it is made sure of where every entry passes, and not only where somebody thought of it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

use crate::domain::client::is_deceptive;

/// Makes writers that write each entry as one line.
pub(super) struct OneLine<M>(pub(super) M);

/// Writes one entry.
pub(super) struct Entry<W>(W);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for OneLine<M> {
    type Writer = Entry<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Entry(self.0.make_writer())
    }
}

impl<W: Write> Write for Entry<W> {
    /// Takes a whole entry, which the log writes in one go.
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        self.0.write_all(one_line(&String::from_utf8_lossy(entry)).as_bytes())?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Returns an entry with an escape in the place of each character that would change how what is around it is shown. Within a
/// JSON object such a character can only stand in a text, where the escape means the same.
fn one_line(entry: &str) -> Cow<'_, str> {
    let (line, end) = entry.strip_suffix('\n').map_or((entry, ""), |line| (line, "\n"));
    if !line.contains(is_deceptive) {
        return Cow::Borrowed(entry);
    }
    let mut escaped = String::with_capacity(entry.len() + 16);
    for c in line.chars() {
        if is_deceptive(c) {
            // Writing to a text does not fail.
            let _written = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped.push_str(end);
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_stays_on_its_line() {
        assert_eq!(one_line("INFO all is well\n"), "INFO all is well\n");
        assert_eq!(
            one_line("ERROR no\r\n2026-01-01 INFO all is well\u{1b}[2J\u{202e}\u{85}\n"),
            "ERROR no\\u000d\\u000a2026-01-01 INFO all is well\\u001b[2J\\u202e\\u0085\n"
        );
    }

    #[test]
    fn an_object_stays_an_object_and_means_the_same() {
        let line = one_line("{\"message\":\"a\u{202e}b\"}\n").into_owned();
        assert!(!line.contains('\u{202e}'));
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["message"], "a\u{202e}b");
    }
}
