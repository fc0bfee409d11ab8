//! How whoever runs the site learns where the first account is made.

use super::Application;
use super::parts::StartError;
use crate::session::SessionError;
use crate::store::users;

impl Application {
    /// Tells whether anybody has an account yet.
    ///
    /// # Errors
    /// If the database cannot read.
    pub async fn has_accounts(&self) -> Result<bool, SessionError> {
        self.site.sessions.has_accounts().await
    }

    /// Returns where the first account is made; nothing once there is one.
    ///
    /// The first account is an administrator's. Where the public URL is not this machine, it takes a one-time link, so that
    /// no stranger is faster: show it to whoever runs the site and to nobody else. It is the same on every process and
    /// after every start, until it is used.
    ///
    /// # Errors
    /// If the database cannot read, or this process lacks the key that signs.
    pub async fn first_account_url(&self) -> Result<Option<String>, SessionError> {
        let anybody = self.has_accounts().await?;
        if anybody { Ok(None) } else { self.link_to_register().map(Some) }
    }

    fn link_to_register(&self) -> Result<String, SessionError> {
        let url = format!("{}/register", self.site.public_url);
        Ok(match &self.site.first_account {
            Some(tokens) => format!("{url}?first={}", *tokens.token()?),
            None => url,
        })
    }

    /// Logs where the first account is made, as long as there is none: it is how whoever runs an application that embeds
    /// Perennial learns it.
    pub(super) fn log_first_account(&self) -> Result<(), StartError> {
        if self.site.registration_open && !self.site.sessions.database().read_blocking(users::any)? {
            match self.link_to_register() {
                Ok(url) => tracing::info!("no account yet: create the first one, the administrator's, at {url}"),
                Err(error) => tracing::warn!(%error, "no account yet, and no link to create the first one"),
            }
        }
        Ok(())
    }
}
