//! The page of an error.

use askama::Template;

use super::layout::Layout;

/// What happened, what to do next, and under which name it stands in the log.
#[derive(Template)]
#[template(path = "pages/error.html")]
pub(crate) struct ErrorPage<'a> {
    pub(crate) layout: Layout<'a>,
    pub(crate) title: &'a str,
    pub(crate) what: &'a str,
    pub(crate) next: &'a str,
    pub(crate) link: Option<(&'a str, &'a str)>,
    pub(crate) reference: Option<&'a str>,
}
