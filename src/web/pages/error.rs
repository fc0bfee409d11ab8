//! The page of an error.

use askama::Template;

use super::layout::Layout;

/// What happened, what to do next, and under which name it stands in the log.
#[derive(Template)]
#[template(path = "pages/error.html")]
pub(in crate::web) struct ErrorPage<'a> {
    pub(in crate::web) layout: Layout<'a>,
    pub(in crate::web) title: &'a str,
    pub(in crate::web) what: &'a str,
    pub(in crate::web) next: &'a str,
    pub(in crate::web) link: Option<(&'a str, &'a str)>,
    pub(in crate::web) reference: Option<&'a str>,
}
