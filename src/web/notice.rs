//! What the next page says once, after a sign-in or something else was done.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::admin_notice::AdminNotice;
use crate::domain::password_quality::Weakness;

/// Something that was done or found out, to be told on the next page.
///
/// It travels in the form cookie, signed, so that any process can show it and none has to keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The sign-in on another device, named in words, was ended.
    DeviceSignedOut(String),
    /// So many sign-ins on other devices were ended.
    OthersSignedOut(usize),
    /// The warning of a theft was taken note of.
    TheftAcknowledged,
    /// Who has just signed in has a password that is too easy to guess.
    WeakPassword(Weakness),
    /// A new password was set by a mailed link.
    PasswordReset,
    /// The user has another name.
    NameChanged,
    /// The user reads times in another zone.
    TimeZoneChanged,
    /// A form that was kept until its user had signed in is kept no longer.
    FormOver,
    /// The user has another password, and this sign-in goes on.
    PasswordChanged,
    /// The account of whoever was signed in here is gone.
    AccountDeleted,
    /// A link to confirm an address was sent again, if there was one to send.
    LinkSentAgain,
    /// An account was made by a mailed link, and its owner signed in.
    EmailConfirmed,
    /// An account was made by a mailed link, in a browser that is signed in to another.
    AccountReady,
    /// A link to confirm the new address is on its way.
    ConfirmEmail,
    /// The account keeps its address.
    EmailChangeCancelled,
    /// The account has the new address.
    EmailChanged,
    /// A change of address was undone by a mailed link.
    EmailUndone,
    /// A sign-in was ended by a mailed link.
    SignInEnded,
    /// An administrator did something to an account.
    Administered(AdminNotice),
}

impl Notice {
    /// Writes it with characters that a cookie takes, and without a dot.
    pub(crate) fn encode(&self) -> String {
        match self {
            Self::DeviceSignedOut(device) => format!("device-{}", URL_SAFE_NO_PAD.encode(device)),
            Self::OthersSignedOut(count) => format!("others-{count}"),
            Self::TheftAcknowledged => "theft-".to_owned(),
            Self::WeakPassword(weakness) => format!("password-{}", weakness.as_str()),
            Self::PasswordReset => "reset-".to_owned(),
            Self::NameChanged => "name-".to_owned(),
            Self::TimeZoneChanged => "zone-".to_owned(),
            Self::FormOver => "form-".to_owned(),
            Self::PasswordChanged => "changed-".to_owned(),
            Self::AccountDeleted => "deleted-".to_owned(),
            Self::LinkSentAgain => "link-".to_owned(),
            Self::EmailConfirmed => "confirmed-".to_owned(),
            Self::AccountReady => "account-".to_owned(),
            Self::ConfirmEmail => "confirm-".to_owned(),
            Self::EmailChangeCancelled => "cancelled-".to_owned(),
            Self::EmailChanged => "email-".to_owned(),
            Self::EmailUndone => "undone-".to_owned(),
            Self::SignInEnded => "ended-".to_owned(),
            Self::Administered(done) => format!("admin-{}", done.encode()),
        }
    }

