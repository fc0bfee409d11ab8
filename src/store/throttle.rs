//! How many tries to sign in failed, and how many forms a client address has sent: counters that all processes share.
//!
//! What they mean is decided by [`crate::domain::throttle`]. A try is counted in the transaction that decides that it is
//! allowed, with the rows locked, before its password is hashed: of any number of parallel tries, at any number of
//! processes, no more are let through than one after the other would have been.
//!
//! A row is found by a hash of what it counts, so that no backup holds the addresses of people who have no account here.
//! What is no e-mail address is counted by nothing but the client address and all: it may be a password that was typed
//! into the wrong field, and has no account.
//!
//! Rows are locked in one order everywhere (device, account, client address, all), so that no two transactions wait for
//! each other.

use std::net::IpAddr;

use diesel::prelude::*;
use time::{Duration, OffsetDateTime};

use super::Connection;
use super::connection::natively;
use super::error::StoreError;
use super::schema::throttle_counters;
use super::throttle_keys::{account_key, address_text, device_key, form_key, key};
use super::times::{moment, seconds};
use crate::domain::id::DeviceId;
use crate::domain::throttle::{
    Counted, Failures, Limit, SIGN_INS_BY_ADDRESS, SIGN_INS_OF_ALL, SignInTries, Verdict, Window, counted_by,
    judge_form, judge_sign_in, with_another,
};
use crate::domain::user::Email;

/// How long the failures of an address without an account are kept. Those of an account stay until it has a success: no
/// more than a hundred in a row may be wrong, however slowly somebody guesses.
const KEPT_WITHOUT_ACCOUNT: Duration = Duration::days(180);

/// How long a device is known after its last sign-in: as long as its cookie.
const DEVICE_KEPT: Duration = Duration::days(365);

/// How long a counter that was reset stays: others may be waiting for its row.
const KEPT_AFTER_RESET: Duration = Duration::days(1);

/// How often a row that was deleted while it was waited for is made again.
const ATTEMPTS: u32 = 3;

/// A counter: how many, and when the last or the first was.
type Counter = (i64, i64);

/// What tries to sign in are counted by, as the hashes that stand for it.
#[derive(Clone)]
pub struct SignInKeys {
    device: Option<Vec<u8>>,
    account: Option<Vec<u8>>,
    address: Option<Vec<u8>>,
    all: Vec<u8>,
}

impl SignInKeys {
    /// Names the counters of a try with an e-mail address, by a device, from a client address.
    pub fn new(email: Option<&Email>, device: Option<DeviceId>, address: Option<IpAddr>) -> Self {
        let account = email.map(account_key);
        let device = account.as_ref().zip(device).map(|(account, device)| device_key(account, device));
        let address = address.map(|address| key("sign-ins by address", &[address_text(address).as_bytes()]));
        Self { device, account, address, all: key("sign-ins of all", &[]) }
    }
}

impl std::fmt::Debug for SignInKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignInKeys")
    }
}

/// A try that was counted as a failure before its password is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedTry {
    /// By what.
    pub by: Counted,
    /// Failures in a row of the account with this one; 0 where they are not counted.
    pub failures: u32,
}

/// Returns what was counted, without taking a lock: for refusing tries cheaply.
///
/// # Errors
/// If the database has no answer.
pub fn sign_in_tries(connection: &mut Connection, keys: &SignInKeys) -> Result<SignInTries, StoreError> {
    let columns = (throttle_counters::key_hash, throttle_counters::tries, throttle_counters::counted_at);
    let all = Some(keys.all.clone());
    let counter =
        |key: &Option<Vec<u8>>| throttle_counters::table.find(key.clone().unwrap_or_default()).select(columns);
    // Not by `or` or `eq_any`: SQLite would make a table of what it found, and prepare a list of any length each time.
    let wanted = counter(&keys.device).union_all(counter(&keys.account)).union_all(counter(&keys.address));
    let rows: Vec<(Vec<u8>, i64, i64)> = natively!(connection, held => wanted.union_all(counter(&all)).load(held))?;
    let find = |key: &Option<Vec<u8>>| {
        let row = rows.iter().find(|(found, ..)| Some(found) == key.as_ref());
        row.map(|(_, tries, at)| (*tries, *at))
    };
    tries_of(find(&keys.device), find(&keys.account), find(&keys.address), find(&all))
}

