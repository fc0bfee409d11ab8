//! What every page has around it.

use time::Duration;

use super::super::site::Site;
use super::super::visit::Visit;
use crate::crypto::FormBinding;
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
    pub(super) form_token: String,
    pub(super) current: &'static str,
}

impl<'a> Layout<'a> {
    /// Frames the page named `current` for a visit, or for nobody.
    pub(in crate::web) fn new(site: &'a Site, visit: Option<&'a Visit>, current: &'static str) -> Self {
        let grant = visit.and_then(Visit::grant);
        let now = site.auth.now();
        let nav = grant.map(|grant| Nav {
            full_name: &grant.user.full_name,
            form_token: site.form_tokens.token(FormBinding::Session(grant.session.id)),
            current,
        });
        let ends = grant.map(|grant| grant.session.expires_at);
        let ends_soon = ends.filter(|end| *end - now <= ENDS_SOON).map(|end| Moment::new(end, now));
        Self { stylesheet: site.assets.stylesheet(), icon: site.assets.icon(), nav, ends_soon }
    }
}