    /// Reads what [`Notice::encode`] wrote.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        match text.split_once('-')? {
            ("device", name) => {
                let name = URL_SAFE_NO_PAD.decode(name).ok()?;
                Some(Self::DeviceSignedOut(String::from_utf8(name).ok()?))
            }
            ("others", count) => count.parse().ok().map(Self::OthersSignedOut),
            ("theft", "") => Some(Self::TheftAcknowledged),
            ("password", weakness) => Weakness::named(weakness).map(Self::WeakPassword),
            ("reset", "") => Some(Self::PasswordReset),
            ("name", "") => Some(Self::NameChanged),
            ("zone", "") => Some(Self::TimeZoneChanged),
            ("form", "") => Some(Self::FormOver),
            ("changed", "") => Some(Self::PasswordChanged),
            ("deleted", "") => Some(Self::AccountDeleted),
            ("link", "") => Some(Self::LinkSentAgain),
            ("confirmed", "") => Some(Self::EmailConfirmed),
            ("account", "") => Some(Self::AccountReady),
            ("confirm", "") => Some(Self::ConfirmEmail),
            ("cancelled", "") => Some(Self::EmailChangeCancelled),
            ("email", "") => Some(Self::EmailChanged),
            ("undone", "") => Some(Self::EmailUndone),
            ("ended", "") => Some(Self::SignInEnded),
            ("admin", done) => AdminNotice::decode(done).map(Self::Administered),
            _ => None,
        }
    }

    /// Tells whether it asks for something to be done, rather than confirms what was.
    pub(crate) fn is_warning(&self) -> bool {
        matches!(self, Self::WeakPassword(_) | Self::FormOver)
    }

    /// Returns where to do what it asks for, and the words of the link that leads there.
    pub(crate) fn link(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::WeakPassword(_) => Some(("/account#password", "Change your password")),
            _ => None,
        }
    }

    /// Says it to the person whom it concerns.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::DeviceSignedOut(device) => format!("{device} is signed out."),
            Self::OthersSignedOut(0) => "No other device was signed in.".to_owned(),
            Self::OthersSignedOut(1) => "Your other device is signed out.".to_owned(),
            Self::OthersSignedOut(count) => format!("Your {count} other devices are signed out."),
            Self::TheftAcknowledged => {
                "Thank you. The warning is gone; what happened stays on your activity page.".to_owned()
            }
            Self::WeakPassword(weakness) => {
                let reason = match weakness {
                    Weakness::Leaked => "it is on lists of common and leaked passwords, which are tried first",
                    Weakness::Personal => "it is made of your name, your email address or the name of this site",
                    Weakness::Guessable => "it is easy to guess, being made of very common words or patterns",
                };
                format!("Please change your password: {reason}. Three random words make a good one.")
            }
            Self::PasswordReset => {
                "Your password was changed, and every device was signed out. Sign in with the new password.".to_owned()
            }
            Self::NameChanged => "Your name was changed.".to_owned(),
            Self::TimeZoneChanged => "Your time zone was changed.".to_owned(),
            Self::FormOver => {
                "The form you sent was not carried out. It was kept for ten minutes, which are over, so please fill it in \
                 again."
                    .to_owned()
            }
            Self::PasswordChanged => {
                "Your password was changed. Every other device was signed out; you stay signed in here.".to_owned()
            }
            Self::AccountDeleted => "Your account was deleted.".to_owned(),
            Self::LinkSentAgain => {
                "If an account waits for that address to be confirmed, a new link is on its way.".to_owned()
            }
            Self::EmailConfirmed => "Your email address is confirmed. Welcome!".to_owned(),
            Self::AccountReady => {
                "The new account is ready. Sign out here to sign in to it, or use another browser.".to_owned()
            }
            Self::ConfirmEmail => {
                "A link is on its way to the new address. Your address changes once you open it.".to_owned()
            }
            Self::EmailChangeCancelled => "Your email address stays as it is.".to_owned(),
            Self::EmailChanged => "The email address was changed. From now on, sign in with the new one.".to_owned(),
            Self::EmailUndone => {
                "Your account has its address back, and every device was signed out. Now set a new password.".to_owned()
            }
            Self::SignInEnded => {
                "That sign-in was ended. If it was not yours, somebody knows your password: set a new one now."
                    .to_owned()
            }
            Self::Administered(done) => done.words(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notice_survives_the_way_through_a_cookie() {
        for notice in [
            Notice::DeviceSignedOut("Firefox on Linux".to_owned()),
            Notice::DeviceSignedOut("Grüße; a=b, \"c\" – d.e".to_owned()),
            Notice::OthersSignedOut(0),
            Notice::OthersSignedOut(2),
            Notice::TheftAcknowledged,
            Notice::WeakPassword(Weakness::Leaked),
            Notice::WeakPassword(Weakness::Personal),
            Notice::WeakPassword(Weakness::Guessable),
            Notice::PasswordReset,
            Notice::NameChanged,
            Notice::TimeZoneChanged,
            Notice::PasswordChanged,
            Notice::AccountDeleted,
            Notice::LinkSentAgain,
            Notice::EmailConfirmed,
            Notice::AccountReady,
            Notice::ConfirmEmail,
            Notice::EmailChangeCancelled,
            Notice::EmailChanged,
            Notice::EmailUndone,
            Notice::SignInEnded,
            Notice::Administered(AdminNotice::Deactivated { ended: 0 }),
            Notice::Administered(AdminNotice::Deactivated { ended: 12 }),
            Notice::Administered(AdminNotice::Activated),
            Notice::Administered(AdminNotice::Unlocked),
            Notice::Administered(AdminNotice::Revoked { ended: 1 }),
            Notice::Administered(AdminNotice::LinkMailed),
            Notice::Administered(AdminNotice::RoleGiven),
            Notice::Administered(AdminNotice::Invited),
            Notice::Administered(AdminNotice::Unchanged),
        ] {
            let text = notice.encode();
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
            assert_eq!(Notice::decode(&text), Some(notice));
        }
        for text in [
            "",
            "-",
            "device",
            "device-!",
            "device-_w",
            "others-",
            "others-x",
            "theft-x",
            "email-x",
            "password-",
            "password-x",
            "admin-",
            "admin-revoked_",
            "admin-unlocked_1",
            "later-1",
        ] {
            assert_eq!(Notice::decode(text), None, "{text}");
        }
    }
}
