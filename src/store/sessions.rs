//! The rows of sign-ins.

use diesel::prelude::*;
#[cfg(feature = "sqlite")]
use diesel::sql_types::BigInt;
use time::OffsetDateTime;

use super::Connection;
use super::connection::natively;
use super::error::StoreError;
use super::events;
use super::schema::{sessions, users};
pub use super::swap::swap;
use super::times::{moment, seconds};
use super::users::UserRow;
use crate::domain::device_key::DeviceKey;
use crate::domain::event::Event;
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::{EndReason, Revocation, Session};
use crate::domain::token::SecretHash;
use crate::domain::user::User;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
pub(super) struct SessionRow {
    id: String,
    user_id: i64,
    generation: i64,
    token_hash: Vec<u8>,
    previous_hash: Option<Vec<u8>>,
    rotated_at: i64,
    created_at: i64,
    authenticated_at: i64,
    last_seen_at: i64,
    expires_at: i64,
    kept: bool,
    shared_computer: bool,
    revoked_at: Option<i64>,
    revoked_because: Option<String>,
    user_agent: String,
    address: String,
    device_key: Option<Vec<u8>>,
    proved_generation: Option<i64>,
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        let revoked = row.revoked_at.map(|at| {
            let because = EndReason::from_stored(row.revoked_because.as_deref().unwrap_or_default());
            Ok::<_, StoreError>(Revocation { at: moment(at)?, because })
        });
        Ok(Self {
            id: row.id.parse().map_err(|_| StoreError::Corrupt("a session id of another form"))?,
            user_id: UserId(row.user_id),
            generation: row.generation,
            token_hash: hash(&row.token_hash)?,
            previous_hash: row.previous_hash.as_deref().map(hash).transpose()?,
            rotated_at: moment(row.rotated_at)?,
            created_at: moment(row.created_at)?,
            authenticated_at: moment(row.authenticated_at)?,
            last_seen_at: moment(row.last_seen_at)?,
            expires_at: moment(row.expires_at)?,
            kept: row.kept,
            shared_computer: row.shared_computer,
            revoked: revoked.transpose()?,
            user_agent: row.user_agent,
            address: row.address,
            device_key: row.device_key.as_deref().map(device_key).transpose()?,
            proved_generation: row.proved_generation,
        })
    }
}

impl From<&Session> for SessionRow {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id.to_string(),
            user_id: session.user_id.0,
            generation: session.generation,
            token_hash: session.token_hash.as_bytes().to_vec(),
            previous_hash: session.previous_hash.map(|hash| hash.as_bytes().to_vec()),
            rotated_at: seconds(session.rotated_at),
            created_at: seconds(session.created_at),
            authenticated_at: seconds(session.authenticated_at),
            last_seen_at: seconds(session.last_seen_at),
            expires_at: seconds(session.expires_at),
            kept: session.kept,
            shared_computer: session.shared_computer,
            revoked_at: session.revoked.map(|revocation| seconds(revocation.at)),
            revoked_because: session.revoked.map(|revocation| revocation.because.as_str().to_owned()),
            user_agent: session.user_agent.clone(),
            address: session.address.clone(),
            device_key: session.device_key.map(|key| key.as_bytes().to_vec()),
            proved_generation: session.proved_generation,
        }
    }
}

fn hash(bytes: &[u8]) -> Result<SecretHash, StoreError> {
    bytes.try_into().map(SecretHash::from_bytes).map_err(|_| StoreError::Corrupt("a token hash of another length"))
}

fn device_key(bytes: &[u8]) -> Result<DeviceKey, StoreError> {
    bytes.try_into().map(DeviceKey::from_bytes).map_err(|_| StoreError::Corrupt("a device key of another length"))
}

/// Adds the row of a new sign-in.
///
/// # Errors
/// If the database cannot write.
pub fn insert(connection: &mut Connection, session: &Session) -> Result<(), StoreError> {
    diesel::insert_into(sessions::table).values(SessionRow::from(session)).execute(connection)?;
    Ok(())
}

/// Returns a row, be it alive or a tombstone.
///
/// # Errors
/// If the database cannot read.
pub fn find(connection: &mut Connection, id: SessionId) -> Result<Option<Session>, StoreError> {
    let row = sessions::table.find(id.to_string()).select(SessionRow::as_select()).get_result(connection).optional()?;
    row.map(Session::try_from).transpose()
}

