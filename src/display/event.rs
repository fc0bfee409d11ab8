//! What happened to an account, in words: the one place that knows every kind of audit event.

use crate::display::device::device;
use crate::domain::event::{ADMINISTRATOR, APPLICATION, COMMAND_LINE, PastEvent};

/// How much an event calls for attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Somebody came in, or the account became safer.
    Good,
    /// Something ended or changed.
    Plain,
    /// Worth a look, whoever did it.
    Warning,
}

/// What to do if an event was somebody else's doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// What it would mean, and what to do.
    pub words: &'static str,
    /// Where to do it, and how the link reads.
    pub link: Option<(&'static str, &'static str)>,
}

/// An event as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// What happened.
    pub words: String,
    /// The name of its drawing in `icon.html`.
    pub icon: &'static str,
    /// How much it calls for attention.
    pub tone: Tone,
    /// What to do if it was somebody else; none where the owner of the account can do nothing about it.
    pub advice: Option<Advice>,
}

const DEVICES: Option<(&str, &str)> = Some(("/devices", "Look at your devices"));
const PASSWORD: Option<(&str, &str)> = Some(("/account", "Change your password"));

const STRANGER: Option<Advice> = Some(Advice {
    words: "Then somebody knows your password. End that sign-in and change the password.",
    link: DEVICES,
});

const GUESSER: Option<Advice> = Some(Advice {
    words: "If that was not you, somebody may be guessing. A password of three random words holds.",
    link: PASSWORD,
});

const UNKNOWN_SIGN_INS: Option<Advice> =
    Some(Advice { words: "Look at your devices and end every sign-in you do not know.", link: DEVICES });

const MAILBOX: Option<Advice> = Some(Advice {
    words: "If that was not you, somebody can read your mail. Secure your mailbox first, then set a new password.",
    link: Some(("/password-reset", "Set a new password")),
});

const ASKED: Option<Advice> =
    Some(Advice { words: "You need do nothing: your password stays as it is until the link is used.", link: None });

const ACCOUNT: Option<Advice> =
    Some(Advice { words: "Then somebody has access to your account. Change your password at once.", link: PASSWORD });

/// Describes an event.
pub fn describe(event: &PastEvent) -> Described {
    let (words, icon, tone, advice) = match (event.kind.as_str(), event.reason.as_str()) {
        ("registered", _) if by_operator(event) || event.by == APPLICATION => {
            ("This account was made for you", "person", Tone::Good, None)
        }
        ("password_reset_requested", _) if event.by == ADMINISTRATOR => {
            ("A link for a new password was mailed to you", "mail", Tone::Plain, None)
        }
        ("password_reset_requested", _) if by_operator(event) || event.by == APPLICATION => {
            ("A link for a new password was made", "key", Tone::Warning, None)
        }
        ("signed_in", _) => ("You signed in", "enter", Tone::Good, STRANGER),
        ("sign_in_failed", "deactivated") => {
            ("A sign-in was refused: the account was deactivated", "alert", Tone::Warning, None)
        }
        ("sign_in_failed", _) => ("A sign-in failed: wrong password", "alert", Tone::Warning, GUESSER),
        (KEPT, _) => ("You were kept signed in", "again", Tone::Good, None),
        ("signed_out", "signed_out_everywhere") => ("You signed out everywhere", "leave", Tone::Plain, None),
        ("signed_out", _) => ("You signed out", "leave", Tone::Plain, None),
        ("session_revoked", "deactivated") => {
            ("A sign-in was ended: the account was deactivated", "leave", Tone::Warning, None)
        }
        ("session_revoked", "password_changed") => {
            ("A sign-in was ended: the password was changed", "leave", Tone::Plain, None)
        }
        ("session_revoked", "revoked_by_operator") => {
            ("A sign-in was ended by whoever runs this site", "leave", Tone::Warning, None)
        }
        ("session_revoked", "restored") => {
            ("A sign-in was ended: the data were restored from a backup", "leave", Tone::Plain, None)
        }
        ("session_revoked", "mailed_link") => {
            ("A sign-in was ended by a mailed link", "leave", Tone::Warning, STRANGER)
        }
        ("session_revoked", _) => ("You ended a sign-in on another device", "leave", Tone::Plain, STRANGER),
        ("refresh_token_replayed", _) => {
            ("A copy of a sign-in was used; that sign-in was ended", "alert", Tone::Warning, UNKNOWN_SIGN_INS)
        }
        ("account_locked", _) => {
            ("The account was locked for a while after too many tries", "lock", Tone::Warning, GUESSER)
        }
        ("account_unlocked", _) => {
            ("The lock of the account was ended by whoever runs this site", "lock", Tone::Plain, None)
        }
        ("registered", _) => ("You made this account", "person", Tone::Good, None),
        ("password_changed", "password_reset") => {
            ("Your password was changed by a mailed link", "key", Tone::Warning, MAILBOX)
        }
        ("password_changed", _) => ("You changed your password", "key", Tone::Plain, MAILBOX),
        ("password_reset_requested", _) => ("A new password was asked for by mail", "mail", Tone::Plain, ASKED),
        ("password_reset", _) => ("You set a new password by a mailed link", "key", Tone::Warning, MAILBOX),
        ("email_changed", "undone") => {
            ("A change of your email address was undone by a mailed link", "mail", Tone::Warning, MAILBOX)
        }
        ("email_changed", _) => ("You changed your email address", "mail", Tone::Warning, ACCOUNT),
        ("email_verified", _) => ("You confirmed your email address", "mail", Tone::Good, None),
        ("user_deactivated", _) => ("The account was deactivated", "alert", Tone::Warning, None),
        ("user_activated", _) => ("The account was activated", "person", Tone::Good, None),
        ("role_changed", _) => ("Your role was changed", "person", Tone::Warning, None),
        ("user_deleted", _) => ("The account was deleted", "person", Tone::Warning, None),
        ("device_bound", _) => ("A sign-in was bound to its device", "lock", Tone::Good, None),
        ("device_not_proven", _) => {
            ("A sign-in was used without the proof of its device", "alert", Tone::Warning, UNKNOWN_SIGN_INS)
        }
        (other, _) => {
            let words = other.replace('_', " ");
            return Described { words, icon: "clock", tone: Tone::Plain, advice: None };
        }
    };
    Described { words: words.to_owned(), icon, tone, advice }
}

