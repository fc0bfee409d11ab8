//! A name for each request, by which a person who asks for help, the log and a proxy mean the same one.
//!
//! Made here and never taken over from a client, who could write another's name or a line of a log into it. A name is a
//! number enciphered with a key of this worker's own: no two are alike in practice, none tells how many there were, and a
//! request waits for no source of randomness.

use std::fmt;
use std::hash::Hasher;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::http::header::{HeaderName, HeaderValue};
use siphasher::sip::SipHasher13;

use crate::crypto::{RandomError, random_bytes};

/// The header that carries it.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Digits of a name: 64 bits.
const DIGITS: usize = 16;

/// The name of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestId(u64);

impl RequestId {
    /// Returns it as the value of [`X_REQUEST_ID`].
    pub(crate) fn header(self) -> HeaderValue {
        const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [b'0'; DIGITS];
        for (digit, place) in digits.iter_mut().rev().zip(0..) {
            let value = (self.0 >> (4 * place)) & 0xf;
            *digit = HEXADECIMAL.get(value as usize).copied().unwrap_or(b'0');
        }
        // Digits are always a good value.
        HeaderValue::from_bytes(&digits).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0DIGITS$x}", self.0)
    }
}

/// Makes the names of one worker.
pub(crate) struct RequestIds {
    cipher: SipHasher13,
    next: AtomicU64,
}

impl RequestIds {
    /// Starts with a fresh key.
    ///
    /// # Errors
    /// If there are no random bytes.
    pub(crate) fn new() -> Result<Self, RandomError> {
        Ok(Self::with_key(&random_bytes()?))
    }

    fn with_key(key: &[u8; 16]) -> Self {
        Self { cipher: SipHasher13::new_with_key(key), next: AtomicU64::new(0) }
    }

    /// Makes the next name.
    pub(crate) fn next(&self) -> RequestId {
        let mut cipher = self.cipher;
        cipher.write_u64(self.next.fetch_add(1, Ordering::Relaxed));
        RequestId(cipher.finish())
    }
}

impl Clone for RequestIds {
    /// Starts with a key of its own, made from this one: two workers that counted with one key would give the same names.
    fn clone(&self) -> Self {
        let mut key = [0; 16];
        for half in key.chunks_exact_mut(8) {
            half.copy_from_slice(&self.next().0.to_ne_bytes());
        }
        Self::with_key(&key)
    }
}

impl fmt::Debug for RequestIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestIds")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_names_are_alike_those_of_other_workers_included() {
        let first = RequestIds::with_key(&[7; 16]);
        let workers = [first.clone(), first.clone(), first];
        let names = workers.iter().flat_map(|worker| std::iter::repeat_with(|| worker.next().0).take(1_000));
        assert_eq!(names.collect::<HashSet<_>>().len(), 3_000);
    }

    #[test]
    fn the_header_says_what_the_log_says() {
        for number in [0, 0xf, 0x0123_4567_89ab_cdef, u64::MAX] {
            let id = RequestId(number);
            assert_eq!(id.header().to_str().unwrap(), id.to_string());
            assert_eq!(id.to_string().len(), DIGITS);
        }
    }
}
