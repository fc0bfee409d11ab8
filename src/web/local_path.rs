//! The `next` of a sign-in: a path on this site and nothing else.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Bytes of a path at most; a longer one is no page of ours.
const MAX_LENGTH: usize = 2048;

/// What stays readable in a `next` parameter.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A path (with its query) on this very site, safe to redirect to.
///
/// Why not a URL parser: what matters is what *browsers* make of the text, and they read `\` as `/`, drop tabs and
/// line breaks, and take `//host` as another site (WHATWG URL, section 4.4). So only the plainest form is let through:
/// one leading slash, then printable ASCII without backslash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPath(String);

impl LocalPath {
    /// Parses `text`; `None` if it could lead anywhere else.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.len() <= MAX_LENGTH
            && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>'));
        // Whatever decodes to a second slash or a line break is refused too: a proxy may decode before it forwards.
        let folded = text.to_ascii_lowercase();
        let path = folded.split(['?', '#']).next().unwrap_or_default();
        let hidden = ["%2f", "%5c", "%0d", "%0a", "%09", "%00", "%25"].iter().any(|code| path.contains(code));
        let local = text.starts_with('/') && !text.starts_with("//");
        (plain && local && !hidden).then(|| Self(text.to_owned()))
    }

    /// Returns the address of `page` that leads on to `next`, if there is such.
    pub(crate) fn on_the_way(page: &str, next: Option<&Self>) -> String {
        match next {
            Some(next) => format!("{page}?next={}", utf8_percent_encode(next.as_str(), QUERY)),
            None => page.to_owned(),
        }
    }

    /// Returns the path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LocalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_this_site_pass() {
        for path in ["/", "/dashboard", "/a/b?c=d%20e&f=http://x", "/a#b", "/a@b", "/?next=%2Fdashboard"] {
            assert_eq!(LocalPath::parse(path).map(|p| p.0).as_deref(), Some(path));
        }
    }

    #[test]
    fn everything_that_leads_away_is_refused() {
        for path in [
            "",
            "dashboard",
            "//evil",
            "///evil",
            "/\\evil",
            "\\/evil",
            "\\\\evil",
            "http://evil",
            "https:evil",
            "javascript:alert(1)",
            "user@host",
            "/\tevil",
            "\t//evil",
            "/ evil",
            "/%0d%0aSet-Cookie:x",
            "/%09/evil",
            "/%2Fevil",
            "/%2fevil",
            "/%5cevil",
            "/%252Fevil",
            "/\r\nx",
            "/\u{2028}",
            "/é",
            "/\"><b>",
        ] {
            assert_eq!(LocalPath::parse(path), None, "{path:?}");
        }
        assert_eq!(LocalPath::parse(&format!("/{}", "a".repeat(3000))), None);
    }
}
