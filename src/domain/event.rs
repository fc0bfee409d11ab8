//! What the audit trail records.

use serde::Serialize;
use time::OffsetDateTime;

use crate::domain::client::Client;
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::EndReason;
use crate::domain::user::Role;

/// Defines the kinds of audit event by their names, which are the contract's.
macro_rules! event_types {
    ($($(#[$doc:meta])* $kind:ident $name:literal,)*) => {
        /// The kinds of audit event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum EventType {
            $($(#[$doc])* $kind,)*
        }

        impl EventType {
            /// Returns the name as the audit trail spells it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// Returns the kind with a name, unless only another version knows it.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$kind),)*
                    _ => None,
                }
            }
        }
    };
}

event_types! {
    /// A password opened a new sign-in.
    SignedIn "signed_in",
    /// A sign-in was refused.
    SignInFailed "sign_in_failed",
    /// A kept sign-in signed its user in without a password.
    AutoSignedIn "auto_signed_in",
    /// The user signed out.
    SignedOut "signed_out",
    /// A sign-in was ended by somebody or something else than its own sign-out.
    SessionRevoked "session_revoked",
    /// A refresh token was used a second time.
    RefreshTokenReplayed "refresh_token_replayed",
    /// An account was locked after too many failed sign-ins.
    AccountLocked "account_locked",
    /// Whoever runs the site ended the lock of an account.
    AccountUnlocked "account_unlocked",
    /// An account was made.
    Registered "registered",
    /// A link to set a new password was asked for.
    PasswordResetRequested "password_reset_requested",
    /// A new password was set by such a link.
    PasswordReset "password_reset",
    /// The address of an account is another one, or the one from before again.
    EmailChanged "email_changed",
    /// Somebody used a link that was mailed to an address.
    EmailVerified "email_verified",
    /// The password of an account is another one, however that came about.
    PasswordChanged "password_changed",
    /// An account was deactivated: its owner may not sign in any more.
    UserDeactivated "user_deactivated",
    /// An account was activated again.
    UserActivated "user_activated",
    /// An account has another role.
    RoleChanged "role_changed",
    /// An account was deleted by its owner; nothing says whose it was.
    UserDeleted "user_deleted",
    /// A new signing key was put in front of the others.
    SigningKeyAdded "signing_key_added",
    /// The browser of a sign-in registered the key of its device.
    DeviceBound "device_bound",
    /// The cookies of a sign-in that is bound to a device came without a proof by it.
    DeviceNotProven "device_not_proven",
}

/// What an event names as its cause where whoever runs the site did something by a command.
pub const COMMAND_LINE: &str = "command line";

/// What an event names as its cause where an administrator did something on a page; it names them beside it.
pub const ADMINISTRATOR: &str = "administrator";

/// What an event names as its cause where the code of an application that embeds Perennial did something.
pub const APPLICATION: &str = "application";

/// Why a sign-in is worth a second look of its user: its password is easy to guess.
pub const WEAK_PASSWORD: &str = "weak_password";

/// The particulars of an event, kept as JSON: whatever does not apply is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Details {
    /// The sign-in it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Where the request came from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// The browser, as it named itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user_agent: String,
    /// Why it happened, in one of our own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Who did it, where that was not the user themselves: [`COMMAND_LINE`], [`ADMINISTRATOR`] or [`APPLICATION`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<&'static str>,
    /// The number of the administrator's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_user: Option<i64>,
    /// The administrator's sign-in; where it was used from stands in its own events, and is nothing for the user to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_session: Option<String>,
    /// The number of an account that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<i64>,
    /// The role that an account has from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The other party of a replay: where the sign-in had been used last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_address: Option<String>,
    /// The other party of a replay: the browser the sign-in was begun in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_user_agent: Option<String>,
}

/// Something worth remembering, about to be written in the transaction of what it tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whom it concerns; nobody, where an unknown address was tried.
    pub user: Option<UserId>,
    /// What happened.
    pub kind: EventType,
    /// The particulars.
    pub details: Details,
    /// When.
    pub at: OffsetDateTime,
}