/// Tells whether whoever runs the site did it, by a command or on a page.
fn by_operator(event: &PastEvent) -> bool {
    [COMMAND_LINE, ADMINISTRATOR].contains(&event.by.as_str())
}

/// Says at which browser and from which address something was done.
pub fn whence(event: &PastEvent) -> String {
    let browser = device(&event.user_agent);
    match event.address.as_str() {
        _ if by_operator(event) => "Done by whoever runs this site".to_owned(),
        "" if event.by == APPLICATION => "Done by this site".to_owned(),
        "" => browser,
        address => format!("{browser}, {address}"),
    }
}

/// The kind of which there are many in a row.
pub const KEPT: &str = "auto_signed_in";

/// Which events a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventFilter {
    /// All of them.
    Everything,
    /// Sign-ins, from their beginning to their end.
    SignIns,
    /// What changed the account itself.
    Changes,
    /// What is worth a look.
    Warnings,
}

impl EventFilter {
    /// Every filter, in the order of their links.
    pub const ALL: [Self; 4] = [Self::Everything, Self::SignIns, Self::Changes, Self::Warnings];

    /// Returns the filter of a name; everything where there is none of it.
    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|filter| filter.name() == name).unwrap_or(Self::Everything)
    }

    /// Returns its name in an address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Everything => "",
            Self::SignIns => "sign-ins",
            Self::Changes => "changes",
            Self::Warnings => "warnings",
        }
    }

    /// Returns how its link reads.
    pub fn title(self) -> &'static str {
        match self {
            Self::Everything => "Everything",
            Self::SignIns => "Sign-ins",
            Self::Changes => "Changes",
            Self::Warnings => "Warnings",
        }
    }

    /// Returns the kinds of event that it lets through; none for all of them.
    pub fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Everything => &[],
            Self::SignIns => &["signed_in", KEPT, "signed_out", "session_revoked", "device_bound"],
            Self::Changes => &[
                "registered",
                "password_changed",
                "password_reset_requested",
                "password_reset",
                "email_changed",
                "email_verified",
                "account_unlocked",
                "user_deactivated",
                "user_activated",
                "role_changed",
            ],
            Self::Warnings => {
                &["sign_in_failed", "refresh_token_replayed", "account_locked", "password_reset", "device_not_proven"]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    fn event(kind: &str, reason: &str, by: &str) -> PastEvent {
        PastEvent {
            id: 1,
            kind: kind.to_owned(),
            reason: reason.to_owned(),
            by: by.to_owned(),
            address: String::new(),
            user_agent: String::new(),
            at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn every_kind_of_a_filter_has_words_of_its_own() {
        for kind in EventFilter::ALL.into_iter().flat_map(EventFilter::kinds) {
            let described = describe(&event(kind, "", ""));
            assert_ne!(described.words, kind.replace('_', " "), "{kind}");
            assert_ne!(described.icon, "clock", "{kind}");
        }
        assert_eq!(describe(&event("from_the_future", "", "")).words, "from the future");
    }

    #[test]
    fn who_did_it_and_why_change_the_words() {
        assert_eq!(describe(&event("registered", "", COMMAND_LINE)).words, "This account was made for you");
        assert_eq!(describe(&event("signed_out", "signed_out_everywhere", "")).words, "You signed out everywhere");
        assert_eq!(describe(&event("password_changed", "password_reset", "")).tone, Tone::Warning);
        assert_eq!(describe(&event("password_changed", "", "")).tone, Tone::Plain);
    }

    #[test]
    fn what_is_let_through_as_a_warning_looks_like_one() {
        for kind in EventFilter::Warnings.kinds() {
            let described = describe(&event(kind, "", ""));
            assert!(described.tone == Tone::Warning && described.advice.is_some(), "{kind}");
        }
    }

    #[test]
    fn a_filter_is_found_by_its_name() {
        for filter in EventFilter::ALL {
            assert_eq!(EventFilter::named(filter.name()), filter);
        }
        assert_eq!(EventFilter::named("nothing"), EventFilter::Everything);
    }
}