/// A row, the user it belongs to, and when one of their sign-ins was found in two hands, unless they have taken note of it.
pub type WithUser = (Session, User, Option<OffsetDateTime>);

/// Returns a row with the user it belongs to.
///
/// # Errors
/// If the database cannot read.
pub fn find_with_user(connection: &mut Connection, id: SessionId) -> Result<Option<WithUser>, StoreError> {
    let row: QueryResult<(SessionRow, UserRow, Option<i64>)> = natively!(connection, held => sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(id.to_string()))
        .select((SessionRow::as_select(), UserRow::as_select(), users::theft_noticed_at))
        .get_result(held));
    row.optional()?
        .map(|(session, user, noticed)| Ok((session.try_into()?, user.try_into()?, noticed.map(moment).transpose()?)))
        .transpose()
}

/// Returns a row, and keeps it from being changed by anybody else until the transaction ends.
///
/// # Errors
/// If the database has no answer.
pub fn lock(connection: &mut Connection, id: SessionId) -> Result<Option<Session>, StoreError> {
    match connection {
        // The writer's transaction holds the lock on all of the file already.
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => find(connection, id),
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => {
            let row = sessions::table.find(id.to_string()).for_no_key_update().select(SessionRow::as_select());
            row.get_result(server).optional()?.map(Session::try_from).transpose()
        }
    }
}

/// Which sessions are to end.
#[derive(Debug, Clone)]
pub enum Which {
    /// These; those of another user than the event's are left alone.
    These(Vec<SessionId>),
    /// This one, if its row still stands as it was read.
    Unmoved(Box<Session>),
    /// All of the event's user, except for one that may be spared.
    All {
        /// The session that stays.
        spared: Option<SessionId>,
    },
}

/// Ends sessions for good, writes down why, and returns those that this call ended: the one place where that is done.
///
/// `event` says whose they are, what happened and when; each session gets an event about it, and a user who signs out
/// everywhere gets one in all. It asks no clock: a row that looks expired is ended with the others. Whoever calls it
/// announces what it returns, so that no process goes on from memory.
///
/// # Errors
/// If the database cannot write; then nothing has ended.
pub fn end(
    connection: &mut Connection,
    which: &Which,
    because: EndReason,
    event: &Event,
) -> Result<Vec<SessionId>, StoreError> {
    let Some(user) = event.user else { return Ok(Vec::new()) };
    let ended = match which {
        Which::These(ids) => ids.iter().map(|id| (*id, None)).collect(),
        Which::Unmoved(read) => vec![(read.id, Some(&**read))],
        // In the order of their ids, as `touch` does: two transactions that lock several rows of one user in different
        // orders would wait for each other.
        Which::All { spared } => live_ids(connection, user)?
            .into_iter()
            .filter(|id| Some(*id) != *spared)
            .map(|id| (id, None))
            .collect::<Vec<_>>(),
    };
    let mut done = Vec::new();
    for (id, unmoved) in ended {
        if revoke(connection, user, id, unmoved, because, event.at)? {
            done.push(id);
        }
    }
    if because == EndReason::SignedOutEverywhere {
        events::insert(connection, event)?;
    } else {
        for id in &done {
            events::insert(connection, &event.clone().about(*id))?;
        }
    }
    Ok(done)
}

fn live_ids(connection: &mut Connection, user: UserId) -> Result<Vec<SessionId>, StoreError> {
    let mut live = sessions::table
        .filter(sessions::user_id.eq(user.0))
        .filter(sessions::revoked_at.is_null())
        .select(sessions::id)
        .load::<String>(connection)?;
    live.sort_unstable();
    live.iter().map(|id| id.parse().map_err(|_| StoreError::Corrupt("a session id of another form"))).collect()
}

fn revoke(
    connection: &mut Connection,
    user: UserId,
    id: SessionId,
    unmoved: Option<&Session>,
    because: EndReason,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let live = sessions::table
        .find(id.to_string())
        .filter(sessions::user_id.eq(user.0))
        .filter(sessions::revoked_at.is_null());
    let ended = (sessions::revoked_at.eq(seconds(now)), sessions::revoked_because.eq(because.as_str()));
    let changed = match unmoved {
        None => diesel::update(live).set(ended).execute(connection)?,
        Some(read) => diesel::update(
            live.filter(sessions::generation.eq(read.generation))
                .filter(sessions::token_hash.eq(read.token_hash.as_bytes().as_slice())),
        )
        .set(ended)
        .execute(connection)?,
    };
    Ok(changed == 1)
}

