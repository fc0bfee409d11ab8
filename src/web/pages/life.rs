//! The life of a sign-in as a picture: from its beginning, through its renewals, to where it idles away and ends for good.

use time::{Duration, OffsetDateTime};

use crate::display::duration::countdown;
use crate::display::time::DisplayTime;
use crate::domain::session::{Lifetimes, Session};
use crate::web::request_auth::RequestAuth;

/// Marks of renewals that are drawn at most: more of them would be one thick line.
const MARKS: i64 = 40;

/// The picture, its places in hundredths of its width; the component `life.html` draws it and says the same in words.
pub(super) struct Life {
    pub(super) began: DisplayTime,
    /// How often it was renewed, in words.
    pub(super) renewed: String,
    pub(super) generation: i64,
    /// What the access token has left.
    pub(super) access_left: String,
    pub(super) idles: Option<DisplayTime>,
    pub(super) ends: DisplayTime,
    pub(super) now_at: i64,
    pub(super) access_at: i64,
    pub(super) idle_at: Option<i64>,
    /// In thousandths: in hundredths, many of them would not be evenly apart.
    pub(super) renewals_at: Vec<i64>,
}

impl Life {
    /// Draws the life of a session whose access token has `access_left`.
    pub(super) fn new(
        session: &Session,
        generation: i64,
        access_left: Duration,
        lifetimes: &Lifetimes,
        auth: &RequestAuth,
    ) -> Self {
        let (now, times) = (auth.now(), auth.times());
        let place = |at: OffsetDateTime| place(at, session);
        // Reading this page is a use.
        let used = Session { last_seen_at: session.seen(now), ..session.clone() };
        let idles = used.idle_end(lifetimes).filter(|end| *end < session.expires_at);
        let marks = generation.clamp(0, MARKS);
        let now_at = place(now);
        let renewals_at = (1..=marks).map(|mark| 10 * START + 10 * (now_at - START) * mark / (marks + 1)).collect();
        Self {
            began: times.past(session.created_at),
            renewed: match generation {
                0 => "Not renewed yet".to_owned(),
                1 => "Renewed once".to_owned(),
                many => format!("Renewed {many} times"),
            },
            generation,
            access_left: countdown(access_left),
            idles: idles.map(|end| times.end(end)),
            ends: times.end(session.expires_at),
            now_at,
            // However short the token lives beside the sign-in, it can be seen.
            access_at: place(now + access_left).max(now_at + 2),
            idle_at: idles.map(place),
            renewals_at,
        }
    }
}

/// Where the line starts and ends, in hundredths.
const START: i64 = 3;
const END: i64 = 97;

/// Finds the place of a moment of a session's life on the line.
fn place(at: OffsetDateTime, session: &Session) -> i64 {
    let whole = (session.expires_at - session.created_at).whole_seconds().max(1);
    let past = (at - session.created_at).whole_seconds().clamp(0, whole);
    START + (END - START) * past / whole
}
