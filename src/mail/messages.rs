//! The e-mails that Perennial writes: one function each, which fills in the templates and returns the [`Email`].
//!
//! Each has two templates of one name, `templates/mail/*.txt` and `*.html`, with the same fields. They take text that is
//! ready to be read: how a time is put into words is not decided here.
//!
//! A mail to an address that nobody has confirmed contains nothing that its registrant wrote: not the name, not the
//! browser's name for itself. Otherwise whoever registers somebody else's address could have this server send them
//! anything, a link included.

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
