//! Who reads an answer: a person, by a page, or a program.

use actix_web::http::header::{Accept, Header, HeaderName, Quality};
use actix_web::{HttpMessage, HttpRequest};

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Marks a request whose errors are told in JSON, whatever it says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadsJson;

/// Tells whether a program reads the answer to a request: a script, by `fetch` or `EventSource`, or a client that ranks JSON
/// above HTML.
///
/// A browser says by `Sec-Fetch-Mode` whether it is about to show what comes (W3C Fetch Metadata section 2.2): a script
/// would follow a redirect to the sign-in page, and take that for what it asked for. A client that says nothing is
/// understood by its `Accept` (RFC 9110 section 12.5.1).
pub(crate) fn wants_json(request: &HttpRequest) -> bool {
    let headers = request.headers();
    headers.get(SEC_FETCH_MODE).is_some_and(|mode| mode != "navigate")
        || prefers_json(request)
        || request.extensions().contains::<ReadsJson>()
}

/// Tells whether a client ranks JSON, or an event stream, above HTML.
fn prefers_json(request: &HttpRequest) -> bool {
    let Ok(accept) = Accept::parse(request) else { return false };
    let best = |wanted: fn(&str) -> bool| {
        let named = accept.iter().filter(|range| wanted(range.item.essence_str()));
        named.map(|range| range.quality).max().unwrap_or(Quality::ZERO)
    };
    let program = best(|kind| {
        kind == "application/json"
            || kind == "text/event-stream"
            || (kind.starts_with("application/") && kind.ends_with("+json"))
    });
    program > best(|kind| matches!(kind, "text/html" | "application/xhtml+xml"))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::ACCEPT;
    use actix_web::test::TestRequest;

    use super::*;

    fn accepting(accept: &str) -> bool {
        wants_json(&TestRequest::default().insert_header((ACCEPT, accept)).to_http_request())
    }

    #[test]
    fn json_is_for_those_who_prefer_it() {
        for accept in [
            "application/json",
            "Application/JSON, */*",
            "text/html;q=0.5, application/json;q=0.9",
            "application/problem+json, */*",
            "application/vnd.api+json",
            "text/event-stream",
        ] {
            assert!(accepting(accept), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "application/json;q=0.5, text/html",
            "application/json;q=x",
            "text/html, application/json",
            "text/html, application/ld+json",
            "image/svg+xml",
        ] {
            assert!(!accepting(accept), "{accept}");
        }
    }

    #[test]
    fn what_a_browser_does_not_show_is_read_by_a_script() {
        for (mode, json) in
            [("navigate", false), ("cors", true), ("same-origin", true), ("no-cors", true), ("websocket", true)]
        {
            let request = TestRequest::default().insert_header((SEC_FETCH_MODE, mode)).to_http_request();
            assert_eq!(wants_json(&request), json, "{mode}");
        }
    }
}
