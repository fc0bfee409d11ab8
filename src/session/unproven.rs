//! A bound sign-in whose cookies come without a proof: it opens nothing, its owner's goes on, and the owner is told.
//!
//! It may be a copy in somebody else's hands, or the owner's own browser, which could not prove itself for a moment. Nobody
//! can tell at once: `Secure-Session-Skipped` proves nothing, since a thief can send it. So the mail that tells of a copy
//! waits for an hour, and is withdrawn if a proof or the password comes from that same browser, which a cookie names.

use std::fmt;
use std::str::FromStr;

use time::{Duration, OffsetDateTime};

use super::error::SessionError;
use super::found::Found;
use super::notices::or_unknown;
use super::sessions::Sessions;
use crate::crypto::random_bytes;
use crate::display::time::DisplayTime;
use crate::domain::client::Client;
use crate::domain::event::{Event, EventType};
use crate::domain::id::{SessionId, UserId};
use crate::domain::user::User;
use crate::mail::messages::{CopyTried, TimeWords};
use crate::store::changes::Change;
use crate::store::outbox::NewMail;
use crate::store::{Connection, StoreError, events, users, withheld_mail};

/// How long the mail waits, and for how long one audit event of a sign-in stands for all that follow.
const HOUR: Duration = Duration::HOUR;

/// Mails of one sign-in that wait at a time: one for its owner's browser, which may be the first to come without a proof,
/// and one for whoever else does.
const WAITING_AT_MOST: usize = 2;

/// Names one browser that tried to open a bound sign-in without a proof, and the mail that tells of it: the sign-in, in its
/// first half, and a random rest.
#[derive(Clone, PartialEq, Eq)]
pub struct TryName(String);

/// Characters of a name, and of its first half.
const NAME_CHARACTERS: usize = 32;

impl TryName {
    fn new(session: SessionId, random: [u8; 8]) -> Self {
        Self(format!("{}{:016x}", Self::prefix(session), u64::from_be_bytes(random)))
    }

    /// Returns the first half of every name of a session: the random part of the session's own.
    fn prefix(session: SessionId) -> String {
        let [.., a, b, c, d, e, f, g, h] = *session.as_bytes();
        format!("{:016x}", u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    fn is_of(&self, session: SessionId) -> bool {
        self.0.starts_with(&Self::prefix(session))
    }

    /// Returns the name as the cookie holds it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Says that a text names no try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a try")]
pub struct InvalidTryName;

impl FromStr for TryName {
    type Err = InvalidTryName;

    fn from_str(text: &str) -> Result<Self, InvalidTryName> {
        let plain = text.len() == NAME_CHARACTERS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if plain { Ok(Self(text.to_owned())) } else { Err(InvalidTryName) }
    }
}

impl fmt::Debug for TryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TryName")
    }
}

/// A bound sign-in whose cookies came without a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
    /// The sign-in.
    pub session: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// What names the browser that they came from; none where it was not named, because too many came.
    pub browser: Option<TryName>,
    /// Whether that name is new, so that the browser must be told.
    pub is_new: bool,
}

impl Sessions {
    /// Writes down that the cookies of a bound sign-in came without a proof, and puts a mail about it on hold.
    pub(super) async fn note_unproven(
        &self,
        found: Found,
        known: Option<TryName>,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<Unproven, SessionError> {
        let Found { session, user, .. } = found;
        let (id, owner) = (session.id, user.id);
        let known = known.filter(|name| name.is_of(id));
        let unnamed = Unproven { session: id, user: owner, browser: known.clone(), is_new: false };
        if !self.unproven.allows(id, self.parts.clock.elapsed()) {
            return Ok(unnamed);
        }
        let fresh = TryName::new(id, random_bytes()?);
        let event = Event::new(EventType::DeviceNotProven, Some(owner), client, now).about(id);
        let notice = self.copy_notice(&user, client, now);
        let name = self
            .write(move |connection| {
                // One writes at a time: the event and the mails are counted first.
                users::lock_row(connection, owner)?;
                if !events::happened_since(connection, &event, id, now - HOUR)? {
                    events::insert(connection, &event)?;
                }
                let waiting = withheld_mail::names(connection, &TryName::prefix(id))?;
                let known = known.filter(|known| waiting.iter().any(|name| name == known.as_str()));
                let name = match (known, notice) {
                    (Some(known), _) => Some((known, false)),
                    (None, Some(notice)) if waiting.len() < WAITING_AT_MOST => {
                        withheld_mail::insert(connection, fresh.as_str(), &notice, now + HOUR, now)?;
                        Some((fresh, true))
                    }
                    (None, _) => None,
                };
                Ok((name, Vec::<Change>::new()))
            })
            .await?;
        tracing::info!(session = %id, user = %owner, "the cookies of a bound sign-in came without a proof");
        Ok(match name {
            Some((name, is_new)) => Unproven { browser: Some(name), is_new, ..unnamed },
            None => unnamed,
        })
    }

    /// Withdraws the mail about a browser that has turned out to be its owner's; call it in the transaction that shows it.
    pub(super) fn absolve(
        connection: &mut Connection,
        session: SessionId,
        browser: &TryName,
    ) -> Result<(), StoreError> {
        if browser.is_of(session) { withheld_mail::withdraw(connection, browser.as_str()) } else { Ok(()) }
    }

    /// Writes the mail; nothing where that is impossible, which is logged.
    fn copy_notice(&self, user: &User, client: &Client, now: OffsetDateTime) -> Option<NewMail> {
        let at = DisplayTime::new(now, now);
        let notice = CopyTried {
            at: TimeWords { iso: &at.iso, words: &at.words },
            address: &or_unknown(client.address_text()),
            devices_url: &format!("{}/devices", self.parts.public_url),
        };
        self.write_notice(user, &notice, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_of_one_session_and_survives_the_way_through_a_cookie() {
        let (one, other) = (SessionId::from_bytes([1; 16]), SessionId::from_bytes([2; 16]));
        let name = TryName::new(one, [9; 8]);
        assert!(name.is_of(one) && !name.is_of(other));
        assert_eq!(name.as_str().parse(), Ok(name.clone()));
        for text in ["", "x", &"g".repeat(32), &"a".repeat(31), &"%".repeat(32)] {
            assert_eq!(text.parse::<TryName>(), Err(InvalidTryName), "{text}");
        }
    }
}
