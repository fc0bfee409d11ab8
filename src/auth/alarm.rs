//! Tell a user that somebody else held their sign-in.

use time::{Duration, OffsetDateTime};

use super::Auth;
use super::devices::THEFT_WARNING;
use crate::domain::device::device;
use crate::domain::event::Theft;
use crate::domain::moment::Moment;
use crate::domain::user::{Email, User};
use crate::mail::{MailError, Message, RefreshTokenReplayed};
use crate::store::{StoreError, events, users};

/// How long a mail may take its way before another process doubts that anybody sent it: longer than all its tries.
const UNTOLD_AFTER: Duration = Duration::minutes(10);

/// How long a user is worth telling: later they have seen it on a page, or will.
const UNTOLD_UNTIL: Duration = Duration::days(2);

/// Mails sent in one go.
const UNTOLD_AT_ONCE: i64 = 100;

/// What stands where an address would, for a transport that has none.
const NO_ADDRESS: &str = "unknown address";

impl Auth {
    /// Mails users that somebody else held a sign-in of theirs, where the process that noticed it did not get to that.
    ///
    /// Returns how many. One process on a database is to call this; it is the one that cleans up, too.
    ///
    /// # Errors
    /// If the database cannot read.
    pub fn tell_untold(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let during = now - UNTOLD_UNTIL..now - UNTOLD_AFTER;
        let found = self.database.read_blocking(move |connection| {
            let users = users::untold_of_theft(connection, during, UNTOLD_AT_ONCE)?;
            let theft = |user: User| Ok((events::last_theft(connection, user.id, now - THEFT_WARNING)?, user));
            users.into_iter().map(theft).collect::<Result<Vec<_>, StoreError>>()
        })?;
        for (theft, user) in &found {
            match theft {
                Some(theft) => self.tell_of_theft(user, theft, now),
                None => tracing::error!(user = %user.id, "the user cannot be told of a theft: its event is gone"),
            }
        }
        Ok(found.len())
    }

    /// Mails `user` of a theft; the sign-in has just ended because of it.
    ///
    /// A mail that cannot be written is logged: the sign-in has ended all the same, the sign-in page says why, and the
    /// audit trail has it.
    pub(super) fn tell_of_theft(&self, user: &User, theft: &Theft, now: OffsetDateTime) {
        // An account that was put into the database by hand may have an address that no form would take.
        let Ok(to) = user.email.parse::<Email>() else {
            tracing::error!(user = %user.id, "the user cannot be told by mail: the address of the account is none");
            return;
        };
        let (database, id, noticed) = (self.database.clone(), user.id, theft.at);
        let settled = move || {
            if let Err(error) = database.write_blocking(move |connection| users::theft_told(connection, id, noticed)) {
                tracing::warn!(user = %id, %error, "the user was told by mail, and may be told again");
            }
        };
        match self.theft_message(to, user, theft, now) {
            Ok(message) => self.mailer.send(message, now, settled),
            Err(error) => tracing::error!(user = %user.id, %error, "the user cannot be told by mail"),
        }
    }

    fn theft_message(&self, to: Email, user: &User, theft: &Theft, now: OffsetDateTime) -> Result<Message, MailError> {
        let told = RefreshTokenReplayed {
            full_name: &user.full_name,
            at: Moment::new(theft.at, now),
            device: device(&theft.user_agent),
            address: or_none(theft.address.clone()),
            other_device: device(&theft.other_user_agent),
            other_address: or_none(theft.other_address.clone()),
            devices_url: format!("{}/devices", self.public_url),
        };
        told.to(to)
    }
}

