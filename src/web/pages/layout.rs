//! What every page has around it.

use time::Duration;

use super::super::site::Site;
use super::super::visit::Visit;
use crate::domain::moment::Moment;

/// How long before its end a sign-in is announced to end, on every page.
const ENDS_SOON: Duration = Duration::minutes(5);

/// The frame of a page.
pub(in crate::web) struct Layout<'a> {
    pub(super) stylesheet: &'a str,
    pub(super) icon: &'a str,
    pub(super) nav: Option<Nav<'a>>,
    pub(super) ends_soon: Option<Moment>,
}

/// Where a signed-in user can go.
pub(super) struct Nav<'a> {
    pub(super) full_name: &'a str,
    pub(super) form_token: &'a str,
    pub(super) current: &'static str,
}

impl<'a> Layout<'a> {
    /// Frames the page named `current` for a visit, or for nobody.
    pub(in crate::web) fn new(site: &'a Site, visit: Option<&'a Visit>, current: &'static str) -> Self {
        let grant = visit.and_then(Visit::grant);
        let nav =
            grant.map(|grant| Nav { full_name: &grant.user.full_name, form_token: site.form_token_of(grant), current });
        let ends_soon = visit.zip(grant).and_then(|(visit, grant)| {
            let (end, now) = (grant.session.expires_at, visit.arrived());
            (end.unix_timestamp() - now.unix_timestamp() <= ENDS_SOON.whole_seconds()).then(|| Moment::new(end, now))
        });
        Self { stylesheet: site.assets.stylesheet(), icon: site.assets.icon(), nav, ends_soon }
    }
}
