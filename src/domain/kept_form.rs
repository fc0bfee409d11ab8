//! Forms that are kept until whoever sent them has signed in: for how long, how many, how large, and what never is.

use time::{Duration, OffsetDateTime};

/// How long a form is kept: enough to sign in, with a password looked up or reset on the way. What people typed into a page
/// does not lie about for longer than it is of use.
pub const KEPT_FOR: Duration = Duration::minutes(10);

/// Forms kept for one user: a person has a few tabs open in which a sign-in can end. The oldest makes room.
pub const AT_MOST: usize = 5;

/// Within this, no more forms of a user are kept than there is room for: whoever floods the site with a browser that was
/// thrown out neither keeps the database busy nor pushes out what its owner sent before.
pub const NO_FASTER_THAN: Duration = Duration::seconds(30);

/// Bytes of a form, as it was sent, that is kept at most: four times what a form takes by default, for an application whose
/// own forms take more.
pub const MAX_BYTES: usize = 64 * 1024;

/// Fields of a form that is kept at most: far more than people fill in, and a page that shows them stays small.
pub const MAX_FIELDS: usize = 500;

/// How much further ahead than it could have been written an end may be before the form counts as over, because it was kept
/// before the clock was set back: by so much, the clocks of two processes may differ.
const TOLERANCE: Duration = Duration::minutes(1);

/// Tells whether a form whose end was set to `expires_at` is still kept at `now`.
pub fn is_kept(expires_at: OffsetDateTime, now: OffsetDateTime) -> bool {
    expires_at > now && expires_at <= now + KEPT_FOR + TOLERANCE
}

/// Tells whether the value of a field is never kept, in the database or in a page: that of a password is not, and a field
/// is taken for one by its name.
pub fn is_password(name: &str) -> bool {
    name.to_lowercase().contains("password")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 8:30 UTC);

    #[test]
    fn a_form_is_kept_for_ten_minutes_also_where_the_clock_is_set_back() {
        let end = NOW + KEPT_FOR;
        assert!(is_kept(end, NOW) && is_kept(end, end - Duration::SECOND));
        assert!(!is_kept(end, end) && !is_kept(end, end + Duration::DAY));
        assert!(is_kept(end, NOW - Duration::MINUTE), "the clocks of two processes");
        assert!(!is_kept(end, NOW - Duration::minutes(2)));
    }

    #[test]
    fn a_password_is_known_by_the_name_of_its_field() {
        for name in ["password", "current_password", "newPassword", "PASSWORD-2", "user[password]"] {
            assert!(is_password(name), "{name}");
        }
        assert!(!is_password("passport") && !is_password("note") && !is_password(""));
    }
}
