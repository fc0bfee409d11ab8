//! The rows of sign-ins.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use time::OffsetDateTime;

use super::Connection;
use super::error::StoreError;
use super::schema::{sessions, users};
use super::times::{moment, seconds};
use super::users::UserRow;
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::{EndReason, Revocation, Session};
use crate::domain::token::SecretHash;
use crate::domain::user::User;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
struct SessionRow {
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
    revoked_at: Option<i64>,
    revoked_because: Option<String>,
    user_agent: String,
    address: String,
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
            revoked: revoked.transpose()?,
            user_agent: row.user_agent,
            address: row.address,
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
            revoked_at: session.revoked.map(|revocation| seconds(revocation.at)),
            revoked_because: session.revoked.map(|revocation| revocation.because.as_str().to_owned()),
            user_agent: session.user_agent.clone(),
            address: session.address.clone(),
        }
    }
}

fn hash(bytes: &[u8]) -> Result<SecretHash, StoreError> {
    bytes.try_into().map(SecretHash::from_bytes).map_err(|_| StoreError::Corrupt("a token hash of another length"))
}

/// The part of a row that a rotation replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// The generation it leads to: the next one, or the same for a reissue.
    pub generation: i64,
    /// The hash of the new secret.
    pub token_hash: SecretHash,
    /// The hash of the secret that it replaces, or, for a reissue, of the one before the lost one.
    pub previous_hash: Option<SecretHash>,
    /// When.
    pub at: OffsetDateTime,
    /// From where.
    pub address: String,
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

/// Returns a row with the user it belongs to.
///
/// # Errors
/// If the database cannot read.
pub fn find_with_user(connection: &mut Connection, id: SessionId) -> Result<Option<(Session, User)>, StoreError> {
    let row = sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(id.to_string()))
        .select((SessionRow::as_select(), UserRow::as_select()))
        .get_result::<(SessionRow, UserRow)>(connection)
        .optional()?;
    row.map(|(session, user)| Ok((session.try_into()?, user.try_into()?))).transpose()
}

/// Replaces the secret of `session` if the row still stands as it was read and was not revoked: compare-and-swap.
///
/// Returns whether it did; `false` means that somebody else was faster, and that the row must be read again.
///
/// # Errors
/// If the database cannot write.
pub fn swap(connection: &mut Connection, session: &Session, swap: &Swap) -> Result<bool, StoreError> {
    let statement = SwapStatement {
        id: session.id.to_string(),
        generation: session.generation,
        token_hash: session.token_hash,
        next_generation: swap.generation,
        next_hash: swap.token_hash,
        previous_hash: swap.previous_hash.map(|hash| hash.as_bytes().to_vec()),
        at: seconds(swap.at),
        address: swap.address.clone(),
    };
    Ok(statement.execute(connection)? == 1)
}

/// What [`swap`] runs, written out so that a connection prepares it once.
///
/// Diesel prepares each of its own `UPDATE`s anew, as it cannot know that their columns stay the same, and the one writer
/// has better things to do.
#[derive(QueryId)]
struct SwapStatement {
    id: String,
    generation: i64,
    token_hash: SecretHash,
    next_generation: i64,
    next_hash: SecretHash,
    previous_hash: Option<Vec<u8>>,
    at: i64,
    address: String,
}

impl<DB: Backend> QueryFragment<DB> for SwapStatement
where
    i64: ToSql<BigInt, DB>,
    str: ToSql<Text, DB>,
    [u8]: ToSql<Binary, DB>,
    Option<Vec<u8>>: ToSql<Nullable<Binary>, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("UPDATE sessions SET generation = ");
        out.push_bind_param::<BigInt, _>(&self.next_generation)?;
        out.push_sql(", token_hash = ");
        out.push_bind_param::<Binary, [u8]>(self.next_hash.as_bytes())?;
        out.push_sql(", previous_hash = ");
        out.push_bind_param::<Nullable<Binary>, _>(&self.previous_hash)?;
        out.push_sql(", rotated_at = ");
        out.push_bind_param::<BigInt, _>(&self.at)?;
        out.push_sql(", last_seen_at = ");
        out.push_bind_param::<BigInt, _>(&self.at)?;
        out.push_sql(", address = ");
        out.push_bind_param::<Text, str>(&self.address)?;
        out.push_sql(" WHERE id = ");
        out.push_bind_param::<Text, str>(&self.id)?;
        out.push_sql(" AND generation = ");
        out.push_bind_param::<BigInt, _>(&self.generation)?;
        out.push_sql(" AND token_hash = ");
        out.push_bind_param::<Binary, [u8]>(self.token_hash.as_bytes())?;
        out.push_sql(" AND revoked_at IS NULL");
        Ok(())
    }
}

impl RunQueryDsl<Connection> for SwapStatement {}

/// Ends a sign-in for good, unless it already was; returns whether this call did.
///
/// # Errors
/// If the database cannot write.
pub fn revoke(
    connection: &mut Connection,
    id: SessionId,
    because: EndReason,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let live = sessions::table.find(id.to_string()).filter(sessions::revoked_at.is_null());
    let changed = diesel::update(live)
        .set((sessions::revoked_at.eq(seconds(now)), sessions::revoked_because.eq(because.as_str())))
        .execute(connection)?;
    Ok(changed == 1)
}

/// Ends a sign-in for good if its row still stands as it was read; returns whether this call did.
///
/// # Errors
/// If the database cannot write.
pub fn revoke_unmoved(
    connection: &mut Connection,
    read: &Session,
    because: EndReason,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let unmoved = sessions::table
        .find(read.id.to_string())
        .filter(sessions::generation.eq(read.generation))
        .filter(sessions::token_hash.eq(read.token_hash.as_bytes().as_slice()))
        .filter(sessions::revoked_at.is_null());
    let changed = diesel::update(unmoved)
        .set((sessions::revoked_at.eq(seconds(now)), sessions::revoked_because.eq(because.as_str())))
        .execute(connection)?;
    Ok(changed == 1)
}

/// Ends every sign-in of a user, but for one that may be spared; returns those that this call ended.
///
/// # Errors
/// If the database cannot write.
pub fn revoke_all(
    connection: &mut Connection,
    user: UserId,
    spared: Option<SessionId>,
    because: EndReason,
    now: OffsetDateTime,
) -> Result<Vec<SessionId>, StoreError> {
    // One by one and in the order of their ids, as `touch` does: two transactions that lock several rows of one user in
    // different orders would wait for each other.
    let live = sessions::table
        .filter(sessions::user_id.eq(user.0))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(seconds(now)))
        .order(sessions::id)
        .select(sessions::id)
        .load::<String>(connection)?;
    let mut ended = Vec::new();
    for id in live {
        let id = id.parse().map_err(|_| StoreError::Corrupt("a session id of another form"))?;
        if spared != Some(id) && revoke(connection, id, because, now)? {
            ended.push(id);
        }
    }
    Ok(ended)
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

/// Returns a user's sign-ins that were neither revoked nor reached their absolute end, the last used first.
///
/// # Errors
/// If the database cannot read.
pub fn live_of_user(
    connection: &mut Connection,
    user: UserId,
    now: OffsetDateTime,
) -> Result<Vec<Session>, StoreError> {
    let rows = sessions::table
        .filter(sessions::user_id.eq(user.0))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(seconds(now)))
        .order(sessions::last_seen_at.desc())
        .select(SessionRow::as_select())
        .load(connection)?;
    rows.into_iter().map(Session::try_from).collect()
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
