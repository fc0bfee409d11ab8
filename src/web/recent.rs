//! The `Cookie` headers that a worker has seen lately, and whom they signed in.
//!
//! A browser sends the same header with every request, and what follows from it takes longer to find than to compare:
//! which cookies there are, which token that is, whether the refresh cookie agrees. Whether the grant still stands is
//! asked every time.

use std::cell::RefCell;
use std::sync::Arc;

use actix_web::http::header::HeaderMap;

use super::cookies::sole_header;
use crate::auth::Grant;

/// Headers that a worker remembers at most.
const PLACES: usize = 1024;

/// Bytes of a header that is remembered; ours have about 600.
const LONGEST: usize = 2048;

/// The memory of one worker of one application.
pub(super) struct Recent(RefCell<Vec<Option<Known>>>);

struct Known {
    header: Box<[u8]>,
    grant: Arc<Grant>,
}

impl Recent {
    /// Starts with nothing.
    pub(super) fn new() -> Self {
        Self(RefCell::new((0..PLACES).map(|_| None).collect()))
    }

    /// Returns the grant that was found for exactly these cookies, if `stands` says that it still does.
    pub(super) fn find(&self, headers: &HeaderMap, stands: impl FnOnce(&Grant) -> bool) -> Option<Arc<Grant>> {
        let header = sole_header(headers)?;
        let mut places = self.0.borrow_mut();
        let place = places.get_mut(place(header))?;
        let known = place.as_ref().filter(|known| *known.header == *header)?;
        if stands(&known.grant) {
            return Some(Arc::clone(&known.grant));
        }
        *place = None;
        None
    }

    /// Remembers the grant that was found for these cookies.
    pub(super) fn keep(&self, headers: &HeaderMap, grant: &Arc<Grant>) {
        let Some(header) = sole_header(headers).filter(|header| header.len() <= LONGEST) else { return };
        if let Some(place) = self.0.borrow_mut().get_mut(place(header)) {
            *place = Some(Known { header: header.into(), grant: Arc::clone(grant) });
        }
    }
}

/// Returns the one place that a header may have: by its last bytes, which belong to a signature.
///
/// Whoever makes two fall together has their cookies read again, and nobody gets another's grant.
fn place(header: &[u8]) -> usize {
    let last = header.last_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let first = header.get(..header.len() / 2).and_then(|half| half.last_chunk::<8>());
    let first = first.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    ((last ^ first.rotate_left(29)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{COOKIE, HeaderValue};

    use super::*;
    use crate::auth::grant;

    const HEADER: &str = "access_token=head.claims.signature; keep_signed_in=signature.session.7.secret";

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(COOKIE, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn finds(recent: &Recent, header: &[u8]) -> bool {
        recent.find(&headers(&[header]), |_| true).is_some()
    }

    #[test]
    fn exactly_the_same_header_is_found_again() {
        let recent = Recent::new();
        recent.keep(&headers(&[HEADER.as_bytes()]), &grant(1));
        assert!(finds(&recent, HEADER.as_bytes()));
        for index in 0..HEADER.len() {
            let mut other = HEADER.as_bytes().to_vec();
            other[index] ^= 1;
            assert!(!finds(&recent, &other), "{index}");
        }
        assert!(!finds(&recent, b"") && !finds(&recent, &HEADER.as_bytes()[1..]));
        assert!(!finds(&recent, format!("{HEADER}; a=b").as_bytes()));
    }

    #[test]
    fn a_grant_that_does_not_stand_is_forgotten() {
        let recent = Recent::new();
        let headers = headers(&[HEADER.as_bytes()]);
        recent.keep(&headers, &grant(1));
        assert!(recent.find(&headers, |_| false).is_none());
        assert!(recent.find(&headers, |_| true).is_none());
    }

    #[test]
    fn two_cookie_headers_are_read_anew_each_time() {
        let recent = Recent::new();
        let both = headers(&[HEADER.as_bytes(), b"a=b"]);
        recent.keep(&both, &grant(1));
        assert!(recent.find(&both, |_| true).is_none());
        assert!(!finds(&recent, HEADER.as_bytes()));
    }

    #[test]
    fn many_browsers_never_get_each_others_grants() {
        let recent = Recent::new();
        let header = |user: i64| headers(&[format!("{HEADER}{user}").as_bytes()]);
        for user in 0..5_000 {
            recent.keep(&header(user), &grant(user));
        }
        let found = (0..5_000).filter_map(|user| Some((user, recent.find(&header(user), |_| true)?)));
        let found: Vec<_> = found.collect();
        assert!(!found.is_empty() && found.len() <= PLACES);
        assert!(found.iter().all(|(user, grant)| grant.user.id.0 == *user));
    }

    #[test]
    fn a_header_that_is_too_long_is_not_kept() {
        let recent = Recent::new();
        let long = "x".repeat(LONGEST + 1);
        recent.keep(&headers(&[long.as_bytes()]), &grant(1));
        assert!(!finds(&recent, long.as_bytes()));
    }
}
