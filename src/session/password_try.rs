//! A password that somebody enters: counted before it is looked at, so that nobody guesses it.

use time::{Duration, OffsetDateTime};

use super::error::SessionError;
use super::notices::address_in_words;
use super::sessions::Sessions;
use super::turns::Turn;
use crate::crypto::Verification;
use crate::display::duration::roughly;
use crate::display::time::DisplayTime;
use crate::domain::client::Client;
use crate::domain::event::{Event, EventType};
use crate::domain::id::DeviceId;
use crate::domain::password::Password;
use crate::domain::password_quality::Weakness;
use crate::domain::throttle::{Lock, Verdict, counted_address, judge_sign_in, lock_after};
use crate::domain::user::{Email, User};
use crate::mail::messages::{LockNotice, TimeWords};
use crate::store::changes::Change;
use crate::store::outbox::{self, NewMail};
use crate::store::throttle::{self, CountedTry, SignInKeys};
use crate::store::{Connection, StoreError, events, users};

/// Why a try is not looked at; the answer is the same whether there is such an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throttled {
    /// The account is locked for so long.
    Locked(Duration),
    /// The account is locked until its owner does something else than trying again.
    LockedForStrangers,
    /// Too many tries came from there, or from everywhere; there is room again after so long.
    TooMany(Duration),
}

impl Throttled {
    /// Returns how long to wait before the next try.
    pub fn wait(self) -> Duration {
        match self {
            Self::Locked(wait) | Self::TooMany(wait) => wait,
            Self::LockedForStrangers => Lock::ForStrangers.wait(),
        }
    }

    /// Understands a verdict at `now`; nothing if the try is allowed.
    pub(super) fn of(verdict: Verdict, now: OffsetDateTime) -> Option<Self> {
        let wait = |until: OffsetDateTime| (until - now).max(Duration::SECOND);
        match verdict {
            Verdict::Try => None,
            Verdict::Locked(until) => Some(Self::Locked(wait(until))),
            Verdict::LockedForStrangers => Some(Self::LockedForStrangers),
            Verdict::TooMany(until) => Some(Self::TooMany(wait(until))),
        }
    }
}

/// What came of a password that somebody entered.
#[derive(Debug)]
pub enum PasswordOutcome {
    /// It is the right one, of an account that is active.
    Right(Box<ProvenPassword>),
    /// It is not, or there is no such account, or it is not active.
    Refused,
    /// It was not looked at.
    Throttled(Throttled),
}

/// A password that was right, of an account that is active.
#[derive(Clone)]
pub struct ProvenPassword {
    /// Whose it is.
    pub user: User,
    /// The hash that it was verified against, or that has taken its place.
    pub hash: String,
    /// What makes it too easy to guess: its owner is to be told to change it.
    pub weakness: Option<Weakness>,
    email: Email,
    device: Option<DeviceId>,
    keys: SignInKeys,
    counted: CountedTry,
    _turn: Turn,
}

impl ProvenPassword {
    /// Tells whether the account does not know the device yet; ask before [`succeeded`](Self::succeeded).
    ///
    /// A program has no cookie to be known by: from each client address and by each name, it is new once.
    ///
    /// # Errors
    /// If the database has no answer.
    pub(super) fn is_from_new_device(
        &self,
        connection: &mut Connection,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<bool, StoreError> {
        is_new_device(connection, &self.email, self.device, client, now)
    }

    /// Resets what was counted against the account, and knows the device from now on; call it in the transaction of what
    /// the password was asked for.
    ///
    /// # Errors
    /// If the database cannot write.
    pub fn succeeded(&self, connection: &mut Connection, now: OffsetDateTime) -> Result<(), StoreError> {
        throttle::succeeded(connection, &self.email, self.device, Some((&self.keys, self.counted)), now)
    }
}

/// Tells whether an account does not know a device yet, and knows a program that has no cookie to be known by from now on.
pub(super) fn is_new_device(
    connection: &mut Connection,
    email: &Email,
    device: Option<DeviceId>,
    client: &Client,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    if let Some(device) = device {
        return Ok(!throttle::knows(connection, email, device, now)?);
    }
    let address = client.address.map(|address| counted_address(address).to_string()).unwrap_or_default();
    let program = DeviceId::of_program(&address, &client.user_agent);
    let new = !throttle::knows(connection, email, program, now)?;
    throttle::know(connection, email, program, now)?;
    Ok(new)
}

impl std::fmt::Debug for ProvenPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProvenPassword")
    }
}

