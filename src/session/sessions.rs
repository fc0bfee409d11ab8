//! What every use case of a session needs, made once by the composition root.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::watch;

use super::counts::SessionCounts;
use super::error::SessionError;
use super::glances::Glances;
use super::identity::Reading;
use super::identity_cache::IdentityCache;
use super::last_seen::LastSeen;
use super::node_state::NodeState;
use super::recent_tries::{RecentTries, RenewalKey};
use super::turns::Turns;
use crate::crypto::{
    AccessTokens, ApiRefreshTokens, DeviceProofs, FirstSecrets, PasswordPool, RandomError, SignedValues,
};
use crate::domain::clock::Clock;
use crate::domain::id::{SessionId, UserId};
use crate::domain::password::Password;
use crate::domain::password_quality::{OwnWords, Weakness};
use crate::domain::public_url::PublicUrl;
use crate::domain::rotation::Circumstances;
use crate::domain::session::{Lifetimes, Session};
use crate::mail::MailTemplates;
use crate::store::changes::Change;
use crate::store::{Connection, Database, StoreError, nodes, sessions, users};

/// The shortest break that counts as one, however short the grace is: threads are late by some hundred milliseconds on a
/// busy machine.
const SHORTEST_BREAK: Duration = Duration::from_secs(1);

/// What the composition root brings.
pub struct SessionsParts {
    /// Where the rows are.
    pub database: Database,
    /// Where passwords are hashed.
    pub passwords: PasswordPool,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// How long everything lives.
    pub lifetimes: Lifetimes,
    /// The signature of the pages' access tokens.
    pub access_tokens: AccessTokens,
    /// The signature of the refresh cookie.
    pub refresh_cookie: SignedValues,
    /// The signature of the API's access tokens.
    pub api_access_tokens: AccessTokens,
    /// The signature of the API's refresh tokens.
    pub api_refresh_tokens: ApiRefreshTokens,
    /// The challenges and proofs of devices.
    pub device_proofs: DeviceProofs,
    /// What the first secret of a session is made from.
    pub first_secrets: FirstSecrets,
    /// The one origin, for links in mails.
    pub public_url: PublicUrl,
    /// What the site is called: no password may be made of it.
    pub site_name: String,
    /// What mails say.
    pub mail_templates: MailTemplates,
    /// Its place among the processes on the database.
    pub node: NodeState,
}

/// A write with what it changed, whatever its outcome is.
type AnyWrite = Box<dyn FnOnce(&mut Connection) -> Result<(Box<dyn Any + Send>, Vec<Change>), StoreError> + Send>;

/// The use cases of a session; clones share their state.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

/// The state that clones share.
pub struct Inner {
    pub(super) parts: SessionsParts,
    pub(super) cache: IdentityCache,
    pub(super) last_seen: LastSeen,
    pub(super) turns: Turns,
    pub(super) glances: Glances,
    pub(super) counts: SessionCounts,
    pub(super) renewals: RecentTries<RenewalKey>,
    pub(super) unproven: RecentTries<SessionId>,
    reissue_in_place: AtomicBool,
    /// Heard by whoever waits for the end of a session.
    changed: watch::Sender<()>,
}

impl std::ops::Deref for Sessions {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Sessions {
    /// Puts the parts together; nothing starts to run.
    ///
    /// # Errors
    /// If there are no random bytes.
    pub fn new(parts: SessionsParts) -> Result<Self, RandomError> {
        Ok(Self(Arc::new(Inner {
            cache: IdentityCache::new(parts.lifetimes.access)?,
            last_seen: LastSeen::default(),
            turns: Turns::default(),
            glances: Glances::new(),
            counts: SessionCounts::default(),
            renewals: RecentTries::of_renewals(),
            unproven: RecentTries::without_proof(),
            reissue_in_place: AtomicBool::new(true),
            changed: watch::Sender::new(()),
            parts,
        })))
    }

    /// Returns how long everything lives.
    pub fn lifetimes(&self) -> &Lifetimes {
        &self.parts.lifetimes
    }

