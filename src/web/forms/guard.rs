//! The token of a form that does not come as a form: beside a file, or in a header.

use std::fmt;
use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev, web};

use super::{FormToken, TOKEN_FIELD, token_in_header};
use crate::web::error::WebError;
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

/// Checks the token of a form that a handler reads by itself: an upload, with a reader of multipart forms.
///
/// Write a [`FormToken`] into the form as always, and check its field before anything is done; a script sends it in the
/// header `X-Form-Token`. A handler that changes something checks one of the two.
///
/// ```
/// use actix_web::HttpResponse;
/// use perennial::{CurrentUser, FormGuard, WebError};
///
/// # async fn field(_: &str) -> String { String::new() }
/// async fn upload(user: CurrentUser, guard: FormGuard) -> Result<HttpResponse, WebError> {
///     guard.verify(&field("form_token").await)?;
///     // Now the file may be stored.
///     Ok(HttpResponse::NoContent().finish())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct FormGuard {
    auth: RequestAuth,
    site: web::Data<Site>,
    header: String,
}

impl FormGuard {
    /// Makes sure that a token was made for the sign-in, or the browser, of this request.
    ///
    /// # Errors
    /// `FormToken`, a 403, if it was not; and if this process lacks the key that signs.
    pub fn verify(&self, token: &str) -> Result<(), WebError> {
        let binding = self.auth.presented_binding().ok_or(WebError::FormToken)?;
        if self.site.form_tokens.verify(token, binding) { Ok(()) } else { Err(WebError::FormToken) }
    }

    /// Makes sure of the token in the header `X-Form-Token`.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_header(&self) -> Result<(), WebError> {
        self.verify(&self.header)
    }
}

impl FromRequest for FormGuard {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let auth = RequestAuth::from_request(request, payload).into_inner();
        let header = token_in_header(request.headers()).to_owned();
        ready(auth.and_then(|auth| Ok(Self { auth, site: Site::of(request)?, header })))
    }
}

/// A request whose header `X-Form-Token` was verified: take it in a handler that changes something at the wish of a script.
///
/// ```
/// use actix_web::HttpResponse;
/// use actix_web::web::Json;
/// use perennial::{CurrentUser, FormHeader};
///
/// async fn rename(user: CurrentUser, _: FormHeader, name: Json<String>) -> HttpResponse {
///     HttpResponse::NoContent().finish()
/// }
/// ```
#[derive(Debug)]
pub struct FormHeader(());

impl FromRequest for FormHeader {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let guard = FormGuard::from_request(request, payload).into_inner();
        ready(guard.and_then(|guard| guard.verify_header().map(Self)))
    }
}

/// The hidden field that carries a token, as HTML.
///
/// An Askama template of the same version writes it as it is, `{{ form_token.field() }}`; any other marks it as safe, since
/// it holds nothing that a visitor wrote.
#[derive(Debug)]
pub struct FormTokenField<'a>(&'a FormToken);

impl FormToken {
    /// Returns the hidden field that carries it, to be written into a form.
    ///
    /// ```
    /// # async fn page(token: perennial::FormToken) -> String {
    /// format!(r#"<form method="post">{}<button>Save</button></form>"#, token.field())
    /// # }
    /// ```
    pub fn field(&self) -> FormTokenField<'_> {
        FormTokenField(self)
    }
}

impl fmt::Display for FormTokenField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<input type="hidden" name="{TOKEN_FIELD}" value="{}">"#, self.0)
    }
}

impl askama::FastWritable for FormTokenField<'_> {
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn askama::Values) -> askama::Result<()> {
        Ok(write!(dest, "{self}")?)
    }
}

impl askama::filters::HtmlSafe for FormTokenField<'_> {}
