//! Forms as browsers send them: bounded in size and time, and only from the browser they were made for.
//!
//! A form may hold a password, so what is made of it here is overwritten once it is done with: the body, every value that is
//! decoded from it, and [`Password`](crate::domain::password::Password) with all of its copies. For that, nothing is decoded
//! twice, and no buffer grows: one that moves leaves its content behind.
//!
//! What cannot be overwritten from here, and is there until its memory is used for something else: the read buffer of the
//! connection, which Actix shares between requests; the socket buffers of the kernel; whatever a proxy in front keeps; and
//! what a processor and its stack hold while the password is hashed.

mod guard;
mod typed;

pub use guard::{FormGuard, FormHeader, FormTokenField};
pub use typed::{Form, FormError};

use std::fmt;
use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName};
use actix_web::{FromRequest, HttpRequest, dev, web};
use futures_util::future::LocalBoxFuture;
use futures_util::{Stream, StreamExt};
use percent_encoding::percent_decode_str;
use zeroize::{Zeroize, Zeroizing};

use super::error::WebError;
use super::request_auth::RequestAuth;
use super::site::Site;

/// Bytes of a form at most; the longest honest one (a 1,024-byte password, percent-encoded) has about 4,000.
const MAX_BYTES: usize = 16 * 1024;

/// Bytes of a form that an application may allow for its own at most: as many are kept of one that cannot be carried out.
const MOST_BYTES: usize = crate::domain::kept_form::MAX_BYTES;

/// How long a form may take to arrive: 16 KB in that time is slower than any line still in use.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The hidden field that every form carries.
pub(crate) const TOKEN_FIELD: &str = "form_token";

/// The header that carries the token of a form where a script sends something else than a form.
const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-form-token");

/// Returns the token in the header of a request; empty where there is none.
fn token_in_header(headers: &HeaderMap) -> &str {
    headers.get(TOKEN_HEADER).and_then(|token| token.to_str().ok()).unwrap_or_default()
}

/// The token that every form of a page must carry, in a hidden field named `form_token`.
///
/// Take it as an argument in a handler whose page has a form, and write it into that form; the handler that the form is
/// sent to takes a [`SubmittedForm`]. It is bound to the sign-in, or, signed out, to the browser, which gets a cookie
/// for that with this answer.
///
/// `Display` writes it out, since a page is where it belongs, in characters that HTML leaves alone.
pub struct FormToken(String);

impl fmt::Display for FormToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FormToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormToken")
    }
}

impl FromRequest for FormToken {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let auth = RequestAuth::from_request(request, payload).into_inner();
        let site = Site::of(request);
        ready(site.and_then(|site| Ok(Self(site.form_tokens.token(auth?.form_binding()?)?))))
    }
}

/// How many bytes the forms of an application may have, where 16 KB are too few: up to 64 KB, `app_data` of the
/// application, of a scope or of a resource.
///
/// ```
/// # use actix_web::web::{self, ServiceConfig};
/// # use perennial::{FormLimit, SubmittedForm};
/// # async fn save(form: SubmittedForm) -> String { form.get("text").to_owned() }
/// # fn configure(config: &mut ServiceConfig) {
/// config.service(web::resource("/notes").app_data(FormLimit(64 * 1024)).route(web::post().to(save)));
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct FormLimit(
    /// Bytes at most.
    pub usize,
);

impl FormLimit {
    fn of(request: &HttpRequest) -> usize {
        request.app_data::<Self>().map_or(MAX_BYTES, |limit| limit.bytes())
    }

    /// Returns how many bytes that is.
    fn bytes(self) -> usize {
        self.0.min(MOST_BYTES)
    }
}

/// A form whose token was verified. Take it as an argument in every handler that changes something.
#[derive(Debug)]
pub struct SubmittedForm(Vec<Field>);

/// The name of a field, and its value, which may be a password.
pub(crate) type Field = (String, Zeroizing<String>);

impl SubmittedForm {
    /// Returns the first value of a field, empty where it is missing.
    pub fn get(&self, field: &str) -> &str {
        self.0.iter().find(|(name, _)| name == field).map_or("", |(_, value)| value)
    }

    /// Tells whether a checkbox was checked.
    pub fn is_checked(&self, field: &str) -> bool {
        !matches!(self.get(field), "" | "false" | "off" | "no" | "0")
    }

