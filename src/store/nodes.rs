//! The processes on one database, and the key that signs there.
//!
//! Whatever joins, renews, moves or drops locks the one row of `signing_key` first (a file's one writer does that by
//! itself), so that each of them sees what the one before decided. The rules are in [`crate::domain::signing_key`].

use diesel::prelude::*;
use time::OffsetDateTime;

use super::Connection;
use super::error::StoreError;
use super::migrations::version_before_may_run;
use super::schema::{dropped_keys, nodes, sessions, signing_key};
use super::times::{database_clock, moment, seconds};
use crate::domain::id::NodeId;
use crate::domain::key_id::KeyId;
use crate::domain::node::{Announcement, Node};
use crate::domain::signing_key::{DropRefusal, KeyRefusal, KeyStanding, admit, key_after_drop, key_that_signs};

/// The one row of `signing_key`.
const THE_ROW: i64 = 1;

/// What became of a process that wants to join, or to stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// It counts as live; every key that signs from now on is one that it has.
    Joined(Joined),
    /// It may not, and nothing was written.
    Refused {
        /// Why.
        refusal: KeyRefusal,
        /// What the database says of keys.
        standing: KeyStanding,
    },
}

/// What a process that is live has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// What the database says of keys.
    pub standing: KeyStanding,
    /// Whether the key that signs is another one since this call.
    pub moved: bool,
    /// Every process, this one included, and those that have fallen silent lately.
    pub nodes: Vec<Node>,
    /// What the clock of a server says; a file has none of its own.
    pub clock: Option<OffsetDateTime>,
}

/// Who runs on a database and which key signs there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// The live processes, in the order in which they started.
    pub nodes: Vec<Node>,
    /// What the database says of keys.
    pub standing: KeyStanding,
    /// Whether there is any sign-in that was not ended.
    pub anybody_signed_in: bool,
    /// The clock of the database, by which leases run.
    pub now: OffsetDateTime,
}

impl Overview {
    /// Tells whether a process with these keys could join, and why not; nothing is written.
    ///
    /// # Errors
    /// The reason, for people.
    pub fn admit(&self, keys: &[KeyId]) -> Result<(), KeyRefusal> {
        admit(keys, &self.nodes, &self.standing, self.anybody_signed_in)
    }

    /// Returns the key without which the sign-ins here cannot be opened, if there are any.
    pub fn key_in_use(&self) -> Option<KeyId> {
        self.standing.signing().filter(|_| self.anybody_signed_in)
    }
}

/// What became of a key that was to be dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DropOutcome {
    /// It opens nothing any more.
    Dropped {
        /// The key that signs now; none where no process is live to have one.
        signing: Option<KeyId>,
        /// How many live processes have the dropped key.
        held_by: usize,
        /// Whether a process of the version before, which heeds no drop, may run.
        version_before_may_run: bool,
    },
    /// Nothing was changed.
    Refused(DropRefusal),
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = nodes)]
struct NodeRow {
    id: String,
    version: String,
    key_ids: String,
    lifetimes: String,
    capabilities: String,
    host: String,
    pid: i64,
    started_at: i64,
    heard_at: i64,
}

impl TryFrom<NodeRow> for Node {
    type Error = StoreError;

    fn try_from(row: NodeRow) -> Result<Self, StoreError> {
        Ok(Self {
            announced: Announcement {
                id: row.id.parse().map_err(|_| StoreError::Corrupt("a node id of another form"))?,
                version: row.version,
                keys: row.key_ids.split_whitespace().map(key).collect::<Result<_, _>>()?,
                lifetimes: row.lifetimes,
                capabilities: row.capabilities,
                host: row.host,
                pid: u32::try_from(row.pid).unwrap_or_default(),
            },
            started_at: moment(row.started_at)?,
            heard_at: moment(row.heard_at)?,
        })
    }
}

impl NodeRow {
    fn new(node: &Announcement, started_at: OffsetDateTime, now: OffsetDateTime) -> Self {
        Self {
            id: node.id.to_string(),
            version: node.version.clone(),
            key_ids: node.keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            lifetimes: node.lifetimes.clone(),
            capabilities: node.capabilities.clone(),
            host: node.host.clone(),
            pid: i64::from(node.pid),
            started_at: seconds(started_at),
            heard_at: seconds(now),
        }
    }
}

fn key(text: &str) -> Result<KeyId, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt("a key id of another form"))
}

