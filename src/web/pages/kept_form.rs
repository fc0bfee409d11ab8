//! `/rescue/{id}`: a form that met a sign-in that was over, shown to its user, who sends it after all.
//!
//! Showing it changes nothing, so the page can be opened again; the button sends it, once, and after ten minutes it is gone.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::error::PasswordField;
use super::layout::Layout;
use super::{lead_to, render, see_other};
use crate::crypto::FormBinding;
use crate::display::time::DisplayTime;
use crate::domain::id::KeptFormId;
use crate::domain::kept_form::is_kept;
use crate::web::error::WebError;
use crate::web::extract::CurrentUser;
use crate::web::local_path::LocalPath;
use crate::web::notice::Notice;
use crate::web::request_auth::AuthChange;
use crate::web::rescue::{LostForm, act, label, looks_hidden};
use crate::web::site::Site;

/// Pages of ours with a form, which say what there is to say once; a page of an application that embeds this may not.
const OWN: [&str; 6] = ["/account", "/activity", "/admin", "/dashboard", "/devices", "/token-details"];

#[derive(Template)]
#[template(path = "pages/kept_form.html")]
struct KeptFormPage<'a> {
    layout: Layout<'a>,
    form_token: String,
    /// What the form does, where that is known.
    act: Option<&'static str>,
    form: &'a LostForm,
    shown: Vec<Shown<'a>>,
    folded: Vec<Shown<'a>>,
    passwords: Vec<PasswordField>,
    sent: DisplayTime,
    ends: DisplayTime,
    page: &'a str,
}

/// A field as people read it.
struct Shown<'a> {
    label: String,
    value: &'a str,
}

#[derive(Template)]
#[template(path = "pages/kept_form_over.html")]
struct OverPage<'a> {
    layout: Layout<'a>,
    page: &'a str,
}

/// `GET /rescue/{id}`.
pub(crate) async fn get(
    site: web::Data<Site>,
    user: CurrentUser,
    id: web::Path<String>,
) -> Result<HttpResponse, WebError> {
    let (auth, owner) = (user.auth(), user.user().id);
    let dashboard = || AuthChange::Done(Notice::FormOver).attach(see_other("/dashboard"));
    let Ok(id) = id.parse::<KeptFormId>() else { return Ok(dashboard()) };
    let Some(kept) = site.sessions.kept_form(id).await? else { return Ok(dashboard()) };
    if kept.user != owner {
        return Err(WebError::OfAnother);
    }
    if kept.sent {
        return Err(WebError::SentBefore);
    }
    let page = site.form_seal.open(&kept.page, &LostForm::page_context(id, owner));
    let Some(page) = page.and_then(|page| LocalPath::parse(&String::from_utf8(page).ok()?)) else {
        return Ok(dashboard());
    };
    let fields = kept.fields.filter(|_| is_kept(kept.expires_at, auth.now()));
    let form = fields.and_then(|fields| site.form_seal.open(&fields, &LostForm::context(id, owner)));
    let Some(form) = form.and_then(|form| LostForm::decode(&form)) else { return over(&site, &user, &page) };
    let shown = |folded: bool| {
        let values = form.fields.iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let values = values.filter(|(name, value)| looks_hidden(name, value) == folded);
        values.map(|(name, value)| Shown { label: label(name), value }).collect()
    };
    let page = KeptFormPage {
        layout: Layout::new(&site, Some(auth), "rescue"),
        form_token: site.form_tokens.token_of_kept(FormBinding::Session(user.identity().session()), id)?,
        act: act(site.within(&form.to)),
        shown: shown(false),
        folded: shown(true),
        passwords: PasswordField::all(form.passwords(), label),
        form: &form,
        sent: DisplayTime::new(kept.created_at, auth.now()),
        ends: DisplayTime::of_end(kept.expires_at, auth.now()),
        page: page.as_str(),
    };
    render(StatusCode::OK, &page)
}

/// Leads whoever came too late to the empty form, and says so: there, or, where that page may not say it, on the way.
fn over(site: &Site, user: &CurrentUser, page: &LocalPath) -> Result<HttpResponse, WebError> {
    let path = site.within(page.as_str().split(['?', '#']).next().unwrap_or_default());
    let own = OWN.iter().any(|own| path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    if own {
        return Ok(AuthChange::Done(Notice::FormOver).attach(lead_to(page.as_str())));
    }
    let page = OverPage { layout: Layout::new(site, Some(user.auth()), "rescue"), page: page.as_str() };
    render(StatusCode::GONE, &page)
}

/// `POST /rescue/again`: what comes this far holds no form that could be sent again, for then it would have become the request
/// that it holds.
pub(crate) async fn again(_: HttpRequest) -> Result<HttpResponse, WebError> {
    Err(WebError::FormToken)
}
