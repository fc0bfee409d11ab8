//! What a page says to a password that was not looked at, because too many were wrong.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use time::OffsetDateTime;

use crate::display::time::DisplayTime;
use crate::session::Throttled;
use crate::web::error::whole_seconds;

/// What a locked account is told, and whoever asks for one that is not there.
const LOCKED: &str = "Account temporarily locked. Please try again later.";

/// What is told where too many tries came from one client address, or from everywhere.
const TOO_MANY: &str = "Too many tries to sign in. Please try again later.";

/// The answer to a password that was not looked at.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) words: &'static str,
    /// When the next try is looked at; none where waiting does not help.
    pub(super) at: Option<DisplayTime>,
}

impl Refusal {
    /// Says what came of a try at `now`.
    pub(super) fn of(throttled: Throttled, now: OffsetDateTime) -> Self {
        let (status, words) = match throttled {
            Throttled::Locked(_) | Throttled::LockedForStrangers => (StatusCode::FORBIDDEN, LOCKED),
            Throttled::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, TOO_MANY),
        };
        let helps = throttled != Throttled::LockedForStrangers;
        Self { status, words, at: helps.then(|| DisplayTime::of_end(now + throttled.wait(), now)) }
    }
}

/// Says to the client when to try again.
pub(super) fn retry_after(throttled: Throttled, mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(RETRY_AFTER, whole_seconds(throttled.wait()).into());
    response
}