fn or_none(address: String) -> String {
    if address.is_empty() { NO_ADDRESS.to_owned() } else { address }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use time::macros::datetime;

    use super::super::{AuthParts, Ended, IssuedTokens, Presented, Resumed, Trail, record_sign_in};
    use super::*;
    use crate::config::{Arguments, DatabaseUrl};
    use crate::crypto::{AccessTokens, KeyRing, PasswordHasher, PasswordPool, SignedValues};
    use crate::domain::client::Client;
    use crate::domain::clock::ManualClock;
    use crate::domain::session::EndReason;
    use crate::mail::{Mailer, Outbox};
    use crate::store::users::Inserted;
    use crate::store::{Database, peppers};

    const NOW: OffsetDateTime = datetime!(2026-11-21 8:30 UTC);
    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

    struct Scene {
        auth: Auth,
        clock: Arc<ManualClock>,
        outbox: Outbox,
    }

    impl Scene {
        fn new(folder: &std::path::Path) -> Self {
            let (database, _) = Database::open(&DatabaseUrl::Sqlite(folder.join("perennial.db"))).unwrap();
            let pepper = database.write_blocking(|rows| peppers::find_or_insert(rows, &[7; 32].into(), NOW)).unwrap();
            let keys = KeyRing::new("k".repeat(32).into(), []);
            let clock = Arc::new(ManualClock::at(NOW));
            let (mailer, outbox) = Mailer::memory();
            let auth = Auth::new(AuthParts {
                database,
                passwords: PasswordPool::start(PasswordHasher::new(4, pepper)).unwrap(),
                clock: Arc::<ManualClock>::clone(&clock),
                lifetimes: Arguments::default().settings().unwrap().lifetimes,
                access_tokens: AccessTokens::new(&keys, "https://example.org"),
                refresh_cookie: SignedValues::for_refresh_cookie(&keys),
                mailer,
                public_url: "https://example.org".parse().unwrap(),
            });
            Self { auth, clock, outbox }
        }

        async fn sign_in(&self, client: &Client) -> IssuedTokens {
            let draft = self.auth.draft_session(true, client, NOW).unwrap();
            let from = client.clone();
            let row = move |rows: &mut _| {
                let (email, name) = ("ada@example.net".parse().unwrap(), "Ada".parse().unwrap());
                let Inserted::User(user) = users::insert(rows, &email, &name, "", NOW)? else { unreachable!() };
                let begun = draft.for_user(user.id);
                record_sign_in(rows, &begun.session, &from)?;
                Ok((user, begun))
            };
            let (user, begun) = self.auth.database.write(row).await.unwrap();
            self.auth.first_tokens(&begun, &user, None).unwrap()
        }

        async fn resume(&self, refresh: &str, client: &Client) -> Resumed {
            self.clock.advance(Duration::HOUR);
            let presented = Presented { access: Vec::new(), refresh: vec![refresh] };
            self.auth.resume(&presented, client, &mut Trail::new(false)).await.unwrap()
        }

        async fn rotate(&self, tokens: &IssuedTokens, client: &Client) -> IssuedTokens {
            let resumed = self.resume(tokens.refresh.as_ref().unwrap(), client).await;
            let Resumed::Continued(continuation) = resumed else { panic!("not continued") };
            self.auth.settle(*continuation, client).await.unwrap().unwrap()
        }
    }

    #[test]
    fn a_replay_is_told_once_and_to_nobody_but_the_user() {
        let folder = tempfile::tempdir().unwrap();
        let scene = Scene::new(folder.path());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let owner = Client::new("192.0.2.1".parse().ok(), FIREFOX);
            let thief = Client::new(None, "curl/8.0");
            let first = scene.sign_in(&owner).await;
            let second = scene.rotate(&first, &owner).await;
            scene.rotate(&second, &owner).await;
            assert_eq!(scene.outbox.messages(), []);

            for _ in 0..2 {
                let resumed = scene.resume(first.refresh.as_ref().unwrap(), &thief).await;
                let reason = Some(EndReason::Replayed);
                assert!(matches!(resumed, Resumed::Ended(Ended { reason: found, .. }) if found == reason));
            }
            let [told] = scene.outbox.messages().try_into().unwrap();
            assert_eq!(told.to.as_str(), "ada@example.net");
            for words in ["Hello Ada,", "21 November 2026, 11:30 UTC", "https://example.org/devices"] {
                assert!(told.text.contains(words), "{words}: {}", told.text);
            }
            assert!(told.text.contains("The other place: Firefox on Linux, 192.0.2.1"), "{}", told.text);
            assert!(told.text.contains(", unknown address"), "{}", told.text);
        });
    }

    #[test]
    fn a_theft_that_a_process_did_not_get_to_tell_of_is_told_by_another() {
        let folder = tempfile::tempdir().unwrap();
        let scene = Scene::new(folder.path());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let owner = Client::new("192.0.2.1".parse().ok(), FIREFOX);
            let first = scene.sign_in(&owner).await;
            let second = scene.rotate(&first, &owner).await;
            scene.rotate(&second, &owner).await;
            scene.resume(first.refresh.as_ref().unwrap(), &Client::new(None, "curl/8.0")).await;
        });
        let [told] = scene.outbox.messages().try_into().unwrap();
        scene.clock.advance(UNTOLD_AFTER + Duration::SECOND);
        assert_eq!(scene.auth.tell_untold().unwrap(), 0, "it was told");

        let user = crate::domain::id::UserId(1);
        let forget = move |rows: &mut _| users::theft_told(rows, user, NOW);
        scene.auth.database.write_blocking(forget).unwrap();
        assert_eq!(scene.auth.tell_untold().unwrap(), 1);
        assert_eq!(scene.outbox.messages()[1], told);
        assert_eq!(scene.auth.tell_untold().unwrap(), 0, "once");

        scene.auth.database.write_blocking(forget).unwrap();
        scene.clock.advance(UNTOLD_UNTIL);
        assert_eq!(scene.auth.tell_untold().unwrap(), 0, "it is no news any more");
        scene.clock.jump(-(UNTOLD_UNTIL + UNTOLD_AFTER));
        assert_eq!(scene.auth.tell_untold().unwrap(), 0, "it may be on its way");
    }
}
