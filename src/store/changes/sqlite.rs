//! Following a file: writers take turns, so the table grows in the order of its numbers.

use diesel::prelude::*;

use super::change::{News, TOLD_AT_MOST, read};
use crate::store::error::StoreError;
use crate::store::schema::changes;
use crate::store::sqlite::data_version;

/// Changes read in one go at most; the rest comes with the next.
const PAGE: i64 = 1000;

/// Stands at a row of the table.
pub(super) struct Reader {
    connection: SqliteConnection,
    version: Option<i32>,
    last: i64,
}

impl Reader {
    pub(super) fn start(mut connection: SqliteConnection) -> Result<Self, StoreError> {
        let last = last(&mut connection)?;
        Ok(Self { connection, version: None, last })
    }

    /// Returns what changed since the last call; without a change anywhere in the database, it reads no table.
    pub(super) fn catch_up(&mut self) -> Result<News, StoreError> {
        let version = data_version(&mut self.connection)?;
        if self.version == Some(version) {
            return Ok(News::Changes(Vec::new()));
        }
        let (mut found, mut last) = (Vec::new(), self.last);
        loop {
            let page = changes::table
                .filter(changes::sequence.gt(last))
                .order(changes::sequence)
                .limit(PAGE)
                .select((changes::sequence, changes::subject, changes::subject_id))
                .load::<(i64, String, String)>(&mut self.connection)?;
            if found.len() + page.len() > TOLD_AT_MOST {
                (self.version, self.last) = (Some(version), self::last(&mut self.connection)?);
                return Ok(News::Anything);
            }
            found.extend(page.iter().filter_map(|(_, subject, id)| read(subject, id)));
            match page.last() {
                Some((sequence, ..)) => last = *sequence,
                None => break,
            }
        }
        (self.version, self.last) = (Some(version), last);
        Ok(News::Changes(found))
    }
}

/// Returns the number of the last row.
fn last(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let last = changes::table.select(diesel::dsl::max(changes::sequence)).first::<Option<i64>>(connection)?;
    Ok(last.unwrap_or(0))
}
