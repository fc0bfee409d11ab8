//! The statement of a rotation.

use diesel::backend::Backend;
#[cfg(feature = "postgres")]
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};

use super::Connection;
use super::connection::natively;
use super::error::StoreError;
use super::events;
use super::times::seconds;
use crate::domain::event::Event;
use crate::domain::session::Session;
use crate::domain::token::SecretHash;

/// Puts the row `after` in the place of `before` if that still stands as it was read and was not revoked:
/// compare-and-swap. An event goes with it.
///
/// What a device has proved since counts as a move of the row: a rotation without a proof that was decided before must not
/// undo it.
///
/// Returns whether it did; `false` means that somebody else was faster, and that the row must be read again. On a server
/// both are one statement, which commits by itself in one round trip.
///
/// # Errors
/// If the database cannot write.
pub fn swap(
    connection: &mut Connection,
    before: &Session,
    after: &Session,
    event: Option<&Event>,
) -> Result<bool, StoreError> {
    let swap = SwapStatement::new(before, after);
    let swapped = match (&mut *connection, event) {
        #[cfg(feature = "postgres")]
        (Connection::Postgres(server), Some(event)) => {
            SwapWithEvent { swap, event: events::EventRow::of(event)? }.execute(server)?
        }
        (connection, event) => {
            let swapped = natively!(&mut *connection, held => swap.execute(held))?;
            if let (1, Some(event)) = (swapped, event) {
                events::insert(connection, event)?;
            }
            swapped
        }
    };
    Ok(swapped == 1)
}

/// Stands in a comparison for a row that nobody has proved anything of.
const NEVER_PROVED: i64 = -1;

/// What [`swap`] runs, written out so that a connection prepares it once.
///
/// Diesel prepares each of its own `UPDATE`s anew, as it cannot know that their columns stay the same, and the one writer
/// has better things to do.
#[derive(QueryId)]
struct SwapStatement {
    id: String,
    generation: i64,
    token_hash: SecretHash,
    proved_generation: i64,
    next_generation: i64,
    next_hash: SecretHash,
    previous_hash: Option<Vec<u8>>,
    rotated_at: i64,
    last_seen_at: i64,
    address: String,
    device_key: Option<Vec<u8>>,
    next_proved_generation: Option<i64>,
}

impl SwapStatement {
    fn new(before: &Session, after: &Session) -> Self {
        Self {
            id: before.id.to_string(),
            generation: before.generation,
            token_hash: before.token_hash,
            proved_generation: before.proved_generation.unwrap_or(NEVER_PROVED),
            next_generation: after.generation,
            next_hash: after.token_hash,
            previous_hash: after.previous_hash.map(|hash| hash.as_bytes().to_vec()),
            rotated_at: seconds(after.rotated_at),
            last_seen_at: seconds(after.last_seen_at),
            address: after.address.clone(),
            device_key: after.device_key.map(|key| key.as_bytes().to_vec()),
            next_proved_generation: after.proved_generation,
        }
    }
}

impl<DB: Backend> QueryFragment<DB> for SwapStatement
where
    i64: ToSql<BigInt, DB>,
    str: ToSql<Text, DB>,
    [u8]: ToSql<Binary, DB>,
    Option<Vec<u8>>: ToSql<Nullable<Binary>, DB>,
    Option<i64>: ToSql<Nullable<BigInt>, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("UPDATE sessions SET generation = ");
        out.push_bind_param::<BigInt, _>(&self.next_generation)?;
        out.push_sql(", token_hash = ");
        out.push_bind_param::<Binary, [u8]>(self.next_hash.as_bytes())?;
        out.push_sql(", previous_hash = ");
        out.push_bind_param::<Nullable<Binary>, _>(&self.previous_hash)?;
        out.push_sql(", rotated_at = ");
        out.push_bind_param::<BigInt, _>(&self.rotated_at)?;
        // A use that was noted since the row was read may be later; this never moves back.
        out.push_sql(", last_seen_at = CASE WHEN last_seen_at > ");
        out.push_bind_param::<BigInt, _>(&self.last_seen_at)?;
        out.push_sql(" THEN last_seen_at ELSE ");
        out.push_bind_param::<BigInt, _>(&self.last_seen_at)?;
        out.push_sql(" END, address = ");
        out.push_bind_param::<Text, str>(&self.address)?;
        out.push_sql(", device_key = ");
        out.push_bind_param::<Nullable<Binary>, _>(&self.device_key)?;
        out.push_sql(", proved_generation = ");
        out.push_bind_param::<Nullable<BigInt>, _>(&self.next_proved_generation)?;
        out.push_sql(" WHERE id = ");
        out.push_bind_param::<Text, str>(&self.id)?;
        out.push_sql(" AND generation = ");
        out.push_bind_param::<BigInt, _>(&self.generation)?;
        out.push_sql(" AND token_hash = ");
        out.push_bind_param::<Binary, [u8]>(self.token_hash.as_bytes())?;
        out.push_sql(" AND coalesce(proved_generation, -1) = ");
        out.push_bind_param::<BigInt, _>(&self.proved_generation)?;
        out.push_sql(" AND revoked_at IS NULL");
        Ok(())
    }
}

impl<C> RunQueryDsl<C> for SwapStatement {}

/// A swap and its event in one statement, as PostgreSQL can: it inserts one row if the swap took place, and none if not.
#[cfg(feature = "postgres")]
#[derive(QueryId)]
struct SwapWithEvent {
    swap: SwapStatement,
    event: events::EventRow,
}

#[cfg(feature = "postgres")]
impl QueryFragment<Pg> for SwapWithEvent {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH swapped AS (");
        self.swap.walk_ast(out.reborrow())?;
        out.push_sql(" RETURNING id) INSERT INTO auth_events (user_id, event_type, details, created_at) SELECT ");
        out.push_bind_param::<Nullable<BigInt>, _>(&self.event.user_id)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, str>(self.event.event_type)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&self.event.details)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.event.created_at)?;
        out.push_sql(" FROM swapped");
        Ok(())
    }
}

#[cfg(feature = "postgres")]
impl RunQueryDsl<PgConnection> for SwapWithEvent {}
