//! Whom the routes of an application answer.

use actix_web::http::{Method, StatusCode};
use time::Duration;

use super::answer::Answer;
use super::server::TestServer;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Allowed {
    /// Anybody.
    Public,
    /// Somebody who is signed in.
    SignedIn,
    /// Somebody who is signed in, and has entered the password a short while ago.
    RecentPassword,
    /// Somebody with a role.
    Role(&'static str),
}

/// The address of the account that is turned away for want of a role, or for an old password.
const SOMEBODY: &str = "somebody@example.org";

/// Longer ago than any route takes for a short while, and not so long that the sign-in is over.
const LONG_AGO: Duration = Duration::hours(23);

/// Asserts that a route answers exactly those whom it is for, whatever else it says of the request: what
/// [`assert_access!`](crate::assert_access) calls.
///
/// Whoever may not use it is led to `/login` or to `/reauthenticate`, or gets 401, 403 or 404 where a role is missing. A
/// request that changes something brings no form, so whoever may use the route may be told that (403 for want of a token).
///
/// # Panics
/// If it does not; the message names the route.
pub async fn check(app: &TestServer, method: &str, path: &str, allowed: Allowed) {
    let verb: Method = method.parse().unwrap();
    let leads_to = |answer: &Answer, page: &str| answer.location().starts_with(&app.site().at(page));
    let stranger = app.browser();
    let page = stranger.ask_for_head(verb.clone(), path).await;
    let script = stranger.fetch(verb.clone(), path).await;
    if allowed == Allowed::Public {
        let shut = leads_to(&page, "/login") && page.status == StatusCode::SEE_OTHER;
        assert!(!shut && script.status != StatusCode::UNAUTHORIZED, "{method} {path} is not public: {}", page.status);
        return;
    }
    let led = page.status == StatusCode::SEE_OTHER && leads_to(&page, "/login");
    let refused = page.status == StatusCode::UNAUTHORIZED;
    assert!(led || refused, "{method} {path} answers somebody who is not signed in: {}", page.status);
    assert_eq!(script.status, StatusCode::UNAUTHORIZED, "{method} {path} answers a script that is not signed in");
    let browser = app.browser();
    if allowed == Allowed::RecentPassword {
        browser.sign_in_as_since(SOMEBODY, LONG_AGO).await;
        let answer = browser.ask_for_head(verb.clone(), path).await;
        let asked = leads_to(&answer, "/reauthenticate") || answer.status == StatusCode::UNAUTHORIZED;
        assert!(asked, "{method} {path} answers somebody who entered the password long ago: {}", answer.status);
    }
    browser.sign_in_as(SOMEBODY).await;
    if let Allowed::Role(role) = allowed {
        let answer = browser.ask_for_head(verb.clone(), path).await;
        let turned_away = matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND);
        assert!(turned_away, "{method} {path} answers somebody without the role {role}: {}", answer.status);
        browser.sign_in_as_role(&format!("{role}@example.org"), role).await;
    }
    let answer = browser.ask_for_head(verb, path).await;
    let shut = answer.status == StatusCode::UNAUTHORIZED
        || leads_to(&answer, "/login")
        || leads_to(&answer, "/reauthenticate");
    assert!(!shut, "{method} {path} does not answer somebody who may use it: {}", answer.status);
    if let (Allowed::Role(role), StatusCode::NOT_FOUND) = (allowed, answer.status) {
        panic!("{method} {path} does not answer somebody with the role {role}");
    }
}

/// Asserts that no route of a list answers a browser, or a script, that is not signed in.
///
/// ```ignore
/// assert_requires_sign_in!(app, GET "/app/notes", POST "/app/notes");
/// ```
#[macro_export]
macro_rules! assert_requires_sign_in {
    ($app:expr, $($method:ident $path:expr),+ $(,)?) => {
        $($crate::testing::check(&$app, stringify!($method), $path, $crate::testing::Allowed::SignedIn).await;)+
    };
}

/// Asserts of each route of a list that it answers exactly those whom it is for.
///
/// ```ignore
/// assert_access!(app, {
///     GET "/" => Public,
///     GET "/app/notes" => SignedIn,
///     POST "/app/account" => RecentPassword,
///     GET "/app/reports" => Role("accountant"),
/// });
/// ```
#[macro_export]
macro_rules! assert_access {
    ($app:expr, { $($method:ident $path:expr => $allowed:ident $(($role:expr))?),+ $(,)? }) => {
        $($crate::testing::check(
            &$app,
            stringify!($method),
            $path,
            $crate::testing::Allowed::$allowed $(($role))?,
        ).await;)+
    };
}
