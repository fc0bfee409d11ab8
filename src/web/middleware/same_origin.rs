//! The first guard against forged requests: where does the browser say this comes from?

use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, ORIGIN, UPGRADE};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Tells whether a request that may change something comes from a page of this site, as far as the browser's own headers
/// say (OWASP CSRF Prevention Cheat Sheet, "Fetch Metadata").
///
/// A browser that sends neither header passes here and must still bring the form's token.
///
/// A WebSocket is opened by a `GET`, with the cookies of whoever visits the page that opens it, and no browser asks for
/// leave across origins (RFC 6455 section 10.2): it passes from where a form does.
///
/// What comes from one of `others` passes too: whoever runs the site trusts it as its own pages, and the form's token is
/// asked for all the same.
pub(crate) fn allows(method: &Method, headers: &HeaderMap, origin: &HeaderValue, others: &[HeaderValue]) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE) && !opens_websocket(headers) {
        return true;
    }
    let mut origins = headers.get_all(ORIGIN).peekable();
    if !others.is_empty() && origins.peek().is_some() && origins.all(|from| others.contains(from)) {
        return true;
    }
    headers.get_all(SEC_FETCH_SITE).all(|site| site == "same-origin" || site == "none")
        && headers.get_all(ORIGIN).all(|from| from == origin)
}

/// Tells whether a request asks for a WebSocket among the protocols of its `Upgrade` (RFC 9110 section 7.8).
fn opens_websocket(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(UPGRADE).map(HeaderValue::as_bytes);
    let mut protocols = lists.flat_map(|list| list.split(|byte| *byte == b','));
    protocols.any(|protocol| {
        let name = protocol.split(|byte| *byte == b'/').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"websocket")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: &Method, pairs: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        allows(method, &headers, &HeaderValue::from_static("https://example.org"), &[])
    }

    fn post(pairs: &[(&'static str, &str)]) -> bool {
        ask(&Method::POST, pairs)
    }

    #[test]
    fn a_websocket_is_opened_from_where_a_form_may_come_from() {
        let foreign = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")];
        for upgrade in ["websocket", "WebSocket", "h2c, websocket", "websocket/13", " websocket ,h2c"] {
            for from in foreign {
                assert!(!ask(&Method::GET, &[("upgrade", upgrade), from]), "{upgrade} {from:?}");
            }
            assert!(ask(&Method::GET, &[("upgrade", upgrade), ("origin", "https://example.org")]), "{upgrade}");
            assert!(ask(&Method::GET, &[("upgrade", upgrade)]), "{upgrade}");
        }
        assert!(!ask(&Method::GET, &[("upgrade", "h2c"), ("upgrade", "websocket"), foreign[0]]), "two lines");
        for from in foreign {
            assert!(ask(&Method::GET, &[from]), "a link on another site");
            assert!(ask(&Method::GET, &[("upgrade", "h2c"), from]), "no WebSocket");
        }
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
