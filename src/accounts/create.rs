//! Make an account for somebody, as the code of an application does.

use super::add::{link_mail, record};
use crate::crypto::random_bytes;
use crate::domain::event::Event;
use crate::domain::mail_token::MailToken;
use crate::domain::password::Password;
use crate::domain::password_quality::Weakness;
use crate::domain::user::{Email, FullName, Role, User};
use crate::session::{SessionError, Sessions};
use crate::store::users::{self, Inserted};
use crate::store::{StoreError, changes::Change};

/// Stands in the column of the hash where an account has no password: no password has this hash, and to refuse one takes
/// as long as with any other account.
const NO_PASSWORD: &str = "!";

/// Somebody who is to have an account.
#[derive(Debug)]
pub struct Creation {
    /// Where they are reached; no other account has it.
    pub email: Email,
    /// What they are called.
    pub full_name: FullName,
    /// What they may do; where nobody says, the first of all is an administrator and everybody else is a user.
    pub role: Option<Role>,
    /// Their password, if they have one.
    pub password: Option<Password>,
    /// Whether they are mailed a link to set one, where they have none.
    pub invite: bool,
}

/// What came of it.
#[derive(Debug)]
pub enum Created {
    /// They have an account.
    User(User),
    /// The address has an account.
    EmailTaken,
    /// The password is too easy to guess.
    WeakPassword(Weakness),
}

/// Makes an account, with its event and the mail with the link in the same transaction.
///
/// # Errors
/// If the database or the password pool has no answer, or there are no random bytes; no account was made.
pub async fn create_account(sessions: &Sessions, creation: Creation) -> Result<Created, SessionError> {
    let Creation { email, full_name, role, password, invite } = creation;
    let now = sessions.now();
    let (hash, mail) = match password {
        Some(password) => match sessions.hash_chosen_password(password, full_name.as_str(), email.as_str()).await? {
            Ok(hash) => (hash, None),
            Err(weakness) => return Ok(Created::WeakPassword(weakness)),
        },
        None if invite => {
            let token = MailToken::from_bytes(random_bytes()?);
            let mail = link_mail(sessions.mail_templates(), email.clone(), sessions.public_url(), &token, now);
            (NO_PASSWORD.to_owned(), Some((token, mail.map_err(|error| StoreError::Query(error.into()))?)))
        }
        None => (NO_PASSWORD.to_owned(), None),
    };
    let created = sessions.write(move |connection| {
        let inserted = match role {
            Some(role) => users::insert_as(connection, role, &email, &full_name, &hash, now)?,
            None => users::insert(connection, &email, &full_name, &hash, now)?,
        };
        let user = match inserted {
            Inserted::User(user) => user,
            Inserted::EmailTaken | Inserted::WouldBeFirst => return Ok((Created::EmailTaken, Vec::<Change>::new())),
        };
        let event = |kind| Event::of_application(kind, Some(user.id), now);
        record(connection, &user, &email, mail.as_ref(), event, now)?;
        Ok((Created::User(user), Vec::new()))
    });
    let created = created.await?;
    sessions.database().wake_outbox();
    Ok(created)
}
