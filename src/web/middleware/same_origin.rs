//! The first guard against forged requests: where does the browser say this comes from?

use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, ORIGIN};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Tells whether a request may change something, as far as the browser's own headers say (OWASP CSRF Prevention Cheat
/// Sheet, "Fetch Metadata").
///
/// A browser that sends neither header passes here and must still bring the form's token.
pub(crate) fn allows(method: &Method, headers: &HeaderMap, origin: &HeaderValue) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE) {
        return true;
    }
    headers.get_all(SEC_FETCH_SITE).all(|site| site == "same-origin" || site == "none")
        && headers.get_all(ORIGIN).all(|from| from == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(pairs: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        allows(&Method::POST, &headers, &HeaderValue::from_static("https://example.org"))
    }

    #[test]
    fn the_sites_own_forms_pass() {
        for pairs in [
            &[][..],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://example.org")],
            &[("sec-fetch-site", "none")],
        ] {
            assert!(post(pairs), "{pairs:?}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for pairs in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[("origin", "null")],
            &[("origin", "http://example.org")],
            &[("origin", "https://example.org.evil.example")],
            &[("origin", "https://example.org:8443")],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
        ] {
            assert!(!post(pairs), "{pairs:?}");
        }
    }
}
