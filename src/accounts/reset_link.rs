//! Make a link to set a new password by hand, for where mail does not reach its user.

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::reset_password::url;
use crate::crypto::random_bytes;
use crate::domain::event::{Event, EventType};
use crate::domain::mail_token::MailToken;
use crate::domain::public_url::PublicUrl;
use crate::session::SessionError;
use crate::store::{Database, auth_tokens, events, users};

/// What came of the wish for a link.
pub enum LinkByHand {
    /// Whoever opens this may set the password.
    Made(Zeroizing<String>),
    /// The account may not sign in at all.
    Deactivated,
    /// No account has this number or address.
    NotFound,
}

/// Makes a link for the account that `named` names by its number or its address, in the place of any under way.
///
/// # Errors
/// If the database cannot write, or there are no random bytes.
pub fn make_link(
    database: &Database,
    public_url: &PublicUrl,
    named: &str,
    now: OffsetDateTime,
) -> Result<LinkByHand, SessionError> {
    let token = MailToken::from_bytes(random_bytes()?);
    let (url, named) = (Zeroizing::new(url(public_url, &token)), named.to_owned());
    Ok(database.write_blocking(move |connection| {
        let Some(user) = users::find_named(connection, &named)? else { return Ok(LinkByHand::NotFound) };
        if !users::lock_row(connection, user.id)?.is_some_and(|user| user.is_active) {
            return Ok(LinkByHand::Deactivated);
        }
        auth_tokens::replace_reset(connection, &user, token.hash(), now)?;
        let event = Event::of_command(EventType::PasswordResetRequested, Some(user.id), now);
        events::insert(connection, &event)?;
        Ok(LinkByHand::Made(url))
    })?)
}
