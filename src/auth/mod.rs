//! The use cases of a sign-in: begin it, continue it, end it. They carry out what the domain decides.

mod alarm;
mod background;
mod companion;
mod devices;
mod error;
mod grants;
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
#[cfg(test)]
pub(crate) use remembered::tests::grant;
pub use remembered::{Grant, SessionFacts};
pub use resume::{Continuation, Ended, Presented, Resumed};
pub use retention::{Continue, Retention, RetentionThread, Swept};
pub use sign_in::{SignIn, SignInOutcome};
pub use sign_out::Tombstone;
pub use trail::Trail;

use crate::config::PublicUrl;
use crate::crypto::{AccessTokens, PasswordPool, SignedValues};
use crate::domain::clock::Clock;
use crate::domain::id::SessionId;
use crate::domain::password::Password;
use crate::domain::session::Lifetimes;
use crate::mail::Mailer;
use crate::store::{Database, sessions, users};
use remembered::Remembered;

/// What the composition root brings.
pub struct AuthParts {
    /// Where the rows are.
    pub database: Database,
    /// Where passwords are hashed.
    pub passwords: PasswordPool,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// How long everything lives.
    pub lifetimes: Lifetimes,
    /// The signature of access tokens.
    pub access_tokens: AccessTokens,
    /// The signature of the refresh cookie.
    pub refresh_cookie: SignedValues,
    /// Who tells users what they must know.
    pub mailer: Mailer,
    /// The one origin, for links in mails.
    pub public_url: PublicUrl,
}

/// Everything a sign-in needs, made once by the composition root.
pub struct Auth {
    database: Database,
    passwords: PasswordPool,
    clock: Arc<dyn Clock>,
    lifetimes: Lifetimes,
    access_tokens: AccessTokens,
    refresh_cookie: SignedValues,
    remembered: Remembered,
    mailer: Mailer,
    public_url: PublicUrl,
}

impl Auth {
    /// Puts the parts together; nothing starts to run.
    pub fn new(parts: AuthParts) -> Self {
        Self {
            remembered: Remembered::new(parts.lifetimes.access),
            database: parts.database,
            passwords: parts.passwords,
            clock: parts.clock,
            lifetimes: parts.lifetimes,
            access_tokens: parts.access_tokens,
            refresh_cookie: parts.refresh_cookie,
            mailer: parts.mailer,
            public_url: parts.public_url,
        }
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

impl std::fmt::Debug for AuthParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthParts")
    }
}
