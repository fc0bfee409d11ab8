//! The e-mails that Perennial writes: one function each, which fills in the templates and returns the [`Email`].
//!
//! Each has two templates of one name, `templates/mail/*.txt` and `*.html`, with the same fields. They take text that is
//! ready to be read: how a time is put into words is not decided here.
//!
//! A mail to an address that nobody has confirmed contains nothing that its registrant wrote: not the name, not the
//! browser's name for itself. Otherwise whoever registers somebody else's address could have this server send them
//! anything, a link included.

use std::fmt;
use std::ops::Deref;

use askama::Template;

use super::{Email, MailError};
use crate::domain::user;

/// A time as a mail shows it.
#[derive(Debug, Clone, Copy)]
pub struct TimeWords<'a> {
    /// For machines: `2026-11-21T08:30:00Z`.
    pub iso: &'a str,
    /// For people: `21 November 2026, 08:30 UTC`.
    pub words: &'a str,
}

/// What the notice about a stolen sign-in tells: only what this server found out for itself.
#[derive(Template, Debug, Clone)]
#[template(path = "mail/refresh_token_replayed.txt")]
pub struct TheftNotice<'a> {
    /// When the theft was noticed.
    pub at: TimeWords<'a>,
    /// The address that presented the token, or words where there is none.
    pub address: &'a str,
    /// Where the sign-in had been used last, or words where that is not known.
    pub other_address: &'a str,
    /// The page that lists the user's sign-ins.
    pub devices_url: &'a str,
}

#[derive(Template)]
#[template(path = "mail/refresh_token_replayed.html")]
struct TheftNoticePage<'a>(&'a TheftNotice<'a>);

impl<'a> Deref for TheftNoticePage<'a> {
    type Target = TheftNotice<'a>;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

/// Writes the notice to a user that a refresh token of theirs was used by two parties, and that the sign-in was ended.
///
/// # Errors
/// If a template cannot be rendered, which takes a lack of memory.
pub fn theft_notice(to: user::Email, notice: &TheftNotice<'_>) -> Result<Email, MailError> {
    Ok(Email {
        to,
        subject: "One of your sign-ins was used from two places".to_owned(),
        text: notice.render()?,
        html: TheftNoticePage(notice).render()?,
    })
}

/// What the mail with a link to set a new password tells.
#[derive(Template)]
#[template(path = "mail/password_reset_requested.txt")]
pub struct ResetLink<'a> {
    /// The link; whoever holds it may set the password.
    pub url: &'a str,
    /// How many minutes it works.
    pub minutes: i64,
}

#[derive(Template)]
#[template(path = "mail/password_reset_requested.html")]
struct ResetLinkPage<'a>(&'a ResetLink<'a>);

impl<'a> Deref for ResetLinkPage<'a> {
    type Target = ResetLink<'a>;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl fmt::Debug for ResetLink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResetLink")
    }
}

/// Writes the mail with the link that a new password is set by.
///
/// # Errors
/// If a template cannot be rendered, which takes a lack of memory.
pub fn reset_link(to: user::Email, link: &ResetLink<'_>) -> Result<Email, MailError> {
    Ok(Email {
        to,
        subject: "Set a new password".to_owned(),
        text: link.render()?,
        html: ResetLinkPage(link).render()?,
    })
}

/// What the mail to somebody tells whom an account was made for.
#[derive(Template)]
#[template(path = "mail/account_made.txt")]
pub struct Invitation<'a> {
    /// The link; whoever holds it may set the password.
    pub url: &'a str,
    /// How long it works, in words.
    pub life: &'a str,
    /// The page that sends another link.
    pub again_url: &'a str,
}

#[derive(Template)]
#[template(path = "mail/account_made.html")]
struct InvitationPage<'a>(&'a Invitation<'a>);

impl<'a> Deref for InvitationPage<'a> {
    type Target = Invitation<'a>;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl fmt::Debug for Invitation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invitation")
    }
}

