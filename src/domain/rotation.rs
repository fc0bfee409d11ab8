//! The promise as a pure function: what a presented refresh token means.
//!
//! *Never signed out by accident, never kept in by theft.* A response can be lost at any time, so the predecessor of
//! the active token must go on working until its successor was used (FAPI 2.0 Security Profile section 5.3.2.1 asks
//! this of anyone who rotates). If it worked without a trace, thief and owner could both go on for ever; so whoever
//! presents the predecessor after the grace gets a *new* branch and the branch not presented dies. Its holder is
//! caught at its next use, and the sign-in ends for both.
//!
//! The one limit: a message that is under way for longer than the grace. An answer that arrives after the answer to its
//! own retry overwrites the live branch in the jar with the dead one; a request that was overtaken and arrives after the
//! grace gets a branch and kills the one that its browser holds. Neither can be told from theft.

use time::{Duration, OffsetDateTime};

use crate::domain::session::{EndReason, Lifetimes, Session};
use crate::domain::token::RefreshToken;

/// What a presented refresh token means, and what is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// No such sign-in, or one from a future this database does not know (restored from a backup): sign in again; no
    /// alarm.
    Unknown,
    /// The sign-in is over: say why.
    Ended(EndReason),
    /// The active token: swap in the next generation.
    Rotate,
    /// The predecessor, within the grace: a parallel request. Signed in; the winner's refresh token is in the jar or on
    /// its way there.
    Overlap,
    /// The predecessor, later: the answer that carried its successor was lost. Swap a new secret into the same
    /// generation; the lost one is dead.
    Reissue,
    /// Two parties hold this sign-in: end it.
    Replayed,
}

/// Decides what `presented` means, given the row of its sign-in as it stands at `now`.
///
/// The function is pure: no clock, no database; the caller carries the decision out by compare-and-swap and asks again
/// with the new row if it lost the race.
pub fn decide(
    session: Option<&Session>,
    presented: &RefreshToken,
    lifetimes: &Lifetimes,
    now: OffsetDateTime,
) -> Decision {
    let Some(session) = session else { return Decision::Unknown };
    if let Some(reason) = session.ended(lifetimes, now) {
        return Decision::Ended(reason);
    }
    if presented.generation > session.generation {
        return Decision::Unknown;
    }
    let secret = presented.secret.hash();
    if presented.generation == session.generation && secret == session.token_hash {
        return Decision::Rotate;
    }
    if presented.generation == session.generation - 1 && session.previous_hash == Some(secret) {
        return if within_grace(session.rotated_at, lifetimes.reuse_grace, now) {
            Decision::Overlap
        } else {
            Decision::Reissue
        };
    }
    Decision::Replayed
}

