//! Accounts, as the code of an application manages them.

use std::str::FromStr;

use time::OffsetDateTime;

use crate::accounts::{
    Administered, Created, Creation, DeletionOutcome, activate, create_account, deactivate, delete_user, give_role,
    rename,
};
use crate::domain::event::{Event, EventType};
use crate::domain::id::{SessionId, UserId};
use crate::domain::password::Password;
use crate::domain::user::{Email, FullName, Role, User};
use crate::session::{SessionError, Sessions};
use crate::store::changes::Change;
use crate::store::operator::list_accounts;
use crate::store::{Connection, StoreError, users};
use crate::web::WebError;

/// The accounts of an application, for its own code: [`Application::accounts`](crate::Application::accounts).
///
/// Everything is done as its page or its command does it: with the same audit event, the same mails, and in the same
/// transaction the end of the sign-ins that must not go on. Events name the application as who did it.
///
/// ```
/// # async fn example(perennial: &perennial::Application) -> Result<(), perennial::AccountError> {
/// use perennial::NewAccount;
///
/// let accounts = perennial.accounts();
/// let ada = accounts.create(NewAccount::new("ada@example.org", "Ada Lovelace").role("editor")).await?;
/// accounts.rename(ada.id, "Countess Lovelace").await?;
/// accounts.deactivate(ada.id).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Accounts {
    sessions: Sessions,
    password_min_length: usize,
}

/// Somebody who is to have an account.
#[derive(Clone)]
#[must_use = "give it to Accounts::create"]
pub struct NewAccount {
    email: String,
    full_name: String,
    role: Option<String>,
    password: Option<String>,
    mail: bool,
}

impl NewAccount {
    /// Names somebody, by the address that they sign in with and the name that they are called by.
    pub fn new(email: impl Into<String>, full_name: impl Into<String>) -> Self {
        Self { email: email.into(), full_name: full_name.into(), role: None, password: None, mail: true }
    }

    /// Gives them a role: a word of the application's own, `user` or `admin`. Without one, the first account of all is an
    /// administrator's, and every other a user's.
    pub fn role(self, role: impl Into<String>) -> Self {
        Self { role: Some(role.into()), ..self }
    }

    /// Gives them a password, which must be as long and as hard to guess as one that a person chooses.
    ///
    /// Without one they are mailed a link that sets it, good for as long as any link to set a password.
    pub fn password(self, password: impl Into<String>) -> Self {
        Self { password: Some(password.into()), ..self }
    }

    /// Sends no mail: for accounts that sign in by a check of the application's own, see
    /// [`Visitor`](crate::Visitor). A password can be set at any time by `/password-reset`.
    pub fn without_mail(self) -> Self {
        Self { mail: false, ..self }
    }
}

impl std::fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewAccount")
    }
}

/// Why something was not done to an account; then nothing was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// A value that no account can have.
    #[error("{field}: {problem}")]
    #[non_exhaustive]
    Invalid {
        /// What it was to be: `email`, `full_name`, `role` or `password`.
        field: &'static str,
        /// What is wrong with it; it never repeats a password.
        problem: String,
    },
    /// The address has an account already.
    #[error("the address has an account already")]
    EmailTaken,
    /// They are the last active administrator, and there must be one.
    #[error("they are the last active administrator: make somebody else one first")]
    LastAdmin,
    /// There is no such account.
    #[error("there is no such account")]
    NotFound,
    /// The database or the password pool has no answer.
    #[error(transparent)]
    Unavailable(#[from] SessionError),
}

impl From<AccountError> for WebError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::NotFound => Self::NotFound,
            AccountError::Unavailable(error) => error.into(),
            AccountError::EmailTaken => Self::BadRequest("The address has an account already."),
            AccountError::LastAdmin => Self::BadRequest("There must be another administrator first."),
            AccountError::Invalid { .. } => Self::BadRequest("A value that was entered cannot be taken."),
        }
    }
}

impl Accounts {
    pub(super) fn new(sessions: Sessions, password_min_length: usize) -> Self {
        Self { sessions, password_min_length }
    }

    /// Makes an account; whoever has no password yet is mailed a link to set one.
    ///
    /// # Errors
    /// `Invalid` where the address, the name, the role or the password cannot be taken; `EmailTaken`; `Unavailable`.
    pub async fn create(&self, account: NewAccount) -> Result<User, AccountError> {
        let NewAccount { email, full_name, role, password, mail } = account;
        let password = password.map(|text| Password::new(text, self.password_min_length)).transpose();
        let creation = Creation {
            email: parse("email", &email)?,
            full_name: parse("full_name", &full_name)?,
            role: role.map(|role| parse("role", &role)).transpose()?,
            password: password.map_err(|problem| invalid("password", &problem))?,
            invite: mail,
        };
        match create_account(&self.sessions, creation).await? {
            Created::User(user) => Ok(user),
            Created::EmailTaken => Err(AccountError::EmailTaken),
            Created::WeakPassword(weakness) => Err(invalid("password", &weakness)),
        }
    }

