//! The messages: an Askama struct for each, filled in by whoever has something to tell.
//!
//! Each message has two templates of one name, `templates/mail/*.txt` and `*.html`, with the same fields.

use std::ops::Deref;

use askama::Template;

use super::{MailError, Message};
use crate::domain::moment::Moment;
use crate::domain::user::Email;

/// Tells a user that a refresh token of theirs was used twice, and that the sign-in was therefore ended.
#[derive(Template, Debug, Clone)]
#[template(path = "mail/refresh_token_replayed.txt")]
pub struct RefreshTokenReplayed<'a> {
    /// What they are called.
    pub full_name: &'a str,
    /// When it was noticed.
    pub at: Moment,
    /// The browser that presented the token, in words.
    pub device: String,
    /// Its address, or words where there is none.
    pub address: String,
    /// The browser that the sign-in was begun in, in words.
    pub other_device: String,
    /// Where the sign-in had been used last, or words where that is not known.
    pub other_address: String,
    /// Where they see their sign-ins.
    pub devices_url: String,
}

#[derive(Template)]
#[template(path = "mail/refresh_token_replayed.html")]
struct RefreshTokenReplayedPage<'a>(&'a RefreshTokenReplayed<'a>);

impl<'a> Deref for RefreshTokenReplayedPage<'a> {
    type Target = RefreshTokenReplayed<'a>;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl RefreshTokenReplayed<'_> {
    /// Writes the message.
    ///
    /// # Errors
    /// If the templates cannot be filled in, which takes a lack of memory.
    pub fn to(&self, to: Email) -> Result<Message, MailError> {
        Ok(Message {
            to,
            subject: "One of your sign-ins was used from two places".to_owned(),
            text: self.render()?,
            html: RefreshTokenReplayedPage(self).render()?,
        })
    }
}