/// Counts a try as a failure if the rules allow it, or returns why not; call it before the password is looked at, and
/// [`succeeded`] or [`give_back`] after that.
///
/// # Errors
/// If the database cannot write.
pub fn count_sign_in(
    connection: &mut Connection,
    keys: &SignInKeys,
    has_account: bool,
    now: OffsetDateTime,
) -> Result<Result<CountedTry, Verdict>, StoreError> {
    let device = keys.device.as_deref().map(|key| find_locked(connection, key)).transpose()?.flatten();
    let alone = tries_of(device, None, None, None)?;
    if counted_by(&alone) == Counted::ByDevice {
        add_to_device(connection, keys, alone, now)?;
        return Ok(Ok(CountedTry { by: Counted::ByDevice, failures: 0 }));
    }
    let account = keys.account.as_deref().map(|key| lock_or_insert(connection, key, now)).transpose()?;
    let address = keys.address.as_deref().map(|key| lock_or_insert(connection, key, now)).transpose()?;
    let all = lock_or_insert(connection, &keys.all, now)?;
    let tries = tries_of(device, account, address, Some(all))?;
    match judge_sign_in(&tries, now) {
        Verdict::Try => {}
        refused => return Ok(Err(refused)),
    }
    if device.is_some() {
        add_to_device(connection, keys, alone, now)?;
    }
    let failures = tries.account.map_or(0, |failures| failures.count.saturating_add(1));
    if let Some(key) = &keys.account {
        let expires = (!has_account).then(|| now + KEPT_WITHOUT_ACCOUNT);
        update(connection, key, (failures, now), expires)?;
    }
    if let Some(key) = &keys.address {
        update_window(connection, key, tries.address, SIGN_INS_BY_ADDRESS, now)?;
    }
    update_window(connection, &keys.all, tries.all, SIGN_INS_OF_ALL, now)?;
    Ok(Ok(CountedTry { by: Counted::AsStranger, failures }))
}

/// Takes a counted try back that was none: nobody looked at the password.
///
/// # Errors
/// If the database cannot write.
pub fn give_back(connection: &mut Connection, keys: &SignInKeys, counted: CountedTry) -> Result<(), StoreError> {
    let (device, stranger) = (keys.device.as_ref(), counted.by == Counted::AsStranger);
    let others = [keys.account.as_ref(), keys.address.as_ref(), Some(&keys.all)];
    for key in device.into_iter().chain(others.into_iter().flatten().filter(|_| stranger)) {
        take_one(connection, key)?;
    }
    Ok(())
}

/// Resets the counters of an account, because its owner is in, and knows their device from now on, if they are at one; call
/// it in the transaction that begins the session.
///
/// # Errors
/// If the database cannot write.
pub fn succeeded(
    connection: &mut Connection,
    email: &Email,
    device: Option<DeviceId>,
    counted: Option<(&SignInKeys, CountedTry)>,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    if let Some(device) = device {
        know(connection, email, device, now)?;
    }
    reset(connection, &account_key(email), now)?;
    if let Some((keys, CountedTry { by: Counted::AsStranger, .. })) = counted {
        for key in keys.address.iter().chain([&keys.all]) {
            take_one(connection, key)?;
        }
    }
    Ok(())
}

/// Tells whether a device has signed in to the account with an address within the last year.
///
/// # Errors
/// If the database has no answer.
pub fn knows(
    connection: &mut Connection,
    email: &Email,
    device: DeviceId,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let row = throttle_counters::table.find(device_key(&account_key(email), device));
    let live = row.filter(throttle_counters::expires_at.gt(seconds(now)));
    let found: Option<Option<Vec<u8>>> =
        live.select(throttle_counters::account_hash).get_result(connection).optional()?;
    Ok(found.flatten().is_some())
}