    /// Returns the account with a number.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find(&self, user: UserId) -> Result<Option<User>, AccountError> {
        self.read(move |connection| users::find(connection, user)).await
    }

    /// Returns the account with an address, whatever the case of its letters; what is no address has none.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_by_email(&self, email: &str) -> Result<Option<User>, AccountError> {
        let Ok(email) = email.parse::<Email>() else { return Ok(None) };
        self.read(move |connection| users::find_by_email(connection, &email)).await
    }

    /// Returns at most `limit` accounts in the order in which they were made: those with `search` in the name or the
    /// address, if it is given.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list(&self, search: Option<&str>, limit: u32) -> Result<Vec<User>, AccountError> {
        let search = search.map(str::to_owned);
        let found = self.read(move |connection| list_accounts(connection, search.as_deref(), limit.into())).await?;
        Ok(found.into_iter().map(|account| account.user).collect())
    }

    /// Gives a user another name.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `Unavailable`.
    pub async fn rename(&self, user: UserId, full_name: &str) -> Result<User, AccountError> {
        let full_name: FullName = parse("full_name", full_name)?;
        rename(&self.sessions, user, full_name).await?.ok_or(AccountError::NotFound)
    }

    /// Gives a user a role: a word of the application's own, `user` or `admin`. Their sign-ins go on, with the new role from
    /// their next request on.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `LastAdmin`, `Unavailable`.
    pub async fn set_role(&self, user: UserId, role: &str) -> Result<User, AccountError> {
        let role: Role = parse("role", role)?;
        self.administer(user, move |connection, event| give_role(connection, user, &role, event)).await
    }

    /// Deactivates an account: its sign-ins end, and its user may not sign in any more.
    ///
    /// # Errors
    /// `NotFound`, `LastAdmin`, `Unavailable`.
    pub async fn deactivate(&self, user: UserId) -> Result<User, AccountError> {
        self.administer(user, move |connection, event| deactivate(connection, user, event)).await
    }

    /// Lets the user of a deactivated account sign in again.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn activate(&self, user: UserId) -> Result<User, AccountError> {
        self.administer(user, move |connection, event| activate(connection, user, event)).await
    }

    /// Deletes an account with all that is kept about its user, ends its sign-ins, and sends a last mail. What stays of the
    /// audit trail names nobody.
    ///
    /// # Errors
    /// `NotFound`, `LastAdmin`, `Unavailable`.
    pub async fn delete(&self, user: UserId) -> Result<(), AccountError> {
        match delete_user(&self.sessions, user).await? {
            Some(DeletionOutcome::Deleted) => Ok(()),
            Some(DeletionOutcome::LastAdmin) => Err(AccountError::LastAdmin),
            None => Err(AccountError::NotFound),
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, AccountError> {
        Ok(self.sessions.database().read(read).await.map_err(SessionError::from)?)
    }

    /// Does to an account what whoever runs the site may do.
    async fn administer(
        &self,
        user: UserId,
        act: impl FnOnce(&mut Connection, Box<dyn Fn(EventType) -> Event>) -> Result<Administered, StoreError>
        + Send
        + 'static,
    ) -> Result<User, AccountError> {
        let now = self.sessions.now();
        let done = self.sessions.write(move |connection| {
            let done = act(connection, Box::new(by_application(user, now)))?;
            let changes = if let Administered::Done { ended, .. } = &done { changed(user, ended) } else { Vec::new() };
            Ok((done, changes))
        });
        match done.await? {
            Administered::Done { user, .. } | Administered::Unchanged(user) => Ok(user),
            Administered::LastAdmin(_) => Err(AccountError::LastAdmin),
            Administered::NotFound => Err(AccountError::NotFound),
        }
    }
}

fn by_application(user: UserId, now: OffsetDateTime) -> impl Fn(EventType) -> Event {
    move |kind| Event::of_application(kind, Some(user), now)
}

/// Returns what this process must ask the database about again.
fn changed(user: UserId, ended: &[SessionId]) -> Vec<Change> {
    ended.iter().copied().map(Change::Session).chain([Change::User(user)]).collect()
}

fn parse<T: FromStr<Err: ToString>>(field: &'static str, text: &str) -> Result<T, AccountError> {
    text.parse().map_err(|problem| invalid(field, &problem))
}

fn invalid(field: &'static str, problem: &impl ToString) -> AccountError {
    AccountError::Invalid { field, problem: problem.to_string() }
}