/// Writes the mail with the link by which somebody sets the password of the account that was made for them.
///
/// # Errors
/// If a template cannot be rendered, which takes a lack of memory.
pub fn invitation(to: user::Email, link: &Invitation<'_>) -> Result<Email, MailError> {
    Ok(Email {
        to,
        subject: "Set the password of your new account".to_owned(),
        text: link.render()?,
        html: InvitationPage(link).render()?,
    })
}

/// What the notice about a changed password tells.
#[derive(Template, Debug, Clone)]
#[template(path = "mail/password_changed.txt")]
pub struct PasswordChanged<'a> {
    /// When it was changed.
    pub at: TimeWords<'a>,
    /// The address it was changed from, or words where there is none.
    pub address: &'a str,
    /// Whether a mailed link did it, which ends every sign-in; otherwise the one that it was changed in goes on.
    pub by_link: bool,
    /// The page that sends a link to set another.
    pub reset_url: &'a str,
}

#[derive(Template)]
#[template(path = "mail/password_changed.html")]
struct PasswordChangedPage<'a>(&'a PasswordChanged<'a>);

impl<'a> Deref for PasswordChangedPage<'a> {
    type Target = PasswordChanged<'a>;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

/// Writes the notice to a user that their password was changed and their sign-ins were ended.
///
/// # Errors
/// If a template cannot be rendered, which takes a lack of memory.
pub fn password_changed(to: user::Email, notice: &PasswordChanged<'_>) -> Result<Email, MailError> {
    Ok(Email {
        to,
        subject: "Your password was changed".to_owned(),
        text: notice.render()?,
        html: PasswordChangedPage(notice).render()?,
    })
}

/// What the notice about a locked account tells: only what this server found out for itself.
#[derive(Template, Debug, Clone)]
#[template(path = "mail/account_locked.txt")]
pub struct LockNotice<'a> {
    /// When the account was locked.
    pub at: TimeWords<'a>,
    /// The address that the last wrong password came from, or words where there is none.
    pub address: &'a str,
    /// How long the lock lasts; none if it lasts until the owner signs in or sets a new password.
    pub wait: Option<&'a str>,
    /// The site.
    pub site_url: &'a str,
}

#[derive(Template)]
#[template(path = "mail/account_locked.html")]
struct LockNoticePage<'a>(&'a LockNotice<'a>);

impl<'a> Deref for LockNoticePage<'a> {
    type Target = LockNotice<'a>;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

/// Writes the notice to a user that their account is locked, because too many wrong passwords were tried.
///
/// # Errors
/// If a template cannot be rendered, which takes a lack of memory.
pub fn lock_notice(to: user::Email, notice: &LockNotice<'_>) -> Result<Email, MailError> {
    Ok(Email {
        to,
        subject: "Your account is locked for now: too many wrong passwords".to_owned(),
        text: notice.render()?,
        html: LockNoticePage(notice).render()?,
    })
}

/// What the farewell to somebody who has deleted their account tells.
#[derive(Template, Debug, Clone)]
#[template(path = "mail/account_deleted.txt")]
pub struct AccountDeleted<'a> {
    /// When it was deleted.
    pub at: TimeWords<'a>,
    /// The address it was deleted from, or words where there is none.
    pub address: &'a str,
    /// The site.
    pub site_url: &'a str,
}

#[derive(Template)]
#[template(path = "mail/account_deleted.html")]
struct AccountDeletedPage<'a>(&'a AccountDeleted<'a>);

impl<'a> Deref for AccountDeletedPage<'a> {
    type Target = AccountDeleted<'a>;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

/// Writes the farewell to somebody whose account was deleted.
///
/// # Errors
/// If a template cannot be rendered, which takes a lack of memory.
pub fn account_deleted(to: user::Email, notice: &AccountDeleted<'_>) -> Result<Email, MailError> {
    Ok(Email {
        to,
        subject: "Your account was deleted".to_owned(),
        text: notice.render()?,
        html: AccountDeletedPage(notice).render()?,
    })
}
