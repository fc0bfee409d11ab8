//! What every page has around it.

use time::Duration;

use crate::display::time::DisplayTime;
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

/// How long before its end a sign-in is announced to end, on every page.
const ENDS_SOON: Duration = Duration::minutes(5);

/// The frame of a page.
pub(crate) struct Layout<'a> {
    pub(crate) stylesheet: &'a str,
    pub(crate) icon: &'a str,
    pub(crate) nav: Option<Nav<'a>>,
    pub(crate) ends_soon: Option<DisplayTime>,
}

/// Where a signed-in user can go.
pub(crate) struct Nav<'a> {
    pub(crate) full_name: &'a str,
    pub(crate) form_token: &'a str,
    pub(crate) current: &'static str,
}

impl<'a> Layout<'a> {
    /// Frames the page named `current` for a request, or for nobody.
    pub(crate) fn new(site: &'a Site, auth: Option<&'a RequestAuth>, current: &'static str) -> Self {
        let identity = auth.and_then(RequestAuth::identity);
        let nav = identity.map(|identity| Nav {
            full_name: &identity.user().full_name,
            form_token: site.form_token_of(identity),
            current,
        });
        let ends_soon = auth.zip(identity).and_then(|(auth, identity)| {
            let (end, now) = (identity.expires_at(), auth.now());
            (end.unix_timestamp() - now.unix_timestamp() <= ENDS_SOON.whole_seconds())
                .then(|| DisplayTime::new(end, now))
        });
        Self { stylesheet: site.assets.stylesheet(), icon: site.assets.icon(), nav, ends_soon }
    }
}
