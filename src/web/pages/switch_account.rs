//! `/switch-account`: what a form that signs in leads to where somebody else is signed in by now.
//!
//! A second tab may show a form from before. Signing its sender in would end a sign-in that they did not mean to end, and
//! showing the page that they wanted would show it for another account: so they are asked.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::layout::Layout;
use super::{lead_to, render, see_other};
use crate::domain::user::{Email, User};
use crate::web::error::WebError;
use crate::web::extract::MaybeUser;
use crate::web::forms::UnverifiedForm;
use crate::web::local_path::LocalPath;
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

const PATH: &str = "/switch-account";

#[derive(Template)]
#[template(path = "pages/switch_account.html")]
struct SwitchAccountPage<'a> {
    layout: Layout<'a>,
    full_name: &'a str,
    email: &'a str,
    next: &'a str,
}

/// The query of the page.
#[derive(serde::Deserialize)]
pub(crate) struct Query {
    next: Option<String>,
}

/// `GET /switch-account`.
pub(crate) async fn get(
    site: web::Data<Site>,
    auth: RequestAuth,
    user: MaybeUser,
    query: Option<web::Query<Query>>,
) -> Result<HttpResponse, WebError> {
    let next = query.and_then(|query| LocalPath::parse(query.next.as_deref()?));
    let Some(user) = user.0 else { return Ok(see_other(&LocalPath::on_the_way("/login", next.as_ref()))) };
    let page = SwitchAccountPage {
        layout: Layout::new(&site, Some(&auth), "switch-account"),
        full_name: &user.user().full_name,
        email: &user.user().email,
        next: site.after_sign_in(next.as_ref()),
    };
    render(StatusCode::OK, &page)
}

/// Answers a form that would have signed `typed` in, sent where `user` is signed in: whoever is signed in already goes where
/// the form leads, and whoever meant somebody else is asked.
///
/// A form that cannot be read names nobody.
pub(crate) async fn answer(site: &Site, request: &HttpRequest, payload: web::Payload, user: &User) -> HttpResponse {
    let Ok(form) = UnverifiedForm::read(request, payload).await else { return lead_to(site.after_sign_in(None)) };
    let (typed, next) = (form.get("email"), LocalPath::parse(form.get("next")));
    let meant_somebody_else = match typed.parse::<Email>() {
        Ok(typed) => typed.as_str() != &*user.email.to_ascii_lowercase(),
        Err(_) => !typed.trim().is_empty(),
    };
    if meant_somebody_else {
        see_other(&LocalPath::on_the_way(PATH, next.as_ref()))
    } else {
        lead_to(site.after_sign_in(next.as_ref()))
    }
}
