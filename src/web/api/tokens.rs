//! `/api/login`, `/api/refresh` and `/api/logout`.

use std::borrow::Cow;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::authorization::bearer;
use super::body;
use super::problem::{Problem, ProblemKind};
use super::user::{ApiUser, log, not_done, refused};
use crate::domain::audience::Audience;
use crate::domain::password::Password;
use crate::session::{Authenticated, BearerRefusal, DecisionLog, IssuedTokens, SignIn, SignInOutcome, Throttled};
use crate::web::error::{WebError, whole_seconds};
use crate::web::extract::client_info::ClientInfo;
use crate::web::request_auth::RequestAuth;

/// An e-mail address and a password.
#[derive(Deserialize, ToSchema)]
pub(super) struct Credentials<'a> {
    /// The address of the account.
    #[serde(borrow)]
    #[schema(example = "ada@example.org")]
    email: Cow<'a, str>,
    /// Its password.
    #[serde(borrow)]
    #[schema(format = Password, min_length = 1, example = "three random words")]
    password: Cow<'a, str>,
}

/// Tokens, as a client gets them.
#[derive(Serialize, ToSchema)]
pub(super) struct Tokens<'a> {
    /// Says what was done, for people.
    message: &'static str,
    /// Opens what is protected, for some minutes; send it as `Authorization: Bearer <token>`.
    access_token: &'a str,
    /// Gets the next pair at `/api/refresh`. It takes the place of the one before; where there is none, that one stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refresh_token: Option<&'a str>,
    /// Seconds until the access token expires.
    #[schema(minimum = 0, example = 900)]
    expires_in: i64,
}

/// Signs in.
///
/// Tries are counted as on the sign-in page, and the sign-in shows on the page of devices.
#[utoipa::path(post, path = "/api/login", operation_id = "login", request_body = inline(Credentials<'_>),
    responses((status = OK, description = "Signed in.", body = inline(Tokens<'_>))))]
pub(crate) async fn log_in(
    request: HttpRequest,
    payload: web::Payload,
    auth: RequestAuth,
    ClientInfo(client): ClientInfo,
) -> Result<HttpResponse, WebError> {
    let body = body::read(&request, payload).await?;
    let wanted = r#"an object with the texts "email" and "password""#;
    let Credentials { email, password } = body::parse(&body, wanted)?;
    let invalid = |detail: &str| Problem::new(ProblemKind::BodyInvalid).saying(detail);
    if email.trim().is_empty() {
        return Err(invalid("The email address is empty.").into());
    }
    let password = Password::entered(Zeroizing::new(password.into_owned()));
    let password = password.map_err(|error| invalid(&format!("{error}.")))?;
    let attempt = SignIn {
        email: email.parse().ok(),
        password,
        keep: true,
        shared_computer: false,
        form: None,
        device: None,
        audience: Audience::Api,
    };
    match auth.site().sessions.sign_in(attempt, &Authenticated::default(), &client).await? {
        SignInOutcome::SignedIn { tokens, .. } => Ok(answer("You are signed in.", &tokens)),
        SignInOutcome::Refused => Err(Problem::new(ProblemKind::CredentialsRefused).into()),
        SignInOutcome::Throttled(throttled) => {
            let kind = match throttled {
                Throttled::Locked(_) | Throttled::LockedForStrangers => ProblemKind::AccountLocked,
                Throttled::TooMany(_) => ProblemKind::TooManyTries,
            };
            Err(Problem::new(kind).after(whole_seconds(throttled.wait())).into())
        }
    }
}

/// Exchanges a refresh token for new tokens.
///
/// Soon after the last exchange there is no `refresh_token` in the answer: the one at hand stays. So an answer that was lost
/// costs nothing, and a refresh token that is used long after it was exchanged ends the sign-in: somebody has a copy.
#[utoipa::path(post, path = "/api/refresh", operation_id = "refresh", security(("refresh_token" = [])),
    responses((status = OK, description = "New tokens.", body = inline(Tokens<'_>))))]
pub(crate) async fn refresh(
    request: HttpRequest,
    auth: RequestAuth,
    ClientInfo(client): ClientInfo,
) -> Result<HttpResponse, WebError> {
    let site = auth.site();
    let mut steps = DecisionLog::new(site.debug_auth);
    let exchanged = site.sessions.refresh_bearer(bearer(site, &request)?, &client, auth.now(), &mut steps).await;
    if let Some(why) = steps.line() {
        log(&auth, &request, || why);
    }
    let tokens = exchanged?.map_err(|refusal| match refusal {
        BearerRefusal::Expired => Problem::new(ProblemKind::TokenExpired)
            .saying("The sign-in has expired. Sign in again at /api/login.")
            .into(),
        refusal => refused(refusal),
    })?;
    let message = match tokens.refresh {
        Some(_) => "Here are new tokens. Keep the new refresh token and forget the old one.",
        None => "Here is a new access token. Keep the refresh token that you have.",
    };
    Ok(answer(message, &tokens))
}

/// Ends the sign-in of the access token.
#[utoipa::path(post, path = "/api/logout", operation_id = "logout", security(("access_token" = [])),
    responses((status = NO_CONTENT, description = "Signed out: no token of this sign-in opens anything any more.")))]
pub(crate) async fn log_out(user: ApiUser, ClientInfo(client): ClientInfo) -> Result<HttpResponse, WebError> {
    let held = Authenticated::signed_in(user.identity().clone());
    user.auth().site().sessions.sign_out(user.identity(), &held, &client).await.map_err(not_done)?;
    Ok(HttpResponse::NoContent().finish())
}

fn answer(message: &'static str, tokens: &IssuedTokens) -> HttpResponse {
    HttpResponse::Ok().json(Tokens {
        message,
        access_token: &tokens.access,
        refresh_token: tokens.refresh.as_deref().map(String::as_str),
        expires_in: (tokens.access_expires_at - tokens.issued_at).whole_seconds(),
    })
}