impl Event {
    /// Records that `kind` happened to `user` at the hands of `client`.
    pub fn new(kind: EventType, user: Option<UserId>, client: &Client, at: OffsetDateTime) -> Self {
        let details =
            Details { address: client.address_text(), user_agent: client.user_agent.clone(), ..Details::default() };
        Self { user, kind, details, at }
    }

    /// Records that `kind` was done by a command, to a user who is named later or not at all.
    pub fn of_command(kind: EventType, user: Option<UserId>, at: OffsetDateTime) -> Self {
        Self { user, kind, details: Details { by: Some(COMMAND_LINE), ..Details::default() }, at }
    }

    /// Records that `kind` was done to `user` by an administrator, within a sign-in of theirs.
    pub fn of_administrator(
        kind: EventType,
        user: UserId,
        administrator: UserId,
        session: SessionId,
        at: OffsetDateTime,
    ) -> Self {
        let details = Details {
            by: Some(ADMINISTRATOR),
            by_user: Some(administrator.0),
            by_session: Some(session.to_string()),
            ..Details::default()
        };
        Self { user: Some(user), kind, details, at }
    }

    /// Records that `kind` was done by the code of the application.
    pub fn of_application(kind: EventType, user: Option<UserId>, at: OffsetDateTime) -> Self {
        Self { user, kind, details: Details { by: Some(APPLICATION), ..Details::default() }, at }
    }

    /// Says that the code of the application did it, at the request of a client.
    #[must_use]
    pub fn by_application(mut self) -> Self {
        self.details.by = Some(APPLICATION);
        self
    }

    /// Records that an account was deleted: of it, the number alone stays, which nothing else names any more.
    ///
    /// An application deletes by that number what it holds of the user itself.
    pub fn of_deletion(account: UserId, at: OffsetDateTime) -> Self {
        let details = Details { account: Some(account.0), ..Details::default() };
        Self { user: None, kind: EventType::UserDeleted, details, at }
    }

    /// Names the sign-in it is about.
    #[must_use]
    pub fn about(mut self, session: SessionId) -> Self {
        self.details.session = Some(session.to_string());
        self
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.details.reason = Some(reason);
        self
    }

    /// Names the role that the account has from now on.
    #[must_use]
    pub fn with_role(mut self, role: &Role) -> Self {
        self.details.role = Some(role.as_str().to_owned());
        self
    }

    /// Names the other party of a replay.
    #[must_use]
    pub fn against(mut self, address: &str, user_agent: &str) -> Self {
        self.details.other_address = Some(address.to_owned());
        self.details.other_user_agent = Some(user_agent.to_owned());
        self
    }

    /// Returns the event that goes with ending a sign-in for `reason`.
    pub fn of_end(reason: EndReason, user: UserId, client: &Client, at: OffsetDateTime) -> Self {
        let kind = match reason {
            EndReason::SignedOut | EndReason::SignedOutEverywhere => EventType::SignedOut,
            EndReason::Replayed => EventType::RefreshTokenReplayed,
            _ => EventType::SessionRevoked,
        };
        Self::new(kind, Some(user), client, at).because(reason.as_str())
    }
}

/// A sign-in that two parties held, as its owner is warned of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theft {
    /// When it was noticed, and ended.
    pub at: OffsetDateTime,
    /// The address that showed a token a second time.
    pub address: String,
    /// The browser it named.
    pub user_agent: String,
    /// The address the sign-in had been used from last.
    pub other_address: String,
    /// The browser the sign-in was begun in.
    pub other_user_agent: String,
}

/// An audit event as its owner reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastEvent {
    /// Its number; a later event has a greater one.
    pub id: i64,
    /// The name of its kind; one that this version does not know is shown as it is.
    pub kind: String,
    /// Why it happened, in one of our own words.
    pub reason: String,
    /// Who did it, where that was no client.
    pub by: String,
    /// Where the request came from.
    pub address: String,
    /// The browser, as it named itself.
    pub user_agent: String,
    /// When.
    pub at: OffsetDateTime,
}

/// A part of the trail of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// The events, newest first.
    pub events: Vec<PastEvent>,
    /// The last event that was looked at, where there may be more behind it.
    pub reached: Option<i64>,
}

/// Which part of the trail a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The newest.
    Newest,
    /// Those right before an event.
    Before(i64),
    /// Those right after an event.
    After(i64),
}
