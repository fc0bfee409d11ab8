//! What every page has around it.

use std::fmt;

use askama::filters::HtmlSafe;
use askama::{FastWritable, Values};
use time::Duration;

use super::theft_warning::TheftWarning;
use crate::display::time::DisplayTime;
use crate::domain::session::SHARED_IDLE;
use crate::domain::user::Role;
use crate::session::Identity;
use crate::web::choices::{Frame, FramedPage};
use crate::web::local_path::LocalPath;
use crate::web::notice::Notice;
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

/// How long before its end a sign-in is announced to end, on every page.
const ENDS_SOON: Duration = Duration::minutes(5);

/// How long a page may be left open: one whose sign-in ends within that time is covered then.
const LEFT_OPEN: Duration = Duration::days(1);

/// The frame of a page.
pub(crate) struct Layout<'a> {
    /// The path that every page of Perennial's is below; empty for the root.
    pub(crate) base: Base<'a>,
    pub(crate) site_name: &'a str,
    pub(crate) stylesheet: &'a str,
    pub(crate) icon: &'a str,
    /// The image beside the name of the site.
    pub(crate) logo: Option<&'a str>,
    /// What an application has around the page, in the place of the header.
    pub(crate) frame: Option<Around>,
    pub(crate) nav: Option<Nav<'a>>,
    pub(crate) notice: Option<Banner>,
    pub(crate) ends_soon: Option<DisplayTime>,
    pub(crate) curtain: Option<Curtain<'a>>,
    pub(crate) theft: Option<TheftWarning>,
    /// Where a button of the frame leads back to: this page.
    pub(crate) here: String,
}

/// The path that every page of Perennial's is below: a few letters and slashes, which need no escaping.
#[derive(Clone, Copy)]
pub(crate) struct Base<'a>(pub(crate) &'a str);

impl fmt::Display for Base<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl HtmlSafe for Base<'_> {}

// A page names its base a dozen times, and a formatter for each would cost more than the letters.
impl FastWritable for Base<'_> {
    fn write_into(&self, page: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        Ok(page.write_str(self.0)?)
    }
}

/// What an application has around the page, written out as it is.
pub(crate) struct Around {
    pub(crate) head: Markup,
    pub(crate) before: Markup,
    pub(crate) after: Markup,
}

impl From<Frame> for Around {
    fn from(frame: Frame) -> Self {
        Self { head: Markup(frame.head), before: Markup(frame.before), after: Markup(frame.after) }
    }
}

/// HTML of the application's, which is trusted as its own pages are.
pub(crate) struct Markup(String);

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Markup {}

/// What covers a private page that is still open when its sign-in is over.
pub(crate) struct Curtain<'a> {
    /// When that is.
    pub(crate) end: DisplayTime,
    /// In how many seconds.
    pub(crate) seconds: i64,
    /// What lets the style element in that says so.
    pub(crate) nonce: &'a str,
}

impl<'a> Curtain<'a> {
    /// Draws the curtain at the end of a sign-in, or where it idles away before on a computer that others use too.
    fn new(auth: &'a RequestAuth, identity: &Identity) -> Option<Self> {
        let now = auth.now();
        let left_alone = identity.is_on_shared_computer().then(|| now + SHARED_IDLE);
        let end = left_alone.map_or(identity.expires_at(), |idle| idle.min(identity.expires_at()));
        let seconds = (end - now).whole_seconds();
        if seconds > LEFT_OPEN.whole_seconds() {
            return None;
        }
        // A countdown from nought would not run.
        Some(Self { end: auth.times().end(end), seconds: seconds.max(1), nonce: auth.style_nonce()? })
    }
}

/// What a page says once.
pub(crate) struct Banner {
    pub(crate) words: String,
    pub(crate) warning: bool,
    /// Where to do what it asks for, and what the link says.
    pub(crate) link: Option<(&'static str, &'static str)>,
}

impl Banner {
    fn new(notice: &Notice) -> Self {
        Self { words: notice.words(), warning: notice.is_warning(), link: notice.link() }
    }
}

/// Where a signed-in user can go.
pub(crate) struct Nav<'a> {
    pub(crate) full_name: &'a str,
    pub(crate) form_token: &'a str,
    pub(crate) current: &'static str,
    /// Whether the administration is theirs to see.
    pub(crate) is_admin: bool,
}

impl<'a> Layout<'a> {
    /// Frames the page named `current` for a request, or for nobody.
    pub(crate) fn new(site: &'a Site, auth: Option<&'a RequestAuth>, current: &'static str) -> Self {
        let identity = auth.and_then(RequestAuth::identity);
        let form_token = identity.map_or("", |identity| site.form_token_of(identity));
        let nav = identity.map(|identity| Nav {
            full_name: &identity.user().full_name,
            form_token,
            current,
            is_admin: identity.user().role == Role::ADMIN,
        });
        let ends_soon = auth.zip(identity).and_then(|(auth, identity)| {
            let (end, now) = (identity.expires_at(), auth.now());
            (end.unix_timestamp() - now.unix_timestamp() <= ENDS_SOON.whole_seconds()).then(|| auth.times().end(end))
        });
        let curtain = auth.zip(identity).and_then(|(auth, identity)| Curtain::new(auth, identity));
        let theft =
            auth.zip(identity).and_then(|(auth, identity)| Some(TheftWarning::new(identity.theft()?, &auth.times())));
        let asked_back = ends_soon.is_some() || theft.is_some() || curtain.is_some();
        Self {
            base: Base(site.public_url.mount()),
            site_name: &site.site_name,
            stylesheet: site.assets.stylesheet(),
            icon: site.assets.icon(),
            logo: site.choices.logo.as_ref().map(LocalPath::as_str),
            frame: site.choices.frame.as_ref().map(|frame| {
                Around::from(frame(&FramedPage { user: identity.map(|identity| identity.user()), form_token }))
            }),
            nav,
            notice: auth.and_then(RequestAuth::notice).map(Banner::new),
            ends_soon,
            curtain,
            theft,
            here: if asked_back { site.at(&format!("/{current}")) } else { String::new() },
        }
    }

    /// Returns what a banner says, for a page that has none.
    pub(crate) fn notices(&self) -> Vec<String> {
        self.notice.iter().map(|banner| banner.words.clone()).collect()
    }

    /// Lets the buttons of the frame lead back to a page of Perennial's that the name of its part does not say.
    pub(crate) fn on(self, page: &str) -> Self {
        let here = format!("{}{page}", self.base);
        self.at(&here)
    }

    /// Lets the buttons of the frame lead back to this part of the page, and not to its beginning.
    pub(crate) fn at(self, path_and_query: &str) -> Self {
        if self.here.is_empty() { self } else { Self { here: path_and_query.to_owned(), ..self } }
    }
}
