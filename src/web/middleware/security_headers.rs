//! The security headers of every answer.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

use crate::web::policy::POLICY;
use crate::web::site::Site;

/// Headers that a handler may say otherwise (OWASP HTTP Security Response Headers Cheat Sheet).
const UNLESS_SET: [(HeaderName, HeaderValue); 6] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

/// What is said of keeping an answer, unless a handler says it: nothing of it is kept anywhere. One that says how to ask
/// whether it has changed, as a file does, may be kept by the browser alone, which asks each time.
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");
const ASKED_FOR: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Sets the headers of one answer.
pub(crate) fn set(site: &Site, headers: &mut HeaderMap) {
    let unless_set = UNLESS_SET;
    // An answer has few headers of its own so far: one walk over them costs less than a look-up for each that is set here.
    let (mut says_keeping, mut has_version, mut said) = (false, false, unless_set.each_ref().map(|_| false));
    for own in headers.keys() {
        says_keeping |= own == CACHE_CONTROL;
        has_version |= own == ETAG || own == LAST_MODIFIED;
        for (said, (name, _)) in said.iter_mut().zip(&unless_set) {
            *said |= own == name;
        }
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !says_keeping {
        headers.insert(CACHE_CONTROL, if has_version { ASKED_FOR } else { NOT_KEPT });
    }
    for ((name, value), said) in unless_set.into_iter().zip(said) {
        if !said {
            headers.insert(name, value);
        }
    }
    if site.public_url.is_secure() {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}
