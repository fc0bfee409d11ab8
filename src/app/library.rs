//! What the code of an application asks of Perennial, beside mounting it.

use super::Application;
use super::accounts::Accounts;
use super::sign_ins::UserSessions;
use crate::web::Require;

impl Application {
    /// Returns the state of the web floor.
    #[cfg(feature = "testing")]
    pub(crate) fn site(&self) -> &actix_web::web::Data<crate::web::Site> {
        &self.site
    }

    /// Returns the accounts, for the application's own code.
    pub fn accounts(&self) -> Accounts {
        Accounts::new(self.site.sessions.clone(), self.site.password_min_length)
    }

    /// Returns the sessions of users, for the application's own code.
    pub fn sessions(&self) -> UserSessions {
        UserSessions::new(self.site.sessions.clone())
    }

    /// Returns what a scope asks of whoever uses it: a sign-in, and what is added to it; see [`Require`].
    pub fn require(&self) -> Require {
        Require::new()
    }
}
