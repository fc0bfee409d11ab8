//! The names of browsers, found once for each user agent.
//!
//! Taking a user agent apart costs as much as the rest of a page, and most people use one of a few hundred.

use std::cell::RefCell;
use std::rc::Rc;

use actix_web::http::header::{HeaderMap, USER_AGENT};

use super::client_info::client;
use crate::display::device::device;

/// User agents that a thread remembers at most.
const PLACES: usize = 256;

/// Bytes of a user agent that is remembered, so that a thread remembers 150 KB at most.
const LONGEST: usize = 512;

thread_local! {
    static NAMES: RefCell<Vec<Option<Known>>> = RefCell::new(vec![None; PLACES]);
}

/// A user agent, as it stands in the header, and the name of its browser.
#[derive(Clone)]
struct Known {
    user_agent: Box<[u8]>,
    name: Rc<str>,
}

/// Names the browser of a request and its system, as [`device`] does.
pub(crate) fn browser_name(headers: &HeaderMap) -> Rc<str> {
    let header = headers.get(USER_AGENT).map_or(&b""[..], |value| value.as_bytes());
    let found = || device(&client(None, headers).user_agent).into();
    if header.len() > LONGEST {
        return found();
    }
    NAMES.with_borrow_mut(|names| {
        let Some(place) = names.get_mut(place(header)) else { return found() };
        if let Some(known) = place.as_ref().filter(|known| *known.user_agent == *header) {
            return Rc::clone(&known.name);
        }
        let name = found();
        *place = Some(Known { user_agent: header.into(), name: Rc::clone(&name) });
        name
    })
}

/// Returns the one place that a user agent may have.
///
/// A quick sum will do: whoever makes two fall together has their name looked up again, and nobody gets another's.
fn place(header: &[u8]) -> usize {
    let (words, rest) = header.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word)).chain(rest.iter().map(|byte| u64::from(*byte)));
    let sum = words.fold(0_u64, |sum, word| (sum.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    (sum >> 32) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn name(user_agent: &str) -> Rc<str> {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_str(user_agent).unwrap());
        browser_name(&headers)
    }

    #[test]
    fn a_name_is_the_same_the_second_time_and_after_a_thousand_others() {
        for user_agent in ["curl/8.5.0", "", "curl/8.5.0", &"x".repeat(LONGEST + 1)] {
            assert_eq!(&*name(user_agent), device(user_agent));
        }
        for number in 0..1000 {
            assert_eq!(&*name(&format!("curl/{number}")), "A program");
            assert_eq!(&*name(&format!("{number}")), "Unknown browser");
        }
        assert_eq!(&*browser_name(&HeaderMap::new()), "Unknown browser");
        let firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0";
        assert_eq!(&*name(firefox), "Firefox on Windows");
    }
}
