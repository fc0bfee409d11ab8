//! How a glance is read for the dashboard.
//!
//! It is read once per second and session at most, in one go, so that a page that is asked for over and over does not ask the
//! database each time. What this process writes is seen at once; what another writes, within that second.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use time::OffsetDateTime;

use super::glances::{Concern, Glance, GlanceEvent};
use super::identity::Identity;
use super::sessions::Sessions;
use crate::display::device::signed_in_on;
use crate::display::event::{describe, whence};
use crate::display::time::Times;
use crate::domain::event::{PastEvent, WEAK_PASSWORD, Window};
use crate::domain::session::Session;
use crate::store::{events, sessions};

/// For how long a glance is as good as a new one.
const LIFE: Duration = Duration::from_secs(1);

/// How long a page waits for a glance: the rest of it is ready, and must not wait for a database that hangs.
const PATIENT_FOR: Duration = Duration::from_millis(300);

/// Events that are shown.
const SHOWN: i64 = 3;

/// Events that are looked through for what needs the owner.
const LOOKED_AT: i64 = 20;

/// For how long a lock of the account, or a weak password, is brought to the owner's notice.
const CONCERNS_FOR: time::Duration = time::Duration::days(7);

/// The kinds of event that bring something to the owner's notice, or take it away.
const CONCERNS: [&str; 3] = ["account_locked", "signed_in", "password_changed"];

impl Sessions {
    /// Returns what the dashboard of a session says; nothing where the database does not answer quickly, since the page is
    /// worth showing without it.
    pub async fn glance(&self, identity: &Identity, now: OffsetDateTime) -> Option<Arc<Glance>> {
        let (elapsed, glances) = (self.clock().elapsed(), &self.glances);
        let writes = glances.writes.load(Ordering::SeqCst);
        let known = glances.known.get(&identity.session());
        if let Some(known) = known.filter(|known| known.writes == writes && elapsed < known.read_at + LIFE) {
            return Some(known);
        }
        if glances.slow.load(Ordering::SeqCst) {
            return None;
        }
        let (sessions, user, session) = (self.clone(), identity.user().id, identity.session());
        let times = Times::new(now, identity.user().time_zone);
        let reading = tokio::spawn(async move {
            let read = sessions.database().read(move |connection| {
                let live = sessions::unrevoked_of_user(connection, user)?;
                let last = events::of_user(connection, user, Window::Newest, &[], SHOWN)?;
                let concerns = events::of_user(connection, user, Window::Newest, &CONCERNS, LOOKED_AT)?;
                Ok((live, last.events, concerns.events))
            });
            let read = read.await;
            sessions.glances.slow.store(false, Ordering::SeqCst);
            let (live, last, concerns) = read.ok()?;
            let glance = Arc::new(sessions.put_together(live, &last, &concerns, &times, elapsed, writes));
            sessions.glances.known.insert(session, Arc::clone(&glance));
            Some(glance)
        });
        match tokio::time::timeout(PATIENT_FOR, reading).await {
            Ok(glance) => glance.ok().flatten(),
            Err(_) => {
                glances.slow.store(true, Ordering::SeqCst);
                None
            }
        }
    }

    fn put_together(
        &self,
        mut live: Vec<Session>,
        last: &[PastEvent],
        concerns: &[PastEvent],
        times: &Times,
        read_at: Duration,
        writes: u64,
    ) -> Glance {
        let now = times.now();
        self.note_last_seen(&mut live);
        live.retain(|session| session.ended(self.lifetimes(), now).is_none());
        let newest = live.iter().map(|session| session.created_at).max().unwrap_or(now);
        let devices = signed_in_on(live.len(), &times.past(newest));
        let describe =
            |event: &PastEvent| GlanceEvent { described: describe(event), place: whence(event), at: event.at };
        let events = last.iter().map(describe).collect();
        Glance { devices, concern: concern(concerns, now), events, read_at, writes }
    }
}

/// Returns what needs the owner, by the last of their events, which come newest first; a new password settles all.
fn concern(events: &[PastEvent], now: OffsetDateTime) -> Option<Concern> {
    let unsettled = || events.iter().take_while(|event| event.kind != "password_changed");
    let locked = unsettled().find(|event| event.kind == "account_locked").map(|event| event.at);
    let weak = unsettled().find(|event| event.kind == "signed_in").is_some_and(|event| event.reason == WEAK_PASSWORD);
    match locked.filter(|at| now - *at < CONCERNS_FOR) {
        Some(at) => Some(Concern::Locked(at)),
        None => weak.then_some(Concern::WeakPassword),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-03-10 12:00 UTC);

    fn event(kind: &str, reason: &str, days_ago: i64) -> PastEvent {
        PastEvent {
            id: 1,
            kind: kind.to_owned(),
            reason: reason.to_owned(),
            by: String::new(),
            address: String::new(),
            user_agent: String::new(),
            at: NOW - time::Duration::days(days_ago),
        }
    }

    #[test]
    fn a_lock_concerns_its_owner_for_a_week_or_until_a_new_password() {
        let locked = |days| event("account_locked", "", days);
        assert_eq!(concern(&[locked(6)], NOW), Some(Concern::Locked(NOW - time::Duration::days(6))));
        assert_eq!(concern(&[locked(7)], NOW), None);
        assert_eq!(concern(&[event("password_changed", "", 1), locked(2)], NOW), None);
        assert!(concern(&[event("signed_in", "", 0), locked(1)], NOW).is_some(), "a sign-in settles nothing");
    }

    #[test]
    fn a_weak_password_concerns_whoever_signed_in_with_it_last() {
        let weak = event("signed_in", WEAK_PASSWORD, 2);
        assert_eq!(concern(std::slice::from_ref(&weak), NOW), Some(Concern::WeakPassword));
        assert_eq!(concern(&[event("signed_in", "", 1), weak.clone()], NOW), None);
        assert_eq!(concern(&[event("password_changed", "", 1), weak], NOW), None);
        assert_eq!(concern(&[], NOW), None);
    }
}
