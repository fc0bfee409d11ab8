//! A file that audit events are appended to, which says by itself how far it has got.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use serde_json::Value;

use super::document::document;
use crate::cli::output::{Failure, json_line};
use crate::store::operator::StoredEvent;

/// Bytes at the end of the file that are read to find out which events it holds: more than ten thousand of them, which is as
/// far back as one may be that was under way.
const TAIL: u64 = 16 * 1024 * 1024;

/// The file, locked for as long as this is there.
pub(super) struct ExportFile {
    file: BufWriter<File>,
    path: String,
    unkept: bool,
}

impl ExportFile {
    /// Opens the file, makes it where there is none, for its owner alone, and cuts a line off that a kill or a full disk left
    /// unfinished. Returns the numbers of the last events that it holds.
    pub(super) fn open(path: &Path) -> Result<(Self, BTreeSet<i64>), Failure> {
        let shown = path.display().to_string();
        let failed = |error: std::io::Error| Failure::Failed(format!("cannot write to {shown}: {error}"));
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).map_err(failed)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(Failure::Failed(format!("{shown} is being written by another perennial event follow")));
        }
        let told = read_told(&file).map_err(failed)?;
        let told = told.ok_or_else(|| Failure::Failed(format!("{shown} holds something else than audit events")))?;
        Ok((Self { file: BufWriter::new(file), path: shown, unkept: false }, told))
    }

    /// Writes a line.
    pub(super) fn append(&mut self, event: &StoredEvent) -> Result<(), Failure> {
        self.unkept = true;
        let line = json_line(&document(event))?;
        writeln!(self.file, "{line}").map_err(|error| self.failed(&error))
    }

    /// Makes sure that what was written is on the disk.
    pub(super) fn keep(&mut self) -> Result<(), Failure> {
        if !std::mem::take(&mut self.unkept) {
            return Ok(());
        }
        let kept = self.file.flush().and_then(|()| self.file.get_ref().sync_data());
        kept.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        Failure::Failed(format!("cannot write to {}: {error}", self.path))
    }
}

/// Returns the numbers of the last events in a file, and cuts off what follows its last line; nothing where a line is no
/// event.
fn read_told(mut file: &File) -> std::io::Result<Option<BTreeSet<i64>>> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let Some(lines) = tail.get(..whole) else { return Ok(None) };
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    // The first line of the tail of a long file is a part of one.
    let ids: Option<BTreeSet<i64>> = lines.skip(usize::from(start > 0)).map(id).collect();
    let unfinished = (tail.len() - whole) as u64;
    let is_ours = tail.first().is_none_or(|first| *first == b'{') || start > 0;
    if !is_ours {
        return Ok(None);
    }
    if ids.is_some() && unfinished > 0 {
        file.set_len(length - unfinished)?;
    }
    Ok(ids)
}

fn id(line: &[u8]) -> Option<i64> {
    serde_json::from_slice::<Value>(line).ok()?.get("id")?.as_i64()
}
