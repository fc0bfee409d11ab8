//! What happened to anybody's account, in words for whoever runs the site.

use super::device::device;
use crate::domain::event::{ADMINISTRATOR, COMMAND_LINE};

/// Says what happened, of an event of a kind and for a reason.
pub fn words(kind: &str, reason: &str) -> String {
    let words = match (kind, reason) {
        ("signed_in", _) => "Signed in",
        ("sign_in_failed", "deactivated") => "Sign-in refused: the account is deactivated",
        ("sign_in_failed", _) => "Sign-in failed",
        ("auto_signed_in", _) => "Kept signed in",
        ("signed_out", "signed_out_everywhere") => "Signed out everywhere",
        ("signed_out", _) => "Signed out",
        ("session_revoked", "deactivated") => "Sign-in ended: the account was deactivated",
        ("session_revoked", "password_changed") => "Sign-in ended: the password was changed",
        ("session_revoked", "revoked_by_operator") => "Sign-in ended by whoever runs this site",
        ("session_revoked", "revoked_on_another_device") => "Sign-in ended from another device",
        ("session_revoked", "mailed_link") => "Sign-in ended by a mailed link",
        ("session_revoked", _) => "Sign-in ended",
        ("refresh_token_replayed", _) => "A copy of a sign-in was used; that sign-in was ended",
        ("account_locked", _) => "Account locked after too many tries",
        ("account_unlocked", _) => "Account unlocked",
        ("registered", _) => "Account made",
        ("password_changed", "password_reset") => "Password changed by a mailed link",
        ("password_changed", _) => "Password changed",
        ("password_reset_requested", "unknown_account") => "Link for a new password asked for: no such account",
        ("password_reset_requested", "deactivated") => "Link for a new password asked for: the account is deactivated",
        ("password_reset_requested", "mail_limit") => "Link for a new password asked for too often; none was mailed",
        ("password_reset_requested", _) => "Link for a new password made",
        ("password_reset", _) => "New password set by a mailed link",
        ("email_changed", "undone") => "Change of the email address undone",
        ("email_changed", _) => "Email address changed",
        ("email_verified", _) => "Email address confirmed",
        ("user_deactivated", _) => "Account deactivated",
        ("user_activated", _) => "Account activated",
        ("role_changed", _) => "Role changed",
        ("user_deleted", _) => "Account deleted",
        ("signing_key_added", _) => "New signing key put in front of the others",
        ("device_bound", _) => "Sign-in bound to its device",
        ("device_not_proven", _) => "Sign-in used without the proof of its device",
        (other, _) => return in_one_line(other),
    };
    words.to_owned()
}

/// Writes the name of a kind that this version does not know.
fn in_one_line(kind: &str) -> String {
    kind.replace('_', " ")
}

/// Says who did it, where it was not the user: an administrator by the number of the account, or a command.
pub fn by_whom(by: &str, user: Option<i64>) -> Option<String> {
    match (by, user) {
        (ADMINISTRATOR, Some(user)) => Some(format!("administrator {user}")),
        (ADMINISTRATOR, None) => Some("an administrator".to_owned()),
        (COMMAND_LINE, _) => Some("the command line".to_owned()),
        _ => None,
    }
}

/// Says at which browser and from which address something was done; nothing where neither is known.
pub fn whence(user_agent: &str, address: &str) -> Option<String> {
    match (user_agent, address) {
        ("", "") => None,
        ("", address) => Some(address.to_owned()),
        (user_agent, "") => Some(device(user_agent)),
        (user_agent, address) => Some(format!("{}, {address}", device(user_agent))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::event::EventFilter;

    #[test]
    fn every_kind_that_an_owner_reads_of_has_words_for_the_operator() {
        for kind in EventFilter::ALL.into_iter().flat_map(EventFilter::kinds) {
            assert_ne!(words(kind, ""), in_one_line(kind), "{kind}");
            assert!(!words(kind, "").contains("You"), "{kind}");
        }
        assert_eq!(words("from_the_future", ""), "from the future");
    }

    #[test]
    fn whoever_did_it_is_named() {
        assert_eq!(by_whom(ADMINISTRATOR, Some(7)).as_deref(), Some("administrator 7"));
        assert_eq!(by_whom(COMMAND_LINE, None).as_deref(), Some("the command line"));
        assert_eq!(by_whom("", Some(7)), None);
    }
}