impl Sessions {
    /// Looks at a password that somebody entered, unless too many were wrong.
    ///
    /// A try that is throttled costs one read of the database and no hash. One that is allowed is counted as a failure in
    /// the transaction that allows it, before it is hashed, and taken back once it is known to be right: parallel tries gain
    /// nothing.
    ///
    /// Every refusal costs one hash of the current cost: an unknown address, a wrong password, whatever its stored hash
    /// costs, and an account that is not active. So time tells nobody which accounts exist.
    ///
    /// # Errors
    /// If the database or the password pool has no answer.
    pub async fn try_password(
        &self,
        email: Option<Email>,
        password: Password,
        device: Option<DeviceId>,
        client: &Client,
    ) -> Result<PasswordOutcome, SessionError> {
        let keys = SignInKeys::new(email.as_ref(), device, client.address);
        let (read_keys, read_email, now) = (keys.clone(), email.clone(), self.now());
        let read = self.parts.database.read(move |connection| {
            let tries = throttle::sign_in_tries(connection, &read_keys)?;
            if let Some(throttled) = Throttled::of(judge_sign_in(&tries, now), now) {
                return Ok(Err(throttled));
            }
            read_email.map_or(Ok(None), |email| users::find_with_password(connection, &email)).map(Ok)
        });
        let found = match read.await? {
            Ok(found) => found,
            Err(throttled) => return Ok(self.throttle(throttled)),
        };
        let turn = self.turns.take(email.as_ref()).await?;
        let slot = self.parts.passwords.slot().await?;
        let counted = match self.count(keys.clone(), found.is_some()).await? {
            Ok(counted) => counted,
            Err(throttled) => return Ok(self.throttle(throttled)),
        };
        let (user, stored) = found.unzip();
        let active = user.as_ref().filter(|user| user.is_active);
        let own = active.map(|user| self.own_words(&user.full_name, &user.email));
        let (verification, weakness) = match slot.verify_and_judge(password.clone(), stored.clone(), own).await {
            Ok(judged) => judged,
            Err(error) => {
                self.give_back(keys, counted).await;
                return Err(error.into());
            }
        };
        let (Some(user), Some(mut hash), Some(email)) = (user, stored, email) else {
            return self.refuse(None, "unknown_account", client, counted).await;
        };
        match verification {
            Verification::Wrong => return self.refuse(Some(&user), "wrong_password", client, counted).await,
            Verification::Right | Verification::RightButOutdated if !user.is_active => {
                return self.refuse(Some(&user), "deactivated", client, counted).await;
            }
            Verification::Right => {}
            Verification::RightButOutdated => match self.renew_hash(user.id, password, hash).await {
                Ok(renewed) => hash = renewed,
                Err(error) => {
                    self.give_back(keys, counted).await;
                    return Err(error);
                }
            },
        }
        Ok(PasswordOutcome::Right(Box::new(ProvenPassword {
            user,
            hash,
            weakness,
            email,
            device,
            keys,
            counted,
            _turn: turn,
        })))
    }

