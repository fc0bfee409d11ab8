//! What the next page says once after an administrator did something.

use crate::display::duration::spelled;

/// Something that an administrator did to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdminNotice {
    /// Its user may not sign in any more.
    Deactivated {
        /// How many sign-ins ended.
        ended: usize,
    },
    /// Its user may sign in again.
    Activated,
    /// The wrong passwords that were tried are forgotten.
    Unlocked,
    /// Its sign-ins were ended.
    Revoked {
        /// How many.
        ended: usize,
    },
    /// A link to set a new password is on its way to its user.
    LinkMailed,
    /// It has the role that was asked for.
    RoleGiven,
    /// It was made, and a link to set its password is on its way.
    Invited,
    /// There was nothing to do.
    Unchanged,
}

impl AdminNotice {
    /// Writes it with characters that a cookie takes.
    pub(super) fn encode(self) -> String {
        match self {
            Self::Deactivated { ended } => format!("deactivated_{ended}"),
            Self::Activated => "activated".to_owned(),
            Self::Unlocked => "unlocked".to_owned(),
            Self::Revoked { ended } => format!("revoked_{ended}"),
            Self::LinkMailed => "link".to_owned(),
            Self::RoleGiven => "role".to_owned(),
            Self::Invited => "invited".to_owned(),
            Self::Unchanged => "unchanged".to_owned(),
        }
    }

    /// Reads what [`AdminNotice::encode`] wrote.
    pub(super) fn decode(text: &str) -> Option<Self> {
        match text.split_once('_') {
            Some(("deactivated", ended)) => Some(Self::Deactivated { ended: ended.parse().ok()? }),
            Some(("revoked", ended)) => Some(Self::Revoked { ended: ended.parse().ok()? }),
            Some(_) => None,
            None => match text {
                "activated" => Some(Self::Activated),
                "unlocked" => Some(Self::Unlocked),
                "link" => Some(Self::LinkMailed),
                "role" => Some(Self::RoleGiven),
                "invited" => Some(Self::Invited),
                "unchanged" => Some(Self::Unchanged),
                _ => None,
            },
        }
    }

    /// Says it to the administrator.
    pub(super) fn words(self) -> String {
        match self {
            Self::Deactivated { ended: 0 } => "The account is deactivated. Nobody was signed in to it.".to_owned(),
            Self::Deactivated { ended } => {
                format!("The account is deactivated, and {} ended.", spelled(ended, "sign-in"))
            }
            Self::Activated => "The account is active again. Its owner can sign in.".to_owned(),
            Self::Unlocked => "The account is unlocked: the next try to sign in counts as the first.".to_owned(),
            Self::Revoked { ended: 1 } => "One sign-in was ended.".to_owned(),
            Self::Revoked { ended } => format!("{ended} sign-ins were ended."),
            Self::LinkMailed => "A link to set a new password is on its way.".to_owned(),
            Self::RoleGiven => "The role was changed. It counts from the next page on.".to_owned(),
            Self::Invited => "The account is made, and a link to set its password is on its way.".to_owned(),
            Self::Unchanged => "Nothing was changed: it was like that already.".to_owned(),
        }
    }
}
