//! An administrator, as a handler asks for one.

use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use time::Duration;

use super::recent_user::require_recent;
use super::user::{CurrentUser, MaybeUser, sign_in_required};
use crate::domain::user::Role;
use crate::web::error::WebError;
use crate::web::forms::SubmittedForm;
use crate::web::request_auth::RequestAuth;

/// Minutes for which a password that was entered is good enough for an act (as for [`RecentUser`](super::RecentUser)).
const MINUTES: i64 = 10;

/// The signed-in administrator of this request. To everybody else, and to whoever is not signed in, nothing is there.
///
/// An administrator whose sign-in is over, as the cookies still show, is led to the sign-in page and back, and a form of
/// theirs is kept for them: a bookmark must not seem to be gone.
#[derive(Debug)]
pub(crate) struct AdminUser(CurrentUser);

impl Deref for AdminUser {
    type Target = CurrentUser;

    fn deref(&self) -> &CurrentUser {
        &self.0
    }
}

impl FromRequest for AdminUser {
    type Error = WebError;
    type Future = LocalBoxFuture<'static, Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let found = MaybeUser::from_request(request, payload).into_inner();
        let auth = RequestAuth::from_request(request, payload).into_inner();
        let request = request.clone();
        Box::pin(async move {
            match found?.0 {
                Some(user) if user.user().role == Role::ADMIN => Ok(Self(user)),
                Some(_) => Err(WebError::NotFound),
                None => Err(led_back(&request, &auth?).await?),
            }
        })
    }
}

/// Says what becomes of a request without a sign-in.
async fn led_back(request: &HttpRequest, auth: &RequestAuth) -> Result<WebError, WebError> {
    let Some(ended) = auth.authenticated().ended else { return Ok(WebError::NotFound) };
    let administrators = auth.site().sessions.is_administrators(ended.session).await?;
    Ok(if administrators { sign_in_required(request) } else { WebError::NotFound })
}

/// The signed-in administrator of this request, who has entered their password within the last ten minutes.
///
/// Take it in a handler that changes something. Whoever entered it longer ago enters it again first, and the form is kept
/// for them meanwhile.
#[derive(Debug)]
pub(crate) struct RecentAdmin(AdminUser);

impl Deref for RecentAdmin {
    type Target = CurrentUser;

    fn deref(&self) -> &CurrentUser {
        &self.0
    }
}

impl FromRequest for RecentAdmin {
    type Error = WebError;
    type Future = LocalBoxFuture<'static, Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let admin = AdminUser::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let admin = admin.await?;
            require_recent(&admin, &request, Duration::minutes(MINUTES))?;
            Ok(Self(admin))
        })
    }
}

/// A form that an administrator sent: who they are is found out before anything of the form is looked at, since to
/// everybody else nothing is there.
#[derive(Debug)]
pub(crate) struct AdminForm {
    /// Who sent it, with a password entered within the last ten minutes.
    pub(crate) admin: RecentAdmin,
    /// The fields.
    pub(crate) form: SubmittedForm,
}

impl FromRequest for AdminForm {
    type Error = WebError;
    type Future = LocalBoxFuture<'static, Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let admin = RecentAdmin::from_request(request, payload);
        let form = SubmittedForm::from_request(request, payload);
        Box::pin(async move { Ok(Self { admin: admin.await?, form: form.await? }) })
    }
}
