//! What an application that embeds Perennial chooses, and no operator.

use std::fmt;
use std::sync::Arc;

use actix_web::http::header::HeaderValue;

use super::form_page::FormPages;
use super::local_path::LocalPath;
use crate::domain::user::User;

/// What an application puts around a page of Perennial's, as HTML that is written out as it is.
///
/// The page's own style sheet, its content and its one `main` element stay. The default `Content-Security-Policy` holds:
/// styles and images come from this origin, and no script runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// At the end of `head`, after Perennial's style sheet: a style sheet of the application's, for example.
    pub head: String,
    /// In the place of Perennial's header, with the name of the site, the navigation and the button that signs out.
    pub before: String,
    /// After `main`.
    pub after: String,
}

/// The page that a [`Frame`] is around.
#[derive(Debug)]
#[non_exhaustive]
pub struct FramedPage<'a> {
    /// Whoever is signed in.
    pub user: Option<&'a User>,
    /// The token of their forms, for the button that signs out: a form that is sent by `POST` to `/logout` with this in a
    /// field named `form_token`. Empty where nobody is signed in.
    pub form_token: &'a str,
}

/// Makes the frame of a page.
pub(crate) type FrameMaker = Arc<dyn Fn(&FramedPage<'_>) -> Frame + Send + Sync>;

/// What an application chooses.
#[derive(Clone, Default)]
pub struct Choices {
    /// Where a sign-in leads that was not on its way to a page.
    pub(crate) after_sign_in: Option<LocalPath>,
    /// The image beside the name of the site.
    pub(crate) logo: Option<LocalPath>,
    /// What is around Perennial's pages.
    pub(crate) frame: Option<FrameMaker>,
    /// The pages that it makes itself.
    pub(crate) pages: FormPages,
    /// Origins beside the public URL that may send what changes something.
    pub(crate) origins: Vec<HeaderValue>,
}

impl fmt::Debug for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Choices")
            .field("after_sign_in", &self.after_sign_in)
            .field("logo", &self.logo)
            .field("frame", &self.frame.is_some())
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}