    /// Counts a try as a failure, or tells why it is not looked at.
    async fn count(&self, keys: SignInKeys, has_account: bool) -> Result<Result<CountedTry, Throttled>, SessionError> {
        let now = self.now();
        let counted = self.write(move |connection| {
            Ok((throttle::count_sign_in(connection, &keys, has_account, now)?, Vec::<Change>::new()))
        });
        // A verdict other than to try is a reason.
        Ok(counted.await?.map_err(|verdict| Throttled::of(verdict, now).unwrap_or(Throttled::LockedForStrangers)))
    }

    /// Refuses to look at a password.
    fn throttle(&self, throttled: Throttled) -> PasswordOutcome {
        self.counts.throttled.add();
        PasswordOutcome::Throttled(throttled)
    }

    /// Takes back a try that nobody could look at. Where that fails, it stays counted: it may be the fifth in an outage.
    async fn give_back(&self, keys: SignInKeys, counted: CountedTry) {
        let given =
            self.write(move |connection| Ok((throttle::give_back(connection, &keys, counted)?, Vec::<Change>::new())));
        if let Err(error) = given.await {
            tracing::warn!(%error, "a try whose password nobody could look at stays counted");
        }
    }

    /// Refuses a password that was looked at, and tells of the lock that begins with it.
    async fn refuse(
        &self,
        user: Option<&User>,
        reason: &'static str,
        client: &Client,
        counted: CountedTry,
    ) -> Result<PasswordOutcome, SessionError> {
        self.note_refusal(user, reason, client, lock_after(counted.failures)).await?;
        Ok(PasswordOutcome::Refused)
    }

    /// Writes down that a sign-in was refused, and that the account is locked from now on, if it is.
    async fn note_refusal(
        &self,
        user: Option<&User>,
        reason: &'static str,
        client: &Client,
        lock: Option<Lock>,
    ) -> Result<(), SessionError> {
        // What is no account's address may be a password that was typed into the wrong field.
        let email = user.map(|user| &*user.email);
        tracing::warn!(address = client.address_text(), reason, email, "a sign-in was refused");
        let (now, id) = (self.now(), user.map(|user| user.id));
        let failed = Event::new(EventType::SignInFailed, id, client, now).because(reason);
        let locked = lock.map(|_| Event::new(EventType::AccountLocked, id, client, now));
        let told = user.zip(lock).filter(|(user, lock)| user.is_active && lock.is_worth_a_mail());
        let notice = told.and_then(|(user, lock)| self.lock_notice(user, lock, client, now));
        let mailed = self.write(move |connection| {
            if let Some(user) = id
                && users::lock_row(connection, user)?.is_none()
            {
                // The account was deleted while the password was hashed.
                return Ok((false, Vec::<Change>::new()));
            }
            events::insert(connection, &failed)?;
            locked.map_or(Ok(()), |locked| events::insert(connection, &locked))?;
            let mailed = notice.map_or(Ok(false), |notice| outbox::insert_limited(connection, &notice, now))?;
            Ok((mailed, Vec::<Change>::new()))
        });
        if mailed.await? {
            self.parts.database.wake_outbox();
        }
        Ok(())
    }

    /// Refuses a password that was right when it was looked at, and is not any more.
    pub(crate) async fn refuse_outdated(&self, proven: &ProvenPassword, client: &Client) -> Result<(), SessionError> {
        let lock = lock_after(proven.counted.failures);
        self.note_refusal(Some(&proven.user), "changed_meanwhile", client, lock).await
    }

    /// Writes the mail that tells an owner of a lock; nothing where that is impossible, which is logged.
    fn lock_notice(&self, user: &User, lock: Lock, client: &Client, now: OffsetDateTime) -> Option<NewMail> {
        let at = DisplayTime::new(now, now);
        let wait = match lock {
            Lock::For(wait) => Some(roughly(wait)),
            Lock::ForStrangers => None,
        };
        let notice = LockNotice {
            at: TimeWords { iso: &at.iso, words: &at.words },
            address: &address_in_words(client),
            wait: wait.as_deref(),
            site_url: self.parts.public_url.as_str(),
        };
        self.write_notice(user, &notice, now)
    }
}
