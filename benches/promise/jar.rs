//! What a browser holds, and how it comes to hold it.

use perennial::domain::device_key::{DEVICE_KEY_BYTES, DeviceKey};
use perennial::domain::id::{SessionId, UserId};
use perennial::domain::session::{Lifetimes, Session, end_of_minute};
use perennial::domain::token::{RefreshSecret, RefreshToken, SECRET_BYTES};
use time::{Duration, OffsetDateTime};

/// The defaults of the program.
pub(crate) const LIFETIMES: Lifetimes = Lifetimes {
    access: Duration::minutes(15),
    kept: Duration::days(30),
    idle: Duration::days(14),
    browser_session: Duration::hours(24),
    reuse_grace: Duration::seconds(30),
};

/// The two cookies, and the challenge that the browser has for its next proof.
#[derive(Debug, Clone)]
pub(crate) struct Jar {
    pub(crate) refresh: RefreshToken,
    /// Rotations in line that led to it since the copy.
    pub(crate) line: u64,
    pub(crate) access_until: OffsetDateTime,
    /// The generation that the challenge is of.
    pub(crate) challenge: i64,
}

/// A browser, and what it held until when.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) jar: Jar,
    pub(crate) before: Option<(Jar, OffsetDateTime)>,
}

/// Makes a token of a number of its own.
pub(crate) fn token(generation: i64, number: u64) -> RefreshToken {
    let mut bytes = [0; SECRET_BYTES];
    for (byte, value) in bytes.iter_mut().zip(number.to_le_bytes()) {
        *byte = value;
    }
    let secret = RefreshSecret::from_bytes(bytes);
    RefreshToken { session: SessionId::from_bytes([0; 16]), generation, secret }
}

/// Signs a person in, whose browser registers a key where it can.
pub(crate) fn sign_in(now: OffsetDateTime, number: u64, registers: bool) -> (Session, Browser) {
    let refresh = token(0, number);
    let row = Session {
        id: refresh.session,
        user_id: UserId(1),
        generation: 0,
        token_hash: refresh.secret.hash(),
        previous_hash: None,
        rotated_at: now,
        created_at: now,
        authenticated_at: now,
        last_seen_at: end_of_minute(now),
        expires_at: LIFETIMES.sign_in_ends(now, true),
        kept: true,
        shared_computer: false,
        revoked: None,
        user_agent: String::new(),
        address: String::new(),
        device_key: registers.then_some(DeviceKey::from_bytes([7; DEVICE_KEY_BYTES])),
        proved_generation: None,
    };
    let access_until = LIFETIMES.access_expires(now, &row);
    (row, Browser { jar: Jar { refresh, line: 0, access_until, challenge: 0 }, before: None })
}