/// Notes that a device belongs to the owner of the account with an address.
///
/// # Errors
/// If the database cannot write.
pub fn know(
    connection: &mut Connection,
    email: &Email,
    device: DeviceId,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let account = account_key(email);
    let key = device_key(&account, device);
    insert_missing(connection, &key, now)?;
    let known = (
        throttle_counters::account_hash.eq(&account),
        throttle_counters::tries.eq(0),
        throttle_counters::counted_at.eq(seconds(now)),
        throttle_counters::expires_at.eq(seconds(now + DEVICE_KEPT)),
    );
    diesel::update(throttle_counters::table.find(key)).set(known).execute(connection)?;
    Ok(())
}

/// Resets the counters of an account and those of the devices that it knows; returns whether anything was counted.
///
/// A new password and an operator's word call for it: from then on, the next try is the first.
///
/// # Errors
/// If the database cannot write.
pub fn clear(connection: &mut Connection, email: &Email, now: OffsetDateTime) -> Result<bool, StoreError> {
    let account = account_key(email);
    let devices = throttle_counters::table.filter(throttle_counters::account_hash.eq(&account));
    let spent = devices.filter(throttle_counters::tries.gt(0));
    let devices = diesel::update(spent).set(throttle_counters::tries.eq(0)).execute(connection)?;
    Ok(reset(connection, &account, now)? || devices > 0)
}

/// Counts a form of a kind that strangers may send by the client address, or returns when the next one may be sent.
///
/// # Errors
/// If the database cannot write.
pub fn count_form(
    connection: &mut Connection,
    kind: &'static str,
    address: IpAddr,
    limit: Limit,
    now: OffsetDateTime,
) -> Result<Verdict, StoreError> {
    let key = form_key(kind, address);
    let sent = window(Some(lock_or_insert(connection, &key, now)?))?;
    let verdict = judge_form(sent, limit, now);
    if verdict == Verdict::Try {
        update_window(connection, &key, sent, limit, now)?;
    }
    Ok(verdict)
}

/// Tells when the next form of a kind may be sent from a client address, without taking a lock.
///
/// # Errors
/// If the database has no answer.
pub fn forms_sent(
    connection: &mut Connection,
    kind: &'static str,
    address: IpAddr,
) -> Result<Option<Window>, StoreError> {
    let row = throttle_counters::table.find(form_key(kind, address));
    window(row.select((throttle_counters::tries, throttle_counters::counted_at)).get_result(connection).optional()?)
}

/// Deletes at most `limit` counters that were of no use any more at `before`; returns how many.
///
/// # Errors
/// If the database cannot write.
pub fn delete_expired(connection: &mut Connection, before: OffsetDateTime, limit: i64) -> Result<usize, StoreError> {
    let listed = diesel::alias!(throttle_counters as listed);
    let over = listed
        .filter(listed.field(throttle_counters::expires_at).lt(seconds(before)))
        .order(listed.field(throttle_counters::expires_at))
        .select(listed.field(throttle_counters::key_hash))
        .limit(limit);
    Ok(diesel::delete(throttle_counters::table.filter(throttle_counters::key_hash.eq_any(over))).execute(connection)?)
}

fn tries_of(
    device: Option<Counter>,
    account: Option<Counter>,
    address: Option<Counter>,
    all: Option<Counter>,
) -> Result<SignInTries, StoreError> {
    let failures = |counter: Option<Counter>| {
        let failures = counter.map(|(tries, at)| Ok(Failures { count: count(tries), last_at: moment(at)? }));
        failures.transpose().map_err(|error: StoreError| error)
    };
    Ok(SignInTries {
        known_device: failures(device)?,
        account: failures(account)?,
        address: window(address)?,
        all: window(all)?,
    })
}

fn window(counter: Option<Counter>) -> Result<Option<Window>, StoreError> {
    counter.map(|(tries, at)| Ok(Window { count: count(tries), began_at: moment(at)? })).transpose()
}

