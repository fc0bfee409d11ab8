//! Rows with the key of a device.

use super::*;
use crate::domain::device_key::DeviceKey;
use crate::domain::session::Revocation;

const KEY: DeviceKey = DeviceKey::from_bytes([7; 64]);

/// A row whose device proved itself at its last rotation, an hour ago.
fn bound() -> Session {
    Session { device_key: Some(KEY), proved_generation: Some(5), ..session() }
}

/// A row with a key that nobody has proved to hold.
fn keyed() -> Session {
    Session { device_key: Some(KEY), proved_generation: None, ..session() }
}

fn prove(session: &Session, generation: i64, tokens: &[RefreshToken], circumstances: &Circumstances) -> Transition {
    decide_proof(Some(session), &Proof { generation, tokens }, circumstances)
}

#[test]
fn without_a_proof_no_token_opens_a_bound_row_and_none_ends_it() {
    let row = bound();
    for now in [NOW, row.rotated_at, NOW + Duration::days(2)] {
        for circumstances in [STEADY, UNSTEADY, BESIDE_VERSION_1].map(|given| Circumstances { now, ..given }) {
            for token in [active(), predecessor(), token(5, 8), token(2, 2), token(9, 9)] {
                stays(decide(Some(&row), &token, &circumstances), Decision::NotProven);
            }
        }
    }
    assert!(!Decision::NotProven.opens() && !Decision::Stale.opens());
}

#[test]
fn a_key_without_a_proof_binds_nothing() {
    let mut row = keyed();
    assert!(!row.is_bound() && row.proving_key().is_some());
    assert_eq!(decided(&row, &active()), Decision::Rotate);
    assert_eq!(decided(&row, &predecessor()), Decision::Reissue);
    assert_eq!(decided(&row, &token(3, 8)), Decision::Replayed);
    // A version that knows no keys has rotated since the last proof.
    row.proved_generation = Some(4);
    assert!(!row.is_bound() && row.proving_key().is_none());
    assert_eq!(decided(&row, &active()), Decision::Rotate);
    stays(prove(&row, 5, &[active()], &STEADY), Decision::Unknown);
    assert!(!Session { device_key: None, proved_generation: Some(5), ..session() }.is_bound());
}

#[test]
fn a_rotation_without_a_proof_drops_the_key() {
    let off = Circumstances { binds: false, ..STEADY };
    for row in [bound(), keyed()] {
        for token in [active(), predecessor()] {
            let after = row_after(decide(Some(&row), &token, &off), &row).unwrap();
            assert_eq!((after.device_key, after.proved_generation), (None, None));
        }
    }
}

#[test]
fn a_proof_over_the_current_challenge_rotates_whatever_cookies_come_with_it() {
    let (five, four) = (Some(secret(5).hash()), Some(secret(4).hash()));
    for (tokens, previous) in [
        (&[active()][..], five),
        (&[predecessor(), active()], five),
        (&[predecessor()], four),
        (&[token(2, 2)], four),
        (&[], four),
    ] {
        for row in [bound(), keyed()] {
            let transition = prove(&row, 5, tokens, &STEADY);
            assert_eq!(transition.decision, Decision::Rotate);
            let after = row_after(transition, &row).unwrap();
            assert_eq!((after.generation, after.token_hash, after.previous_hash), (6, secret(9).hash(), previous));
            assert!(after.is_bound() && after.device_key == Some(KEY));
        }
    }
}

#[test]
fn within_the_window_a_proof_is_noted_and_nothing_rotates() {
    for ago in [Duration::ZERO, WINDOW, -WINDOW] {
        let row = Session { rotated_at: NOW - ago, ..keyed() };
        let transition = prove(&row, 5, &[], &STEADY);
        assert_eq!((transition.decision, transition.effect), (Decision::Fresh, Effect::Proved));
        let after = row_after(transition, &row).unwrap();
        assert!(after.is_bound() && after.generation == 5 && after.token_hash == row.token_hash);
        assert_eq!((after.previous_hash, after.rotated_at), (row.previous_hash, row.rotated_at));
        stays(prove(&after, 5, &[], &STEADY), Decision::Fresh);
        stays(prove(&after, 4, &[], &STEADY), Decision::Overlap);
    }
    let later = Session { rotated_at: NOW - WINDOW - Duration::SECOND, ..bound() };
    assert_eq!(prove(&later, 5, &[], &STEADY).decision, Decision::Rotate);
    stays(prove(&later, 4, &[], &STEADY), Decision::Stale);
}

#[test]
fn every_other_challenge_is_stale_and_never_an_alarm() {
    let row = Session { rotated_at: NOW, ..bound() };
    for generation in [i64::MIN, -1, 0, 3, 6, 7, i64::MAX] {
        stays(prove(&row, generation, &[active()], &STEADY), Decision::Stale);
    }
}

#[test]
fn a_process_that_cannot_judge_lets_a_proof_in_and_touches_no_row() {
    for row in [bound(), keyed()] {
        stays(prove(&row, 5, &[], &UNSTEADY), Decision::Fresh);
        stays(prove(&row, 4, &[], &UNSTEADY), Decision::Overlap);
        stays(prove(&row, 3, &[], &UNSTEADY), Decision::Stale);
    }
}

#[test]
fn a_proof_revives_nothing() {
    let revoked = Some(Revocation { at: NOW, because: EndReason::SignedOut });
    stays(prove(&Session { revoked, ..bound() }, 5, &[], &STEADY), Decision::Ended(EndReason::SignedOut));
    let expired = Session { expires_at: NOW, ..bound() };
    stays(prove(&expired, 5, &[], &STEADY), Decision::Ended(EndReason::Expired));
    stays(decide_proof(None, &Proof { generation: 5, tokens: &[] }, &STEADY), Decision::Unknown);
}
