//! Make an account for somebody, as an administrator does on a page: a link to set the password is mailed to them.

use super::add::{nobodys_password, record};
use super::operate::By;
use super::reset_password::url;
use crate::crypto::random_bytes;
use crate::display::duration::exactly;
use crate::domain::id::UserId;
use crate::domain::mail_token::{MailToken, RESET_LIFE};
use crate::domain::user::{Email, FullName, Role};
use crate::mail::messages::Invitation;
use crate::session::{Identity, SessionError, Sessions};
use crate::store::StoreError;
use crate::store::changes::Change;
use crate::store::operator::lock_admins;
use crate::store::session_locks::Reach;
use crate::store::users::{self, Inserted};

/// What came of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invited {
    /// They have an account, and a link to set its password is on its way.
    User(UserId),
    /// The address has an account.
    EmailTaken,
    /// Whoever asked is no administrator any more; nothing was changed.
    NotAllowed,
}

/// Makes an account whose password nobody knows, and mails its owner a link to set one, in one transaction.
///
/// # Errors
/// `SignedOut` if the sign-in has ended meanwhile; if the database cannot write, or there are no random bytes.
pub async fn invite(
    sessions: &Sessions,
    acting: &Identity,
    email: Email,
    full_name: FullName,
    role: Role,
) -> Result<Invited, SessionError> {
    let by = By::new(acting, sessions.now());
    let token = MailToken::from_bytes(random_bytes()?);
    let nobodys = nobodys_password::<SessionError>()?;
    let hash = match sessions.hash_chosen_password(nobodys, full_name.as_str(), email.as_str()).await? {
        Ok(hash) => hash,
        // Forty characters at random are on no list.
        Err(_) => return Err(StoreError::Corrupt("a random password that is easy to guess").into()),
    };
    let site = sessions.public_url();
    let link = Invitation {
        url: &url(site, &token),
        life: &exactly(RESET_LIFE),
        again_url: &format!("{site}/password-reset"),
    };
    let mail = sessions.write_mail(email.clone(), &link, by.now + RESET_LIFE);
    let mail = mail.map_err(|error| {
        tracing::error!(%error, "an invitation cannot be written");
        StoreError::Corrupt("a mail template")
    })?;
    let mail = (token, mail);
    let invited = sessions.act_under(lock_admins, acting, Reach::Own, move |connection| {
        if !by.may(connection)? {
            return Ok((Invited::NotAllowed, Vec::<Change>::new()));
        }
        let user = match users::insert_as(connection, role, &email, &full_name, &hash, by.now)? {
            Inserted::User(user) => user,
            Inserted::EmailTaken | Inserted::WouldBeFirst => return Ok((Invited::EmailTaken, Vec::new())),
        };
        record(connection, &user, &email, Some(&mail), |kind| by.event(kind, user.id), by.now)?;
        Ok((Invited::User(user.id), Vec::new()))
    });
    let invited = invited.await?;
    if let Invited::User(user) = invited {
        tracing::info!(%user, administrator = %acting.user().id, "an administrator invited somebody");
        sessions.database().wake_outbox();
    }
    Ok(invited)
}
