//! Accounts from a file of another program, with the password hashes that it made.
//!
//! The file is read twice, in a stream both times. The first pass looks at every line and writes nothing, so that whoever
//! runs it is told of all that is wrong at once; the second adds everybody in one transaction. So an import that is refused,
//! fails or is killed leaves nothing behind.

mod entry;
mod records;

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead};

use time::OffsetDateTime;

pub use records::Format;

use self::entry::LineProblem;
use self::records::{Record, Records, Unreadable};
use crate::domain::event::{Event, EventType};
use crate::domain::user::Email;
use crate::store::user_import::{self, ImportedUser, NotAdded};
use crate::store::{Database, StoreError};

/// Users that are looked for or added in one go: few round trips, and on a server far below the 65,535 parameters that a
/// statement may have.
const BATCH: usize = 500;

/// What to import, and how.
#[derive(Debug, Clone, Copy)]
pub struct UserImport {
    /// How the file is written.
    pub format: Format,
    /// Whether to leave out the lines that cannot be imported.
    pub skip_invalid: bool,
    /// The time that the accounts are made at.
    pub now: OffsetDateTime,
}

/// Which time the file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// To look at every line.
    Check,
    /// To add everybody.
    Add,
}

/// What came of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Users who were added.
    pub users: u64,
    /// Lines that were left out.
    pub skipped: u64,
}

/// Why nobody was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read, or has no header.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Some lines cannot be imported; each was told of.
    #[error("{0} lines cannot be imported, so nobody was; correct them, or leave them out with --skip-invalid")]
    Lines(u64),
    /// Somebody registered with an address of the file, between the passes.
    #[error("somebody else has registered with an address of the file meanwhile, so nobody was imported: run it again")]
    TakenMeanwhile,
    /// The file is not what it was in the first pass.
    #[error("the file was changed meanwhile, so nobody was imported: run it again")]
    Changed,
    /// The database has no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<io::Error> for ImportError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error.into())
    }
}

impl UserImport {
    /// Adds everybody in a file, or nobody; `open` opens it for each pass, and `complain` is told of each bad line.
    ///
    /// It blocks, so call it on no async worker.
    ///
    /// # Errors
    /// Nobody was imported.
    pub fn run<R: BufRead>(
        self,
        database: &Database,
        mut open: impl FnMut(Pass) -> io::Result<R>,
        complain: impl FnMut(u64, &LineProblem),
    ) -> Result<Imported, ImportError> {
        let bad = self.check(database, Records::open(open(Pass::Check)?, self.format)?, complain)?;
        let skipped = u64::try_from(bad.len()).unwrap_or(u64::MAX);
        if skipped > 0 && !self.skip_invalid {
            return Err(ImportError::Lines(skipped));
        }
        let mut records = Records::open(open(Pass::Add)?, self.format)?;
        let event = Event::of_command(EventType::Registered, None, self.now);
        let added = user_import::add_all(database, &event, || batch(&mut records, &bad));
        match added {
            Ok(users) => Ok(Imported { users, skipped }),
            Err(NotAdded::Taken) => Err(ImportError::TakenMeanwhile),
            Err(NotAdded::Store(error)) => Err(error.into()),
            Err(NotAdded::Source(error)) => Err(error),
        }
    }

    /// Looks at every line; returns those that cannot be imported.
    fn check<R: BufRead>(
        self,
        database: &Database,
        mut records: Records<R>,
        mut complain: impl FnMut(u64, &LineProblem),
    ) -> Result<HashSet<u64>, ImportError> {
        let mut lines: HashMap<Email, u64> = HashMap::new();
        let mut bad = HashSet::new();
        loop {
            let mut problems: Vec<(u64, LineProblem)> = Vec::new();
            let mut new: Vec<(u64, Email)> = Vec::new();
            let mut ended = false;
            while new.len() < BATCH && problems.len() < BATCH {
                let Some(Record { line, fields }) = records.next_record()? else {
                    ended = true;
                    break;
                };
                let user = fields.and_then(|fields| entry::read(&fields));
                match user.map(|user| (lines.get(&user.email).copied(), user.email)) {
                    Ok((Some(first), email)) => problems.push((line, LineProblem::Repeated { email, first })),
                    Ok((None, email)) => {
                        lines.insert(email.clone(), line);
                        new.push((line, email));
                    }
                    Err(problem) => problems.push((line, problem)),
                }
            }
            let taken = database.read_blocking(|connection| {
                let emails: Vec<_> = new.iter().map(|(_, email)| email.as_str()).collect();
                user_import::taken(connection, &emails, self.now)
            })?;
            let taken: HashSet<_> = taken.into_iter().map(|email| email.to_ascii_lowercase()).collect();
            new.retain(|(_, email)| taken.contains(email.as_str()));
            problems.extend(new.into_iter().map(|(line, email)| (line, LineProblem::Taken(email))));
            problems.sort_unstable_by_key(|(line, _)| *line);
            for (line, problem) in problems {
                complain(line, &problem);
                bad.insert(line);
            }
            if ended {
                return Ok(bad);
            }
        }
    }
}

/// Returns the next users to add; nobody at the end of the file.
fn batch<R: BufRead>(records: &mut Records<R>, bad: &HashSet<u64>) -> Result<Vec<ImportedUser>, ImportError> {
    let mut users = Vec::new();
    while users.len() < BATCH {
        let Some(Record { line, fields }) = records.next_record()? else { break };
        if !bad.contains(&line) {
            users.push(fields.and_then(|fields| entry::read(&fields)).map_err(|_| ImportError::Changed)?);
        }
    }
    Ok(users)
}