/// Lets a process join, unless it would sign people out.
///
/// Whoever has run out and could hold no key back is removed on the way, so that a process which is killed and started
/// again and again leaves few rows.
///
/// # Errors
/// If the database cannot write.
pub fn join(connection: &mut Connection, node: &Announcement) -> Result<Membership, StoreError> {
    let standing = lock(connection)?;
    let now = clock(connection)?;
    let (live, over): (Vec<_>, Vec<_>) = list(connection)?.into_iter().partition(|other| other.is_live(now));
    if let Some(refused) = refuse(connection, node, &live, &standing)? {
        return Ok(refused);
    }
    for other in over.iter().filter(|other| node.keys.iter().all(|key| other.announced.knows(*key))) {
        remove(connection, other.announced.id, other.heard_at)?;
    }
    diesel::insert_into(nodes::table).values(NodeRow::new(node, now, now)).execute(connection)?;
    move_key(connection, standing)
}

/// Renews the lease of a process, removes those who are `silent` (with the last that was heard of them) and whose lease has
/// run out, and moves the signing key where it is to move.
///
/// A process whose row is gone joins again, as one that started at `started_at`: its lease had run out, and the key may
/// have moved meanwhile to one that it lacks.
///
/// # Errors
/// If the database cannot write; the lease is as good as before.
pub fn heartbeat(
    connection: &mut Connection,
    node: &Announcement,
    started_at: Option<OffsetDateTime>,
    silent: &[(NodeId, OffsetDateTime)],
) -> Result<Membership, StoreError> {
    let standing = lock(connection)?;
    let now = clock(connection)?;
    let others = list(connection)?;
    let mine = nodes::table.find(node.id.to_string());
    if diesel::update(mine).set(nodes::heard_at.eq(seconds(now))).execute(connection)? == 0 {
        let live: Vec<_> = others.iter().filter(|other| other.is_live(now)).cloned().collect();
        if let Some(refused) = refuse(connection, node, &live, &standing)? {
            return Ok(refused);
        }
        let row = NodeRow::new(node, started_at.unwrap_or(now), now);
        diesel::insert_into(nodes::table).values(row).execute(connection)?;
    }
    for other in others.iter().filter(|other| other.announced.id != node.id && !other.is_live(now)) {
        if silent.contains(&(other.announced.id, other.heard_at)) {
            remove(connection, other.announced.id, other.heard_at)?;
        }
    }
    move_key(connection, standing)
}

/// Takes a process off that ends.
///
/// # Errors
/// If the database cannot write; its lease then runs out by itself.
pub fn leave(connection: &mut Connection, id: NodeId) -> Result<(), StoreError> {
    diesel::delete(nodes::table.find(id.to_string())).execute(connection)?;
    Ok(())
}

/// Drops a key: whatever it signed opens nothing from now on, with any process.
///
/// Where it signs, another takes its place that every live process has.
///
/// # Errors
/// If the database cannot write.
pub fn drop_key(connection: &mut Connection, key: KeyId) -> Result<DropOutcome, StoreError> {
    let mut standing = lock(connection)?;
    let now = clock(connection)?;
    let live: Vec<_> = list(connection)?.into_iter().filter(|node| node.is_live(now)).collect();
    let signing = match key_after_drop(key, &live, &standing) {
        Ok(signing) => signing,
        Err(refusal) => return Ok(DropOutcome::Refused(refusal)),
    };
    if !standing.is_dropped(key) {
        let row = (dropped_keys::key_id.eq(key.to_string()), dropped_keys::dropped_at.eq(seconds(now)));
        diesel::insert_into(dropped_keys::table).values(row).execute(connection)?;
    }
    if signing.is_some() && signing != standing.named {
        name(connection, &mut standing, signing, now)?;
    }
    Ok(DropOutcome::Dropped {
        signing,
        held_by: live.iter().filter(|node| node.announced.knows(key)).count(),
        version_before_may_run: version_before_may_run(connection)?,
    })
}

/// Returns what the database says of keys.
///
/// # Errors
/// If the database cannot read.
pub fn standing(connection: &mut Connection) -> Result<KeyStanding, StoreError> {
    let row = signing_key::table.find(THE_ROW).select((signing_key::key_id, signing_key::revision));
    let row = row.get_result::<(Option<String>, i64)>(connection).optional()?;
    with_dropped(connection, row)
}

/// Returns who runs on this database and which key signs, without a lock.
///
/// # Errors
/// If the database cannot read.
pub fn overview(connection: &mut Connection) -> Result<Overview, StoreError> {
    let now = clock(connection)?;
    Ok(Overview {
        nodes: list(connection)?.into_iter().filter(|node| node.is_live(now)).collect(),
        standing: standing(connection)?,
        anybody_signed_in: anybody_signed_in(connection)?,
        now,
    })
}

