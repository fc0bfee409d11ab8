//! One file per page, its template beside its handler.

mod account;
mod activity;
mod check_mail;
mod confirm;
mod dashboard;
mod devices;
mod dialogs;
mod email_undo;
mod end_device;
mod error;
mod home;
mod kept_form;
mod layout;
mod life;
mod login;
mod logout;
mod mail_link;
mod new_password;
mod password_reset;
mod reauthenticate;
mod register;
#[cfg(test)]
mod showcase;
mod switch_account;
mod theft_warning;
mod throttled;
mod token_details;
mod verify_email;

use std::fmt;

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, LOCATION, REFERRER_POLICY};
use askama::Template;

use crate::display::duration::exactly;
use crate::domain::session::Lifetimes;

pub(crate) use dialogs::opens_dialogs;
pub(crate) use error::{ErrorPage, PasswordField, SendAgain};
pub(crate) use layout::Layout;

use super::error::WebError;

pub(crate) mod handlers {
    //! The handlers, as the route table names them.
    pub(crate) use super::account::{
        cancel_email_change, change_email, change_name, change_password, change_time_zone, data as my_data,
        delete as delete_account, deletion, get as account,
    };
    pub(crate) use super::activity::get as activity;
    pub(crate) use super::check_mail::{get as check_mail, post as send_link_again};
    pub(crate) use super::confirm::get as confirm;
    pub(crate) use super::dashboard::get as dashboard;
    pub(crate) use super::devices::{ask as ask_to_revoke, get as devices, revoke, revoke_others};
    pub(crate) use super::email_undo::{get as email_undo, link as open_undo_link, post as undo_email_change};
    pub(crate) use super::end_device::{get as end_device, link as open_end_link, post as end_device_by_link};
    pub(crate) use super::home::{get as home, where_to_change_password};
    pub(crate) use super::kept_form::{again as send_form_again, get as kept_form};
    pub(crate) use super::login::{get as login, post as sign_in};
    pub(crate) use super::logout::{everywhere as sign_out_everywhere, post as sign_out};
    pub(crate) use super::new_password::{get as new_password, link as open_reset_link, post as set_new_password};
    pub(crate) use super::password_reset::{get as password_reset, post as request_password_reset, sent as reset_sent};
    pub(crate) use super::reauthenticate::{get as password_again, post as reauthenticate};
    pub(crate) use super::register::{get as registration, post as register};
    pub(crate) use super::switch_account::get as switch_account;
    pub(crate) use super::theft_warning::acknowledge as acknowledge_theft;
    pub(crate) use super::token_details::get as token_details;
    pub(crate) use super::verify_email::{get as verify_email, link as open_confirmation, post as confirm_email};
}

/// What is wrong with a field of a form.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) field: &'static str,
    pub(crate) message: String,
}

/// Returns what is wrong with each field.
fn told(problems: &[Problem]) -> Vec<(&'static str, &str)> {
    problems.iter().map(|problem| (problem.field, problem.message.as_str())).collect()
}

/// What is said where an e-mail address is missing.
const NO_EMAIL: &str = "Enter your email address";

/// Says how long a kept sign-in lasts, under its checkbox.
fn kept_hint(lifetimes: &Lifetimes) -> String {
    let kept = exactly(lifetimes.kept);
    if lifetimes.idle < lifetimes.kept {
        let idle = exactly(lifetimes.idle);
        format!("Kept for {kept}, unless unused for {idle}. Not on a shared computer.")
    } else {
        format!("Kept for {kept}. Not on a shared computer.")
    }
}

/// Keeps the address of a page behind a mailed link from other sites; those with a form say in the page itself what their form needs.
///
/// Under `no-referrer` a browser would send the form as if from nowhere, `Origin: null`, and it would be refused (WHATWG
/// Fetch, "append a request `Origin` header"). The address of the form's page holds no token any more, so `same-origin` in
/// a `meta` element takes the place of the header for what is sent from that page.
fn without_referrer(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// Bytes of most pages; room for them is taken at once, so that a page that is being made is not moved.
const PAGE_BYTES: usize = 8192;

/// The text of a page that is being made.
///
/// Each of the hundred pieces of a page is copied right where its template writes it. Written into a `String`, each was a
/// call of its own, which came to 0.4 of the 11 µs that a signed-in page takes.
struct PageText(String);

impl fmt::Write for PageText {
    #[inline(always)]
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.0.push_str(piece);
        Ok(())
    }
}

pub(crate) fn render(status: StatusCode, page: &impl Template) -> Result<HttpResponse, WebError> {
    let mut text = PageText(String::with_capacity(PAGE_BYTES));
    page.render_into(&mut text)?;
    let mut response = HttpResponse::with_body(status, BoxBody::new(text.0));
    response.headers_mut().insert(CONTENT_TYPE, HTML);
    Ok(response)
}

/// Leads to a page of Perennial's, wherever it is mounted.
pub(crate) fn see_other(page: &str) -> HttpResponse {
    let mut response = lead_to(page);
    crate::web::own_page::mark(&mut response);
    response
}

/// Leads to any path of the site, as the browser asks for it.
pub(crate) fn lead_to(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path)).finish()
}
