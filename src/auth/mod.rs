//! The use cases of a sign-in: begin it, continue it, end it. They carry out what the domain decides.

mod background;
mod devices;
mod error;
mod issue;
mod remembered;
mod resume;
mod retention;
mod settle;
mod sign_in;
mod sign_out;
mod trail;

use std::sync::Arc;

pub use background::Background;
pub use devices::RevokeOutcome;
pub use error::AuthError;
pub use issue::IssuedTokens;
pub(crate) use issue::record_sign_in;
pub use remembered::{Grant, SessionFacts};
pub use resume::{Continuation, Ended, Presented, Resumed};
pub use retention::{Continue, Retention, RetentionThread, Swept};
pub use sign_in::{SignIn, SignInOutcome};
pub use sign_out::Tombstone;
pub use trail::Trail;

use crate::crypto::{AccessTokens, PasswordPool, SignedValues};
use crate::domain::clock::Clock;
use crate::domain::id::SessionId;
use crate::domain::password::Password;
use crate::domain::session::Lifetimes;
use crate::store::{Database, sessions, users};
use remembered::Remembered;

/// Everything a sign-in needs, made once by the composition root.
pub struct Auth {
    database: Database,
    passwords: PasswordPool,
    clock: Arc<dyn Clock>,
    lifetimes: Lifetimes,
    access_tokens: AccessTokens,
    refresh_cookie: SignedValues,
    remembered: Remembered,
}

impl Auth {
    /// Puts the parts together; nothing starts to run.
    pub fn new(
        database: Database,
        passwords: PasswordPool,
        clock: Arc<dyn Clock>,
        lifetimes: Lifetimes,
        access_tokens: AccessTokens,
        refresh_cookie: SignedValues,
    ) -> Self {
        let remembered = Remembered::new(lifetimes.access);
        Self { database, passwords, clock, lifetimes, access_tokens, refresh_cookie, remembered }
    }

    /// Returns how long everything lives.
    pub fn lifetimes(&self) -> &Lifetimes {
        &self.lifetimes
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// If it gives none within two seconds.
    pub async fn ping(&self) -> Result<(), AuthError> {
        self.database.read(users::any).await.map(drop)?;
        Ok(())
    }

    /// Tells whether there is any account yet.
    ///
    /// # Errors
    /// If the database cannot read.
    pub async fn has_accounts(&self) -> Result<bool, AuthError> {
        Ok(self.database.read(users::any).await?)
    }

    /// Returns how often the refresh token of a sign-in was rotated; 0 where its row is gone.
    ///
    /// # Errors
    /// If the database cannot read.
    pub async fn generation(&self, session: SessionId) -> Result<i64, AuthError> {
        let row = self.database.read(move |connection| sessions::find(connection, session)).await?;
        Ok(row.map_or(0, |row| row.generation))
    }

    /// Returns where the rows are.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// Hashes a new password in the pool.
    ///
    /// # Errors
    /// If too many are waiting there.
    pub(crate) async fn hash_password(&self, password: Password) -> Result<String, AuthError> {
        Ok(self.passwords.hash(password).await?)
    }

    /// Returns the time it is.
    pub fn now(&self) -> time::OffsetDateTime {
        self.clock.now()
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth")
    }
}