/// Claims the greeting for coming back after `away_from`; of all requests and processes one gets it.
///
/// # Errors
/// If the database cannot write.
pub fn claim_welcome(
    connection: &mut Connection,
    id: SessionId,
    away_from: OffsetDateTime,
) -> Result<bool, StoreError> {
    let unclaimed = sessions::welcomed_at.is_null().or(sessions::welcomed_at.assume_not_null().lt(seconds(away_from)));
    let row = sessions::table.find(id.to_string()).filter(unclaimed);
    Ok(diesel::update(row).set(sessions::welcomed_at.eq(seconds(away_from))).execute(connection)? == 1)
}

/// Writes down that the password was entered again within a sign-in, unless it has ended.
///
/// # Errors
/// If the database cannot write.
pub fn password_entered(connection: &mut Connection, id: SessionId, now: OffsetDateTime) -> Result<(), StoreError> {
    let live = sessions::table.find(id.to_string()).filter(sessions::revoked_at.is_null());
    diesel::update(live).set(sessions::authenticated_at.eq(seconds(now))).execute(connection)?;
    Ok(())
}

/// Writes down when sign-ins were last seen; never back in time.
///
/// # Errors
/// If the database cannot write.
pub fn touch(connection: &mut Connection, seen: &[(SessionId, OffsetDateTime)]) -> Result<(), StoreError> {
    let mut seen: Vec<_> = seen.iter().map(|(id, at)| (id.to_string(), at)).collect();
    seen.sort_unstable();
    for (id, at) in seen {
        let older = sessions::table.find(id).filter(sessions::last_seen_at.lt(seconds(*at)));
        diesel::update(older).set(sessions::last_seen_at.eq(seconds(*at))).execute(connection)?;
    }
    Ok(())
}

/// Returns a user's sessions that were not revoked, the last used first; whether they have expired is for the caller.
///
/// # Errors
/// If the database cannot read.
pub fn unrevoked_of_user(connection: &mut Connection, user: UserId) -> Result<Vec<Session>, StoreError> {
    let rows = sessions::table
        .filter(sessions::user_id.eq(user.0))
        .filter(sessions::revoked_at.is_null())
        .order(sessions::last_seen_at.desc())
        .select(SessionRow::as_select())
        .load(connection)?;
    rows.into_iter().map(Session::try_from).collect()
}

/// Reads what [`delete_expired`] will change, so that it finds everything in memory.
///
/// The rows that expire next lie together, but the index by user has each of them on a page of its own. A server reads for
/// itself, and makes nobody else wait.
///
/// # Errors
/// If the database has no answer.
pub fn read_ahead(connection: &mut Connection, before: OffsetDateTime, limit: i64) -> Result<(), StoreError> {
    match (connection, before, limit) {
        #[cfg(feature = "sqlite")]
        (Connection::Sqlite(file), before, limit) => {
            let entries = diesel::sql_query(
                "SELECT count(*) FROM (SELECT id FROM sessions WHERE expires_at < ? ORDER BY expires_at LIMIT ?) AS next \
                 JOIN sessions AS expired ON expired.id = next.id WHERE EXISTS \
                 (SELECT 1 FROM sessions AS entry INDEXED BY sessions_by_user \
                 WHERE entry.user_id = expired.user_id AND entry.id = expired.id)",
            );
            entries.bind::<BigInt, _>(seconds(before)).bind::<BigInt, _>(limit).execute(file)?;
        }
        #[cfg(feature = "postgres")]
        (Connection::Postgres(_), ..) => {}
    }
    Ok(())
}

/// Deletes at most `limit` rows, tombstones included, whose absolute end was before `before`; returns how many.
///
/// # Errors
/// If the database cannot write.
pub fn delete_expired(connection: &mut Connection, before: OffsetDateTime, limit: i64) -> Result<usize, StoreError> {
    let listed = diesel::alias!(sessions as listed);
    let expired = listed
        .filter(listed.field(sessions::expires_at).lt(seconds(before)))
        .order(listed.field(sessions::expires_at))
        .select(listed.field(sessions::id))
        .limit(limit);
    Ok(diesel::delete(sessions::table.filter(sessions::id.eq_any(expired))).execute(connection)?)
}
