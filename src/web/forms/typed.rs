//! A form as a value of the application's own type.

use std::ops::{Deref, DerefMut};

use actix_web::{FromRequest, HttpRequest, dev, web};
use form_urlencoded::Serializer;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{FormLimit, SubmittedForm, TOKEN_FIELD};
use crate::web::error::WebError;
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

/// A form whose token was verified, as a value of a type of the application's.
///
/// A field that may come several times, such as one of checkboxes, is a `Vec`; one that may be missing is an `Option` or
/// has `#[serde(default)]`. A form may have 16 KB, or as many bytes as the handler says, up to 64 KB; a
/// [`FormLimit`](crate::FormLimit) says so for a whole scope.
///
/// ```
/// use perennial::{CurrentUser, Form};
///
/// #[derive(serde::Deserialize)]
/// struct Note {
///     title: String,
///     #[serde(default)]
///     tags: Vec<String>,
///     pinned: Option<bool>,
/// }
///
/// async fn save(user: CurrentUser, Form(note): Form<Note, 65_536>) -> String {
///     format!("{}: {} with {} tags", user.user().full_name, note.title, note.tags.len())
/// }
/// ```
///
/// What does not fit the type gets 400. A handler that would rather show the form again, with what was entered, takes a
/// [`SubmittedForm`] and asks it for the value: [`SubmittedForm::parse`]. A form that meets an ended sign-in is kept for its
/// user, as any other.
#[derive(Debug, Clone)]
pub struct Form<T, const BYTES: usize = 0>(pub T);

impl<T, const BYTES: usize> Form<T, BYTES> {
    /// Returns the value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T, const BYTES: usize> Deref for Form<T, BYTES> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T, const BYTES: usize> DerefMut for Form<T, BYTES> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: DeserializeOwned + 'static, const BYTES: usize> FromRequest for Form<T, BYTES> {
    type Error = WebError;
    type Future = LocalBoxFuture<'static, Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let auth = RequestAuth::from_request(request, payload).into_inner();
        let site = Site::of(request);
        let payload = web::Payload::from_request(request, payload).into_inner();
        let request = request.clone();
        Box::pin(async move {
            let payload = payload.map_err(|error| WebError::Internal(error.to_string().into()))?;
            let limit = if BYTES == 0 { FormLimit::of(&request) } else { FormLimit(BYTES).bytes() };
            let form = SubmittedForm::read_within(limit, &request, payload, &auth?, &*site?).await?;
            form.parse().map(Self).map_err(|error| {
                tracing::debug!(%error, "a form does not fit the type that its handler takes");
                WebError::BadRequest("A field of the form is missing, or holds what it does not take.")
            })
        })
    }
}

/// Says which field of a form does not fit.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FormError(String);

impl SubmittedForm {
    /// Reads the fields as a value of a type, as [`Form`] does.
    ///
    /// # Errors
    /// Which field is missing, or what is wrong with a value, for the log: it is written for whoever writes the program.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, FormError> {
        // It may hold a password.
        let mut text = Zeroizing::new(String::new());
        let fields = self.fields().filter(|(name, _)| *name != TOKEN_FIELD);
        *text = Serializer::new(std::mem::take(&mut *text)).extend_pairs(fields).finish();
        serde_html_form::from_str(&text).map_err(|error| FormError(error.to_string()))
    }

    /// Returns every value of a field, in the order of the form.
    pub fn get_all<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields().filter(move |(name, _)| *name == field).map(|(_, value)| value)
    }
}
