//! A form that is sent while the database is away: the answer carries it, encrypted, and sends it again.
//!
//! It is sent to a path of its own, where it is decrypted and goes on to the path it was made for, as the request that it
//! would have been: its handler, and the check of its token, see nothing of the way.

use std::str::FromStr;

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::Uri;
use actix_web::http::header::{CONTENT_LENGTH, HeaderValue};
use actix_web::http::uri::PathAndQuery;
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use form_urlencoded::Serializer;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::bindings::presented;
use super::lost_form::LostForm;
use super::words::label;
use crate::crypto::FormBinding;
use crate::session::Rescue;
use crate::web::error::WebError;
use crate::web::forms::{Field, TOKEN_FIELD, is_form, read_body, read_fields};
use crate::web::local_path::LocalPath;
use crate::web::pages::{PasswordField, SendAgain};
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

/// Where a form is sent again.
pub(crate) const PATH: &str = "/rescue/again";

/// Bytes of a form that is sent again at most: one of 64 KB, written out, encrypted and in base64, and passwords beside it.
pub(super) const MAX_BYTES: usize = 192 * 1024;

/// Bytes of an encrypted form at most, in base64; what is larger, no browser wrote.
const MAX_SEALED: usize = 176 * 1024;

/// The field that holds the encrypted form.
const SEALED_FIELD: &str = "sealed_form";

/// How long a form may be sent again: longer than outages last. It lies in its own browser's page alone, and works there for
/// as long as the sign-in it is bound to.
const GOOD_FOR: Duration = Duration::days(1);

/// A form as it is encrypted.
#[derive(Serialize, Deserialize)]
struct Sealed {
    at: i64,
    form: LostForm,
}

fn context(binding: FormBinding) -> String {
    match binding {
        FormBinding::Session(id) => format!("form to send again of session {id}"),
        FormBinding::Browser(id) => format!("form to send again of browser {id}"),
    }
}

/// Lets the page of an answer carry a form that was made for one of these bindings.
pub(super) fn offer(site: &Site, bindings: &[FormBinding], to: &LocalPath, body: &[u8], response: &mut HttpResponse) {
    let again = if to.as_str() == PATH {
        once_more(site, bindings, body)
    } else {
        LostForm::read(to, body).and_then(|(form, token)| {
            let binding = bindings.iter().find(|binding| site.form_tokens.accepts(&token, **binding))?;
            let passwords = PasswordField::all(form.passwords(), label);
            let sealed = Sealed { at: site.sessions.now().unix_timestamp(), form };
            let text = serde_json::to_vec(&sealed).ok()?;
            let sealed = URL_SAFE_NO_PAD.encode(site.form_seal.seal(&text, &context(*binding)).ok()?);
            let form_token = site.form_tokens.token(*binding).ok()?;
            (sealed.len() <= MAX_SEALED).then_some(SendAgain { sealed, form_token, passwords })
        })
    };
    if let Some(again) = again {
        site.sessions.counts().rescued(Rescue::Carried, 1);
        response.extensions_mut().insert(again);
    }
}

/// Carries a form that was sent again, and met the database away again.
fn once_more(site: &Site, bindings: &[FormBinding], body: &[u8]) -> Option<SendAgain> {
    let fields = read_fields(body)?;
    let (sealed, form, _) = opened(site, bindings, &fields, site.sessions.now())?;
    let passwords = PasswordField::all(form.passwords(), label);
    Some(SendAgain { sealed: sealed.to_owned(), form_token: value(&fields, TOKEN_FIELD).to_owned(), passwords })
}

/// Opens the form that is in one of these fields, if it was made for one of these bindings, as its token was.
fn opened<'a>(
    site: &Site,
    bindings: &[FormBinding],
    fields: &'a [Field],
    now: OffsetDateTime,
) -> Option<(&'a str, LostForm, FormBinding)> {
    let (token, text) = (value(fields, TOKEN_FIELD), value(fields, SEALED_FIELD));
    let binding = *bindings.iter().find(|binding| site.form_tokens.accepts(token, **binding))?;
    let sealed = site.form_seal.open(&URL_SAFE_NO_PAD.decode(text).ok()?, &context(binding))?;
    let Sealed { at, form } = serde_json::from_slice(&sealed).ok()?;
    let age = now - OffsetDateTime::from_unix_timestamp(at).ok()?;
    (age <= GOOD_FOR).then_some((text, form, binding))
}

fn value<'a>(fields: &'a [Field], wanted: &str) -> &'a str {
    fields.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value)
}

/// Makes a request that sends a form again the request that it would have been; one that holds no such form stays as it is,
/// and its body is gone.
///
/// # Errors
/// `TooLarge`, `TooSlow` or `BadRequest` by its form.
pub(crate) async fn forward(site: &Site, auth: &RequestAuth, request: &mut ServiceRequest) -> Result<(), WebError> {
    if !is_form(request.headers()) {
        return Ok(());
    }
    let payload = request.take_payload();
    let body = read_body(request.headers(), payload, MAX_BYTES).await?;
    let fields = read_fields(&body).unwrap_or_default();
    let Some((_, form, _)) = opened(site, &presented(auth), &fields, auth.now()) else { return Ok(()) };
    let Some(uri) = address(request.uri(), &form.to) else { return Ok(()) };
    site.sessions.counts().rescued(Rescue::SentAgain, 1);
    let body = Body::of(&form, fields);
    request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.0.len()));
    request.set_payload(Payload::from(Bytes::from_owner(body)));
    // As the framework's own middleware does that tidies paths up.
    request.match_info_mut().get_mut().update(&uri);
    request.head_mut().uri = uri;
    Ok(())
}

fn address(before: &Uri, to: &str) -> Option<Uri> {
    let mut parts = before.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::from_str(to).ok()?);
    Uri::from_parts(parts).ok()
}

/// The body of a form, which may hold passwords.
struct Body(Zeroizing<String>);

impl Body {
    /// Writes the body of a form: its own fields, with the passwords that were typed again and the token from `typed`.
    fn of(form: &LostForm, mut typed: Vec<Field>) -> Self {
        let length = |text: &str| text.len() * 3 + 1;
        let own = form.fields.iter().map(|(name, value)| length(name) + value.as_deref().map_or(0, length));
        let added = typed.iter().map(|(name, value)| length(name) + length(value));
        // Enough, so that it never moves.
        let mut body = Serializer::new(String::with_capacity(own.sum::<usize>() + added.sum::<usize>()));
        body.append_pair(TOKEN_FIELD, value(&typed, TOKEN_FIELD));
        for (name, value) in &form.fields {
            match value {
                Some(value) => body.append_pair(name, value),
                None => body.append_pair(name, &take(&mut typed, name)),
            };
        }
        Self(Zeroizing::new(body.finish()))
    }
}

/// Takes the first value of a name out; the next call finds the second.
fn take(fields: &mut Vec<Field>, wanted: &str) -> Zeroizing<String> {
    let place = fields.iter().position(|(name, _)| name == wanted);
    place.map(|place| fields.remove(place).1).unwrap_or_default()
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
