//! Headers that are structured fields (RFC 9651), as device-bound sessions use them.

use actix_web::http::header::HeaderValue;
use sfv::{BareItem, Error, Item, ItemSerializer, KeyRef, ListSerializer, Parser, StringRef, TokenRef};

use crate::session::Registration;

/// The one algorithm that is offered, as JOSE names it.
const ALGORITHM: &str = "ES256";

/// Reads a text: as a string, in quotes, or bare, as some versions of the draft have it.
pub(crate) fn text(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?.trim();
    if !text.starts_with('"') {
        return Some(text.to_owned());
    }
    match Parser::new(text).parse::<Item>().ok()?.bare_item {
        BareItem::String(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

/// Writes `Secure-Session-Registration`: the algorithm, where to register, and what to sign.
pub(crate) fn registration(registration: &Registration, path: &str) -> Option<HeaderValue> {
    let write = || -> Result<Option<String>, Error> {
        let mut list = ListSerializer::new();
        let mut algorithms = list.inner_list();
        algorithms.bare_item(TokenRef::from_str(ALGORITHM)?);
        algorithms
            .finish()
            .parameter(KeyRef::from_str("path")?, StringRef::from_str(path)?)
            .parameter(KeyRef::from_str("challenge")?, StringRef::from_str(&registration.challenge)?)
            .parameter(KeyRef::from_str("authorization")?, StringRef::from_str(&registration.session.to_string())?);
        Ok(list.finish())
    };
    HeaderValue::try_from(write().ok()??).ok()
}

/// Writes `Secure-Session-Challenge`: what to sign, and of which session.
pub(crate) fn challenge(challenge: &str, session: &str) -> Option<HeaderValue> {
    let write = || -> Result<String, Error> {
        let item = ItemSerializer::new().bare_item(StringRef::from_str(challenge)?);
        Ok(item.parameter(KeyRef::from_str("id")?, StringRef::from_str(session)?).finish())
    };
    HeaderValue::try_from(write().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::SessionId;

    #[test]
    fn a_text_is_read_in_quotes_and_bare() {
        let read = |value: &'static str| text(&HeaderValue::from_static(value));
        for value in ["\"a.b.c\"", "a.b.c", " a.b.c ", "\"a.b.c\";id=\"x\""] {
            assert_eq!(read(value).as_deref(), Some("a.b.c"), "{value}");
        }
        for value in ["\"a.b.c", "\"a\"b", "\"a\", \"b\""] {
            assert_eq!(read(value), None, "{value}");
        }
        assert_eq!(text(&HeaderValue::from_bytes(b"\xff").unwrap()), None);
    }

    #[test]
    fn what_is_written_is_what_browsers_read() {
        let session = SessionId::from_bytes([1; 16]);
        let asked = Registration { session, challenge: "abc".to_owned() };
        assert_eq!(
            registration(&asked, "/session/bind").unwrap(),
            &format!("(ES256);path=\"/session/bind\";challenge=\"abc\";authorization=\"{session}\"")
        );
        assert_eq!(challenge("abc", "def").unwrap(), "\"abc\";id=\"def\"");
    }
}