fn count(tries: i64) -> u32 {
    u32::try_from(tries).unwrap_or(u32::MAX)
}

/// Returns a counter and keeps it from being changed by anybody else until the transaction ends.
fn find_locked(connection: &mut Connection, key: &[u8]) -> Result<Option<Counter>, StoreError> {
    let row = throttle_counters::table.find(key).select((throttle_counters::tries, throttle_counters::counted_at));
    Ok(match connection {
        // The writer's transaction holds the lock on all of the file already.
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(file) => row.get_result(file).optional()?,
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => row.for_update().get_result(server).optional()?,
    })
}

fn lock_or_insert(connection: &mut Connection, key: &[u8], now: OffsetDateTime) -> Result<Counter, StoreError> {
    for _ in 0..ATTEMPTS {
        insert_missing(connection, key, now)?;
        if let Some(counter) = find_locked(connection, key)? {
            return Ok(counter);
        }
    }
    Err(StoreError::Unavailable("a counter is deleted again and again".into()))
}

/// Makes sure that there is a row; whoever makes it at the same time is waited for.
fn insert_missing(connection: &mut Connection, key: &[u8], now: OffsetDateTime) -> Result<(), StoreError> {
    let row = (
        throttle_counters::key_hash.eq(key),
        throttle_counters::tries.eq(0),
        throttle_counters::counted_at.eq(seconds(now)),
        throttle_counters::expires_at.eq(seconds(now + KEPT_AFTER_RESET)),
    );
    let row = diesel::insert_into(throttle_counters::table).values(row);
    match connection {
        #[cfg(feature = "sqlite")]
        Connection::Sqlite(file) => row.on_conflict_do_nothing().execute(file)?,
        #[cfg(feature = "postgres")]
        Connection::Postgres(server) => row.on_conflict_do_nothing().execute(server)?,
    };
    Ok(())
}

fn add_to_device(
    connection: &mut Connection,
    keys: &SignInKeys,
    tries: SignInTries,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let (Some(key), Some(failures)) = (&keys.device, tries.known_device) else { return Ok(()) };
    let counter = (
        throttle_counters::tries.eq(i64::from(failures.count.saturating_add(1))),
        throttle_counters::counted_at.eq(seconds(now)),
    );
    diesel::update(throttle_counters::table.find(key)).set(counter).execute(connection)?;
    Ok(())
}

fn update_window(
    connection: &mut Connection,
    key: &[u8],
    before: Option<Window>,
    limit: Limit,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let Window { count, began_at } = with_another(before, limit, now);
    update(connection, key, (count, began_at), Some(began_at + limit.within))
}

fn update(
    connection: &mut Connection,
    key: &[u8],
    (tries, at): (u32, OffsetDateTime),
    expires: Option<OffsetDateTime>,
) -> Result<(), StoreError> {
    let counter = (
        throttle_counters::tries.eq(i64::from(tries)),
        throttle_counters::counted_at.eq(seconds(at)),
        throttle_counters::expires_at.eq(expires.map(seconds)),
    );
    diesel::update(throttle_counters::table.find(key)).set(counter).execute(connection)?;
    Ok(())
}

fn take_one(connection: &mut Connection, key: &[u8]) -> Result<(), StoreError> {
    let counted = throttle_counters::table.find(key).filter(throttle_counters::tries.gt(0));
    diesel::update(counted).set(throttle_counters::tries.eq(throttle_counters::tries - 1)).execute(connection)?;
    Ok(())
}

/// Sets the counter of an account to nothing, and lets it go; returns whether there was something.
fn reset(connection: &mut Connection, account: &[u8], now: OffsetDateTime) -> Result<bool, StoreError> {
    let counted = throttle_counters::table.find(account).filter(throttle_counters::tries.gt(0));
    let nothing = (throttle_counters::tries.eq(0), throttle_counters::expires_at.eq(seconds(now + KEPT_AFTER_RESET)));
    Ok(diesel::update(counted).set(nothing).execute(connection)? == 1)
}