    /// Returns the time it is.
    pub fn now(&self) -> OffsetDateTime {
        self.parts.clock.now()
    }

    /// Checks that the database answers, and takes writes or did within the last second.
    ///
    /// # Errors
    /// If it does not within two seconds.
    pub async fn ping(&self) -> Result<(), SessionError> {
        let writes = self.parts.database.check_writes(self.parts.clock.elapsed());
        let (read, written) = tokio::join!(self.has_accounts(), writes);
        read?;
        Ok(written?)
    }

    /// Tells whether there is any account yet.
    ///
    /// # Errors
    /// If the database has no answer.
    pub async fn has_accounts(&self) -> Result<bool, SessionError> {
        Ok(self.parts.database.read(users::any).await?)
    }

    /// Returns the row of a session; nothing where it is gone.
    ///
    /// # Errors
    /// If the database has no answer.
    pub async fn row(&self, session: SessionId) -> Result<Option<Session>, SessionError> {
        Ok(self.parts.database.read(move |connection| sessions::find(connection, session)).await?)
    }

    /// Returns where the rows are.
    pub fn database(&self) -> &Database {
        &self.parts.database
    }

    /// Returns the one origin, for links in mails.
    pub fn public_url(&self) -> &PublicUrl {
        &self.parts.public_url
    }

    /// Returns what this process has decided since its start.
    pub fn counts(&self) -> &SessionCounts {
        &self.counts
    }

    /// Returns where passwords are hashed.
    pub fn passwords(&self) -> &PasswordPool {
        &self.parts.passwords
    }

    /// Returns what mails say.
    pub(crate) fn mail_templates(&self) -> &MailTemplates {
        &self.parts.mail_templates
    }

    /// Returns where time comes from.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.parts.clock
    }

    /// Hashes a password that somebody chooses, in the pool, unless it is too easy to guess: every way to a new password
    /// leads through here.
    ///
    /// # Errors
    /// If too many are waiting there.
    pub async fn hash_chosen_password(
        &self,
        password: Password,
        full_name: &str,
        email: &str,
    ) -> Result<Result<String, Weakness>, SessionError> {
        Ok(self.parts.passwords.hash_chosen(password, self.own_words(full_name, email)).await?)
    }

    /// Returns what a password of somebody must not be made of.
    pub(super) fn own_words(&self, full_name: &str, email: &str) -> OwnWords {
        OwnWords::new(full_name, email, &self.parts.site_name, self.parts.public_url.host())
    }

    /// Returns how many changes this process remembers.
    #[cfg(feature = "internals")]
    pub fn known_changes(&self) -> usize {
        self.cache.epochs().count()
    }

    /// Returns how many rounds of bcrypt were computed so far.
    #[cfg(feature = "internals")]
    pub fn password_work(&self) -> u64 {
        self.parts.passwords.work()
    }

    /// Says whether a process of the version before may run on the same database; until then, it is taken for granted.
    pub fn set_reissue_in_place(&self, in_place: bool) {
        self.reissue_in_place.store(in_place, Ordering::SeqCst);
    }

    /// Tells whether a process of the version before may run on the same database.
    pub(super) fn reissues_in_place(&self) -> bool {
        self.reissue_in_place.load(Ordering::SeqCst)
    }

    /// Tells whether sign-ins are bound to their devices at this moment: every process that may run knows how, and is set to.
    pub fn binds(&self) -> bool {
        self.parts.node.binds() && !self.reissues_in_place()
    }

    /// Returns the shortest break of the process, or step of its clock, after which it judges nobody for a while: half the
    /// grace.
    pub fn longest_pause(&self) -> Duration {
        (self.parts.lifetimes.reuse_grace.unsigned_abs() / 2).max(SHORTEST_BREAK)
    }