    /// Returns every field, in the order of the form.
    fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Takes a value out, so that a password is not kept twice.
    pub(crate) fn take(&mut self, field: &str) -> Zeroizing<String> {
        let found = self.0.iter_mut().find(|(name, _)| name == field);
        found.map(|(_, value)| std::mem::take(value)).unwrap_or_default()
    }

    /// Reads the form of a request and verifies its token.
    ///
    /// # Errors
    /// `TooLarge`, `TooSlow` or `BadRequest` by its form; `FormToken` if it was not made for this browser; `SentBefore` if it
    /// was kept and has been sent.
    pub(crate) async fn read(
        request: &HttpRequest,
        payload: web::Payload,
        auth: &RequestAuth,
        site: &Site,
    ) -> Result<Self, WebError> {
        Self::read_within(FormLimit::of(request), request, payload, auth, site).await
    }

    /// Does the same with at most `limit` bytes.
    async fn read_within(
        limit: usize,
        request: &HttpRequest,
        payload: web::Payload,
        auth: &RequestAuth,
        site: &Site,
    ) -> Result<Self, WebError> {
        let form = parse(request, &read_body(request.headers(), payload, limit).await?)?;
        let binding = auth.presented_binding().ok_or(WebError::FormToken)?;
        let token = match form.get(TOKEN_FIELD) {
            "" => token_in_header(request.headers()),
            token => token,
        };
        if site.form_tokens.verify(token, binding) {
            return Ok(form);
        }
        let kept = site.form_tokens.verify_kept(token, binding).ok_or(WebError::FormToken)?;
        if site.sessions.send_kept_form(kept).await? { Ok(form) } else { Err(WebError::SentBefore) }
    }
}

/// A form whose token was not verified: good for nothing but deciding where to lead whoever sent it.
#[derive(Debug)]
pub(crate) struct UnverifiedForm(SubmittedForm);

impl UnverifiedForm {
    /// Reads the form of a request.
    ///
    /// # Errors
    /// `TooLarge`, `TooSlow` or `BadRequest` by its form.
    pub(crate) async fn read(request: &HttpRequest, payload: web::Payload) -> Result<Self, WebError> {
        Ok(Self(parse(request, &read_body(request.headers(), payload, MAX_BYTES).await?)?))
    }

    /// Returns the first value of a field, empty where it is missing.
    pub(crate) fn get(&self, field: &str) -> &str {
        self.0.get(field)
    }
}

impl FromRequest for SubmittedForm {
    type Error = WebError;
    type Future = LocalBoxFuture<'static, Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let auth = RequestAuth::from_request(request, payload).into_inner();
        let site = Site::of(request);
        let payload = web::Payload::from_request(request, payload).into_inner();
        let request = request.clone();
        Box::pin(async move {
            let payload = payload.map_err(|error| WebError::Internal(error.to_string().into()))?;
            Self::read(&request, payload, &auth?, &*site?).await
        })
    }
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// `TooLarge`, `TooSlow` or `BadRequest`.
pub(crate) async fn read_body(
    headers: &HeaderMap,
    mut payload: impl Stream<Item = Result<web::Bytes, PayloadError>> + Unpin,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, WebError> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let read = async {
        // All of it at once, so that it does not move, and no more, since all of it is overwritten.
        let mut body = Zeroizing::new(Vec::with_capacity(announced.unwrap_or(limit).min(limit)));
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| WebError::BadRequest("The form did not arrive whole."))?;
            let length = body.len() + chunk.len();
            if length > limit {
                return Err(WebError::TooLarge);
            }
            if length > body.capacity() {
                // Unpacked on the way, it may be longer than was said.
                let arrived = std::mem::replace(&mut body, Zeroizing::new(Vec::with_capacity(limit)));
                body.extend_from_slice(&arrived);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    tokio::time::timeout(BODY_TIMEOUT, read).await.map_err(|_| WebError::TooSlow)?
}

/// Tells whether a request says that it brings a form.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn parse(request: &HttpRequest, body: &[u8]) -> Result<SubmittedForm, WebError> {
    if !is_form(request.headers()) {
        return Err(WebError::BadRequest("A form was expected, and something else came."));
    }
    read_fields(body).map(SubmittedForm).ok_or(WebError::BadRequest("The form is not text."))
}