/// Tells whether `now` is at most the grace away from the rotation, in either direction.
///
/// In either direction, because two nodes' clocks differ a little; but a clock that was set back by more than the
/// grace does not stretch it: the predecessor then gets a new branch, which is safe at any time.
fn within_grace(rotated_at: OffsetDateTime, grace: Duration, now: OffsetDateTime) -> bool {
    (now - rotated_at).abs() <= grace
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{SessionId, UserId};
    use crate::domain::session::Revocation;
    use crate::domain::token::RefreshSecret;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-03-01 12:00 UTC);

    fn lifetimes() -> Lifetimes {
        Lifetimes {
            access: Duration::minutes(15),
            kept: Duration::days(30),
            idle: Duration::days(14),
            browser_session: Duration::hours(24),
            reuse_grace: Duration::seconds(30),
        }
    }

    fn secret(byte: u8) -> RefreshSecret {
        RefreshSecret::from_bytes([byte; 32])
    }

    /// Generation 5 with secret 5, predecessor 4, rotated a minute ago.
    fn session() -> Session {
        Session {
            id: SessionId::from_bytes([1; 16]),
            user_id: UserId(1),
            generation: 5,
            token_hash: secret(5).hash(),
            previous_hash: Some(secret(4).hash()),
            rotated_at: NOW - Duration::minutes(1),
            created_at: NOW - Duration::days(1),
            authenticated_at: NOW - Duration::days(1),
            last_seen_at: NOW - Duration::minutes(1),
            expires_at: NOW + Duration::days(29),
            kept: true,
            revoked: None,
            user_agent: String::new(),
            address: String::new(),
        }
    }

    fn token(generation: i64, byte: u8) -> RefreshToken {
        RefreshToken { session: SessionId::from_bytes([1; 16]), generation, secret: secret(byte) }
    }

    fn decided(session: &Session, generation: i64, byte: u8) -> Decision {
        decide(Some(session), &token(generation, byte), &lifetimes(), NOW)
    }

    #[test]
    fn case_1_no_row() {
        assert_eq!(decide(None, &token(0, 0), &lifetimes(), NOW), Decision::Unknown);
    }

    #[test]
    fn case_2_a_revoked_row_says_why_whatever_is_presented() {
        for reason in EndReason::ALL {
            let row = Session { revoked: Some(Revocation { at: NOW, because: reason }), ..session() };
            for (generation, byte) in [(5, 5), (4, 4), (3, 3), (5, 9), (6, 6)] {
                assert_eq!(decided(&row, generation, byte), Decision::Ended(reason));
            }
        }
    }

    #[test]
    fn case_3_expired_exactly_at_the_end_and_not_a_second_before() {
        let at = |end| decided(&Session { expires_at: end, ..session() }, 5, 5);
        assert_eq!(at(NOW), Decision::Ended(EndReason::Expired));
        assert_eq!(at(NOW + Duration::seconds(1)), Decision::Rotate);
    }

    #[test]
    fn case_3_idle_exactly_at_the_limit_and_kept_sign_ins_alone() {
        let seen = |ago, kept| decided(&Session { last_seen_at: NOW - ago, kept, ..session() }, 5, 5);
        assert_eq!(seen(Duration::days(14), true), Decision::Ended(EndReason::Idle));
        assert_eq!(seen(Duration::days(14) - Duration::seconds(1), true), Decision::Rotate);
        assert_eq!(seen(Duration::days(14), false), Decision::Rotate);
    }

    #[test]
    fn case_4_the_active_token_rotates() {
        assert_eq!(decided(&session(), 5, 5), Decision::Rotate);
    }

    #[test]
    fn case_5_and_6_turn_on_the_grace_exactly() {
        let after = |ago| decided(&Session { rotated_at: NOW - ago, ..session() }, 4, 4);
        assert_eq!(after(Duration::ZERO), Decision::Overlap);
        assert_eq!(after(Duration::seconds(30)), Decision::Overlap);
        assert_eq!(after(Duration::seconds(31)), Decision::Reissue);
    }

    #[test]
    fn a_clock_set_back_does_not_stretch_the_grace() {
        let ahead = |by| decided(&Session { rotated_at: NOW + by, ..session() }, 4, 4);
        assert_eq!(ahead(Duration::seconds(30)), Decision::Overlap);
        assert_eq!(ahead(Duration::seconds(31)), Decision::Reissue);
        assert_eq!(ahead(Duration::days(365)), Decision::Reissue);
    }

    #[test]
    fn a_clock_set_back_does_not_make_a_sign_in_idle() {
        let row = Session { last_seen_at: NOW + Duration::days(365), ..session() };
        assert_eq!(decided(&row, 5, 5), Decision::Rotate);
    }

    #[test]
    fn case_7_anything_older_or_forked_is_a_replay() {
        for (generation, byte) in [(0, 0), (3, 3), (3, 4), (4, 3), (4, 5), (5, 4), (5, 6)] {
            assert_eq!(decided(&session(), generation, byte), Decision::Replayed, "{generation} {byte}");
        }
    }

    #[test]
    fn case_7_holds_before_the_first_rotation_too() {
        let first = Session { generation: 0, previous_hash: None, token_hash: secret(0).hash(), ..session() };
        assert_eq!(decided(&first, 0, 0), Decision::Rotate);
        assert_eq!(decided(&first, 0, 1), Decision::Replayed);
    }

    #[test]
    fn case_8_a_token_from_the_future_raises_no_alarm() {
        assert_eq!(decided(&session(), 6, 6), Decision::Unknown);
        assert_eq!(decided(&session(), i64::MAX, 5), Decision::Unknown);
    }
}