    /// Returns what a decision on a request that arrived at `now` turns on.
    pub(super) fn circumstances(&self, now: OffsetDateTime) -> Circumstances {
        let lifetimes = self.parts.lifetimes;
        let steady_for = self.parts.clock.steady_for(self.longest_pause());
        Circumstances {
            lifetimes,
            now,
            steady: steady_for >= lifetimes.window().unsigned_abs(),
            reissue_in_place: self.reissues_in_place(),
            binds: self.binds(),
        }
    }

    /// Runs a write to its end, even if the client hangs up meanwhile, and makes this process ask the database again about
    /// what it changed, before anybody hears of the outcome.
    ///
    /// # Errors
    /// If the database cannot write; then nothing was changed.
    pub async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<(T, Vec<Change>), StoreError> + Send + 'static,
    ) -> Result<T, SessionError> {
        let outcome = self.write_to_its_end(Box::new(|connection| {
            let (outcome, changes) = write(connection)?;
            Ok((Box::new(outcome), changes))
        }));
        outcome
            .await?
            .downcast()
            .map(|outcome| *outcome)
            .map_err(|_| StoreError::Query("the outcome is another write's".into()).into())
    }

    /// Does so for writes of every kind, so that the task is compiled once.
    async fn write_to_its_end(&self, write: AnyWrite) -> Result<Box<dyn Any + Send>, SessionError> {
        let sessions = self.clone();
        let task = tokio::spawn(async move {
            let (outcome, changes) = sessions.parts.database.write(write).await?;
            sessions.glances.outdate();
            sessions.invalidate(&changes);
            Ok(outcome)
        });
        task.await.map_err(|error| StoreError::Query(error.into()))?
    }

    /// Makes this process ask the database again about what has changed.
    pub fn invalidate(&self, changes: &[Change]) {
        self.cache.epochs().invalidate(changes, self.parts.clock.elapsed());
        if !changes.is_empty() {
            self.changed.send_replace(());
        }
    }

    /// Returns what tells of each change that this process makes or hears of.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Tells whether rows that were read before may be others now: something changed about the session or its user, or so
    /// long ago that it may have been forgotten.
    pub(super) fn may_have_changed(&self, read: Reading, session: SessionId, user: UserId) -> bool {
        self.cache.may_have_changed(read, session, user, self.parts.clock.elapsed())
    }

    /// Takes over at once which key signs and which were dropped, because the database said that this has changed.
    ///
    /// On a connection of its own: a crowded pool must not delay the end of a key that leaked, and keys change rarely.
    ///
    /// # Errors
    /// If the database has no answer; then ask again.
    pub fn read_keys(&self) -> Result<(), StoreError> {
        let keys = self.parts.node.keys();
        let reading = keys.reading();
        let standing = nodes::standing(&mut self.parts.database.connect()?)?;
        if keys.take_in(reading, &standing) {
            tracing::warn!("a key was dropped: what it signed opens nothing any more");
            self.invalidate_all();
        }
        Ok(())
    }

    /// Returns what this process knows of its place among the others.
    pub fn node(&self) -> &NodeState {
        &self.parts.node
    }

    /// Makes this process ask the database again about everything.
    pub fn invalidate_all(&self) {
        self.cache.epochs().invalidate_all();
        self.changed.send_replace(());
    }

    /// Notes that everything the database had to say at the running time `elapsed` is known.
    pub fn synced(&self, elapsed: Duration) {
        self.cache.epochs().synced(elapsed);
    }

    /// Drops from memory what is over.
    pub fn sweep(&self) {
        self.cache.sweep(self.now(), self.parts.clock.elapsed());
    }

    /// Returns how many sessions there are whose last use is to be written down.
    pub fn count_unwritten_uses(&self) -> usize {
        self.last_seen.count()
    }

    /// Returns at most `limit` of them.
    pub fn unwritten_uses(&self, limit: usize) -> Vec<(SessionId, OffsetDateTime)> {
        self.last_seen.unwritten(limit)
    }

    /// Notes that they were written down.
    pub fn uses_written(&self, written: &[(SessionId, OffsetDateTime)]) {
        self.last_seen.written(written);
    }
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions")
    }
}

impl std::fmt::Debug for SessionsParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionsParts")
    }
}
