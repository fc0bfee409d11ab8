//! The page of an error.

use askama::Template;

use super::layout::Layout;
use crate::web::request_id::RequestId;

/// What happened, what to do next, and under which name it stands in the log.
#[derive(Template)]
#[template(path = "pages/error.html")]
pub(crate) struct ErrorPage<'a> {
    pub(crate) layout: Layout<'a>,
    pub(crate) title: &'a str,
    pub(crate) what: &'a str,
    pub(crate) next: &'a str,
    /// Whether the browser asks again by itself.
    pub(crate) comes_back: bool,
    pub(crate) link: Option<(&'a str, &'a str)>,
    pub(crate) reference: Option<&'a str>,
    pub(crate) request_id: RequestId,
    pub(crate) again: Option<SendAgain>,
}

/// A form that could not be carried out now, as the page carries it.
#[derive(Debug, Clone)]
pub(crate) struct SendAgain {
    /// Where it goes and its fields, encrypted.
    pub(crate) sealed: String,
    pub(crate) form_token: String,
    /// The passwords that have to be typed again.
    pub(crate) passwords: Vec<PasswordField>,
}

/// A password that has to be typed again.
#[derive(Debug, Clone)]
pub(crate) struct PasswordField {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) autocomplete: &'static str,
}

impl PasswordField {
    /// Makes a field for each of these names.
    pub(crate) fn all<'n>(names: impl Iterator<Item = &'n str>, label: fn(&str) -> String) -> Vec<Self> {
        let numbered = names.enumerate().map(|(number, name)| Self {
            id: format!("password-{number}"),
            name: name.to_owned(),
            label: label(name),
            autocomplete: if name.to_lowercase().contains("new") { "new-password" } else { "current-password" },
        });
        numbered.collect()
    }
}