/// Returns since when the key that signs has signed, by the clock of the database; nothing if it never moved.
///
/// # Errors
/// If the database cannot read.
pub fn signing_since(connection: &mut Connection) -> Result<Option<OffsetDateTime>, StoreError> {
    let moved = signing_key::table.find(THE_ROW).select(signing_key::moved_at);
    moved.get_result::<Option<i64>>(connection).optional()?.flatten().map(moment).transpose()
}

/// Returns every process, in the order in which they started.
///
/// # Errors
/// If the database cannot read.
pub fn list(connection: &mut Connection) -> Result<Vec<Node>, StoreError> {
    let rows = nodes::table.order((nodes::started_at, nodes::id)).select(NodeRow::as_select()).load(connection)?;
    rows.into_iter().map(Node::try_from).collect()
}

fn refuse(
    connection: &mut Connection,
    node: &Announcement,
    live: &[Node],
    standing: &KeyStanding,
) -> Result<Option<Membership>, StoreError> {
    let admitted = admit(&node.keys, live, standing, anybody_signed_in(connection)?);
    Ok(admitted.err().map(|refusal| Membership::Refused { refusal, standing: standing.clone() }))
}

/// Moves the signing key where it is to move.
fn move_key(connection: &mut Connection, mut standing: KeyStanding) -> Result<Membership, StoreError> {
    let may_move = !version_before_may_run(connection)?;
    let nodes = list(connection)?;
    let signing = key_that_signs(&nodes, &standing, may_move);
    let moved = signing.is_some() && signing != standing.named;
    let now = clock(connection)?;
    if moved {
        name(connection, &mut standing, signing, now)?;
    }
    let clock = match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(_) => None,
        #[cfg(feature = "postgres")]
        Connection::Postgres(_) => Some(now),
    };
    Ok(Membership::Joined(Joined { standing, moved, nodes, clock }))
}

/// Names the key that signs from now on.
fn name(
    connection: &mut Connection,
    standing: &mut KeyStanding,
    signing: Option<KeyId>,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    diesel::update(signing_key::table.find(THE_ROW))
        .set((
            signing_key::key_id.eq(signing.map(|key| key.to_string())),
            signing_key::moved_at.eq(seconds(now)),
            signing_key::revision.eq(signing_key::revision + 1),
        ))
        .execute(connection)?;
    *standing = self::standing(connection)?;
    Ok(())
}

fn remove(connection: &mut Connection, id: NodeId, heard_at: OffsetDateTime) -> Result<(), StoreError> {
    let row = nodes::table.find(id.to_string()).filter(nodes::heard_at.eq(seconds(heard_at)));
    diesel::delete(row).execute(connection)?;
    Ok(())
}

/// Locks the row of the signing key to the end of the transaction, and returns what it says.
fn lock(connection: &mut Connection) -> Result<KeyStanding, StoreError> {
    let columns = (signing_key::key_id, signing_key::revision);
    loop {
        let row = signing_key::table.find(THE_ROW).select(columns);
        let row: Option<(Option<String>, i64)> = match connection {
            // The transaction of a write is IMMEDIATE: nobody else has one.
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(file) => row.get_result(file).optional()?,
            #[cfg(feature = "postgres")]
            Connection::Postgres(server) => row.for_update().get_result(server).optional()?,
        };
        if row.is_some() {
            return with_dropped(connection, row);
        }
        // Somebody took the row away; the migration made it.
        diesel::sql_query("INSERT INTO signing_key (id) VALUES (1) ON CONFLICT DO NOTHING").execute(connection)?;
    }
}

fn with_dropped(connection: &mut Connection, row: Option<(Option<String>, i64)>) -> Result<KeyStanding, StoreError> {
    let dropped = dropped_keys::table.order(dropped_keys::key_id).select(dropped_keys::key_id);
    let dropped = dropped.load::<String>(connection)?;
    let (named, revision) = row.unwrap_or_default();
    Ok(KeyStanding {
        named: named.as_deref().map(key).transpose()?,
        dropped: dropped.iter().map(|text| key(text)).collect::<Result<_, _>>()?,
        revision,
    })
}

/// Tells whether there is a sign-in that nobody ended. No clock is asked: one that is wrong would call them all expired.
fn anybody_signed_in(connection: &mut Connection) -> Result<bool, StoreError> {
    let live = sessions::table.filter(sessions::revoked_at.is_null());
    Ok(diesel::select(diesel::dsl::exists(live)).get_result(connection)?)
}

fn clock(connection: &mut Connection) -> Result<OffsetDateTime, StoreError> {
    moment(database_clock(connection)?)
}