/// Reads the fields of a form; nothing if one of them is not text.
pub(crate) fn read_fields(body: &[u8]) -> Option<Vec<Field>> {
    std::str::from_utf8(body).ok()?.split('&').filter(|pair| !pair.is_empty()).map(field).collect()
}

/// Decodes one field (URL Standard section 5.1); nothing if it is not text.
fn field(pair: &str) -> Option<Field> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let mut name = decoded(name)?;
    Some((std::mem::take(&mut *name), decoded(value)?))
}

/// Decodes a name or a value, if every percent-escape is whole and what they spell is UTF-8: a parser that takes anything
/// would guess instead, and a password must be taken exactly as it was sent.
///
/// Why not a library's parser: each makes copies on the way that nobody can overwrite.
fn decoded(text: &str) -> Option<Zeroizing<String>> {
    let whole = text
        .split('%')
        .skip(1)
        .all(|rest| rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)));
    if !whole {
        return None;
    }
    // Decoded it is never longer than encoded, so this never moves.
    let mut bytes = Vec::with_capacity(text.len());
    for (index, words) in text.split('+').enumerate() {
        if index > 0 {
            bytes.push(b' ');
        }
        bytes.extend(percent_decode_str(words));
    }
    String::from_utf8(bytes).map(Zeroizing::new).map_err(|error| error.into_bytes().zeroize()).ok()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn a_value_is_taken_exactly_as_it_was_sent() {
        for (sent, value) in [
            ("b", "b"),
            ("%C3%A4", "\u{e4}"),
            ("%00", "\0"),
            ("100%25", "100%"),
            ("+a+b%2B+", " a b+ "),
            ("%2525", "%25"),
            ("", ""),
        ] {
            assert_eq!(decoded(sent).as_deref().map(String::as_str), Some(value), "{sent}");
        }
        for sent in ["%", "%4", "%zz", "%ff", "%C3", "%C3+%A4", "%+4"] {
            assert!(decoded(sent).is_none(), "{sent}");
        }
    }

    #[test]
    fn what_is_decoded_is_decoded_in_place() {
        for sent in ["plain".repeat(100), "%41".repeat(300), "+".repeat(50), "%F0%9F%8C%B1+".repeat(40)] {
            let value = decoded(&sent).unwrap();
            assert_eq!(value.capacity(), sent.len(), "it moved, and left its content behind");
        }
    }

    #[test]
    fn fields_are_read_in_order_and_the_first_of_a_name_counts() {
        let request = actix_web::test::TestRequest::default()
            .insert_header((CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8"))
            .to_http_request();
        let mut form = parse(&request, b"a=1&&b&a=2&c=x=y&%64=+").unwrap();
        for (name, value) in [("a", "1"), ("b", ""), ("c", "x=y"), ("d", " "), ("e", "")] {
            assert_eq!(form.get(name), value, "{name}");
        }
        assert_eq!(form.take("c").as_str(), "x=y");
        assert_eq!(form.get("c"), "", "a value that was taken is not kept twice");
        assert!(parse(&request, b"a=%ff").is_err() && parse(&request, b"a=\xff").is_err());
    }

    #[actix_web::test]
    async fn a_body_gets_the_room_it_asks_for_and_all_of_it_where_it_turns_out_longer() {
        let read = async |announced: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(length) = announced {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static(length));
            }
            let chunks = futures_util::stream::iter(["a=", "1&", "b="]);
            read_body(&headers, chunks.map(|chunk| Ok(web::Bytes::from_static(chunk.as_bytes()))), 10).await
        };
        for (announced, room) in [(Some("6"), 6), (Some("3"), 10), (Some("99"), 10), (Some("x"), 10), (None, 10)] {
            let body = read(announced).await.unwrap();
            assert_eq!((&body[..], body.capacity()), (&b"a=1&b="[..], room), "{announced:?}");
        }
    }

    #[test]
    fn a_box_is_checked_unless_it_says_no() {
        let form = |value: &str| SubmittedForm(vec![("keep".into(), value.to_owned().into())]);
        assert!(form("on").is_checked("keep") && form("true").is_checked("keep") && form("1").is_checked("keep"));
        assert!(!form("").is_checked("keep") && !form("false").is_checked("keep") && !form("on").is_checked("other"));
    }
}
