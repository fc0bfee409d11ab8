//! `/verify-email`: a mailed link, and the page behind it that confirms an address.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::layout::Layout;
use super::mail_link::{self, Dead};
use super::{lead_to, render, see_other, without_referrer};
use crate::accounts::{self, ConfirmOutcome, Confirmation, Confirming};
use crate::session::IssuedTokens;
use crate::web::error::WebError;
use crate::web::extract::client_info::ClientInfo;
use crate::web::forms::SubmittedForm;
use crate::web::notice::Notice;
use crate::web::request_auth::{AuthChange, RequestAuth};
use crate::web::site::Site;
use crate::web::throttle;

const PATH: &str = "/verify-email";

const DEAD: Dead = Dead {
    lead: "A link to confirm an email address works once, for 24 hours, and only the newest one does. Nothing was changed.",
    advice: "Were you creating an account? Do so again, and we'll send you a new link. Were you changing your address? Ask \
             for it again on your account page.",
    choices: &[("/register", "Create an account"), ("/account", "Go to your account")],
};

#[derive(Template)]
#[template(path = "pages/verify_email.html")]
struct VerifyEmailPage<'a> {
    layout: Layout<'a>,
    form_token: String,
    email: &'a str,
    makes_account: bool,
    signed_in: bool,
}

/// `GET /verify-email/{token}`: moves the token out of the address. Opened any number of times, it spends nothing.
pub(crate) async fn link(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
) -> Result<HttpResponse, WebError> {
    mail_link::open(&request, &site, &auth, PATH, &DEAD)
}

/// `GET /verify-email`: asks for the button.
pub(crate) async fn get(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
) -> Result<HttpResponse, WebError> {
    let tokens = site.jar.password_reset(request.headers());
    let Some(Confirmation { email, owner, .. }) = accounts::find_confirmation(&site.sessions, tokens).await? else {
        return mail_link::dead(&site, &auth, &DEAD);
    };
    let page = VerifyEmailPage {
        form_token: site.form_tokens.token(auth.form_binding()?)?,
        layout: Layout::new(&site, Some(&auth), ""),
        email: email.as_str(),
        makes_account: owner.is_none(),
        signed_in: auth.identity().is_some(),
    };
    Ok(without_referrer(render(StatusCode::OK, &page)?))
}

/// `POST /verify-email`: uses the link up.
pub(crate) async fn post(
    request: HttpRequest,
    site: web::Data<Site>,
    auth: RequestAuth,
    ClientInfo(client): ClientInfo,
    form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    throttle::count_form(&site, PATH, &client).await?;
    let tokens = site.jar.password_reset(request.headers());
    let device = throttle::device(&request, &site, &auth)?;
    let by = Confirming { form: auth.form().map(|form| form.id), device, client };
    // Another link, opened in another tab since, has taken the place of the cookie: nothing is confirmed but the address
    // that the form named.
    let named = form.get("email");
    let found = accounts::find_confirmation(&site.sessions, tokens.clone()).await?;
    let Some(found) = found.filter(|found| named.is_empty() || named == found.email.as_str()) else {
        return match accounts::join_confirmed(&site.sessions, tokens, &by).await? {
            Some(tokens) if auth.identity().is_none() => Ok(signed_in(&site, &by, tokens)),
            _ => mail_link::dead(&site, &auth, &DEAD),
        };
    };
    let (page, notice) = match accounts::confirm_email(&site.sessions, found, auth.authenticated(), by.clone()).await? {
        ConfirmOutcome::SignedIn(tokens) => return Ok(signed_in(&site, &by, tokens)),
        ConfirmOutcome::DeadLink => return mail_link::dead(&site, &auth, &DEAD),
        ConfirmOutcome::Registered => ("/dashboard", Notice::AccountReady),
        ConfirmOutcome::Changed(user) => match auth.identity() {
            Some(identity) if identity.user().id == user => ("/account", Notice::EmailChanged),
            Some(_) => ("/dashboard", Notice::EmailChanged),
            None => ("/login", Notice::EmailChanged),
        },
    };
    let mut response = without_referrer(see_other(page));
    site.jar.clear_password_reset(response.headers_mut());
    Ok(AuthChange::Done(notice).attach(response))
}

fn signed_in(site: &Site, by: &Confirming, tokens: IssuedTokens) -> HttpResponse {
    let mut response = without_referrer(throttle::remember(site, by.device, lead_to(site.after_sign_in(None))));
    site.jar.clear_password_reset(response.headers_mut());
    AuthChange::SignedIn(tokens, Some(Notice::EmailConfirmed)).attach(response)
}
