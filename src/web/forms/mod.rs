//! Forms as browsers send them: bounded in size and time, and only from the browser they were made for.

use std::fmt;
use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest, dev, web};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;

use super::error::WebError;
use super::request_auth::RequestAuth;
use super::site::Site;

/// Bytes of a form at most; the longest honest one (a 1,024-byte password, percent-encoded) has about 4,000.
const MAX_BYTES: usize = 16 * 1024;

/// How long a form may take to arrive: 16 KB in that time is slower than any line still in use.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The hidden field that every form carries.
pub(crate) const TOKEN_FIELD: &str = "form_token";

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
        ready(site.and_then(|site| Ok(Self(site.form_tokens.token(auth?.form_binding(request)?)?))))
    }
}

/// A form whose token was verified. Take it as an argument in every handler that changes something.
#[derive(Debug)]
pub struct SubmittedForm(Vec<(String, String)>);

impl SubmittedForm {
    /// Returns the first value of a field, empty where it is missing.
    pub fn get(&self, field: &str) -> &str {
        self.0.iter().find(|(name, _)| name == field).map_or("", |(_, value)| value)
    }

    /// Tells whether a checkbox was checked.
    pub fn is_checked(&self, field: &str) -> bool {
        !matches!(self.get(field), "" | "false" | "off" | "no" | "0")
    }

    /// Takes a value out, so that a password is not kept twice.
    pub(crate) fn take(&mut self, field: &str) -> String {
        let found = self.0.iter_mut().find(|(name, _)| name == field);
        found.map(|(_, value)| std::mem::take(value)).unwrap_or_default()
    }

    /// Reads the form of a request and verifies its token.
    ///
    /// # Errors
    /// `TooLarge`, `TooSlow` or `BadRequest` by its form; `FormToken` if it was not made for this browser.
    pub(crate) async fn read(
        request: &HttpRequest,
        payload: web::Payload,
        auth: &RequestAuth,
        site: &Site,
    ) -> Result<Self, WebError> {
        let form = parse(request, &body(payload).await?)?;
        let binding = auth.presented_binding().ok_or(WebError::FormToken)?;
        if site.form_tokens.verify(form.get(TOKEN_FIELD), binding) { Ok(form) } else { Err(WebError::FormToken) }
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
        Ok(Self(parse(request, &body(payload).await?)?))
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

async fn body(mut payload: web::Payload) -> Result<Vec<u8>, WebError> {
    let read = async {
        let mut body = Vec::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| WebError::BadRequest("The form did not arrive whole."))?;
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(WebError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    tokio::time::timeout(BODY_TIMEOUT, read).await.map_err(|_| WebError::TooSlow)?
}

fn parse(request: &HttpRequest, body: &[u8]) -> Result<SubmittedForm, WebError> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(WebError::BadRequest("A form was expected, and something else came."));
    }
    let text = std::str::from_utf8(body).map_err(|_| WebError::BadRequest("The form is not text."))?;
    if !escapes_are_text(text) {
        return Err(WebError::BadRequest("The form is not text."));
    }
    Ok(SubmittedForm(form_urlencoded::parse(text.as_bytes()).into_owned().collect()))
}

/// Tells whether every percent-escape is whole and what they spell is UTF-8: the parser would guess instead, and a
/// password must be taken exactly as it was sent.
fn escapes_are_text(text: &str) -> bool {
    let whole = text
        .split('%')
        .skip(1)
        .all(|rest| rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)));
    whole && percent_encoding::percent_decode_str(text).decode_utf8().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_escapes_are_noticed() {
        for text in ["a=b", "a=%C3%A4", "a=%00", "a=100%25"] {
            assert!(escapes_are_text(text), "{text}");
        }
        for text in ["a=%", "a=%4", "a=%zz", "a=%ff", "a=%C3"] {
            assert!(!escapes_are_text(text), "{text}");
        }
    }

    #[test]
    fn a_box_is_checked_unless_it_says_no() {
        let form = |value: &str| SubmittedForm(vec![("keep".into(), value.into())]);
        assert!(form("on").is_checked("keep") && form("true").is_checked("keep") && form("1").is_checked("keep"));
        assert!(!form("").is_checked("keep") && !form("false").is_checked("keep") && !form("on").is_checked("other"));
    }
}
