//! Forms of Perennial's that an application shows on pages of its own.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use askama::Template;

/// What a page shows that has a form of Perennial's: its fields as they were filled in, and what is wrong with them.
///
/// The page is the application's, the form is Perennial's: it is sent by `POST` to [`action`](Self::action), with
/// [`hidden_fields`](Self::hidden_fields) and the fields of that form.
///
/// ```
/// # use perennial::{Application, FormPage};
/// # fn escape(text: &str) -> String { text.to_owned() }
/// let builder = Application::builder().sign_in_page(|page: &FormPage<'_>| {
///     format!(
///         r#"<!doctype html><title>Notes</title><p>{}</p><form method="post" action="{}">{}
///         <input name="email" type="email" value="{}"> <input name="password" type="password">
///         <input name="keep_signed_in" type="checkbox" value="on" checked> <button>Sign in</button></form>"#,
///         page.message().unwrap_or_default(), page.action(), page.hidden_fields(), escape(page.value("email")),
///     )
/// });
/// ```
#[derive(Debug)]
pub struct FormPage<'a> {
    pub(crate) action: String,
    pub(crate) form_token: &'a str,
    /// Hidden fields beside the token.
    pub(crate) hidden: Vec<(&'static str, &'a str)>,
    pub(crate) values: Vec<(&'static str, &'a str)>,
    pub(crate) problems: Vec<(&'static str, &'a str)>,
    pub(crate) message: Option<&'a str>,
    pub(crate) notices: Vec<String>,
}

/// Makes a page of the application's.
pub(crate) type PageMaker = Arc<dyn Fn(&FormPage<'_>) -> String + Send + Sync>;

/// The pages that an application makes itself.
#[derive(Clone, Default)]
pub(crate) struct FormPages {
    pub(crate) sign_in: Option<PageMaker>,
    pub(crate) registration: Option<PageMaker>,
    pub(crate) password_reset: Option<PageMaker>,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"{% for (name, value) in fields %}<input type="hidden" name="{{ name }}" value="{{ value }}">{% endfor %}"#
)]
struct HiddenFields<'a> {
    fields: &'a [(&'a str, &'a str)],
}

impl FormPage<'_> {
    /// Returns where the form is sent.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// Returns the hidden fields of the form, the token among them, as HTML that is written out as it is.
    pub fn hidden_fields(&self) -> String {
        let mut fields = vec![("form_token", self.form_token)];
        fields.extend(self.hidden.iter().filter(|(_, value)| !value.is_empty()));
        // It can fail only for want of memory.
        HiddenFields { fields: &fields }.render().unwrap_or_default()
    }

    /// Returns what was typed into a field, to be escaped as any text of a visitor's; empty for a field that was left out, and
    /// for every password.
    pub fn value(&self, field: &str) -> &str {
        let found = self.values.iter().find(|(name, _)| *name == field);
        found.map_or("", |(_, value)| value)
    }

    /// Tells whether a box is ticked.
    pub fn is_checked(&self, field: &str) -> bool {
        !self.value(field).is_empty()
    }

    /// Returns what is wrong with a field, as a sentence.
    pub fn problem(&self, field: &str) -> Option<&str> {
        self.problems.iter().find(|(name, _)| *name == field).map(|(_, words)| *words)
    }

    /// Returns why the form was refused, if it was and not for one of its fields.
    pub fn message(&self) -> Option<&str> {
        self.message
    }

    /// Returns what there is to say beside the form: why a sign-in ended, when to try again, or that a password was set.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Answers with the page that the application makes of it.
    pub(crate) fn answer(&self, maker: &PageMaker, status: StatusCode) -> HttpResponse {
        let mut response = HttpResponse::with_body(status, BoxBody::new(maker(self)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        response
    }
}
