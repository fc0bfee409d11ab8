//! Every route of the table keeps to the access it states.

use actix_web::http::{Method, StatusCode};
use perennial::web::{Access, ROUTES, Route};
use time::Duration;

use crate::support::api::{ApiClient, refusal, refused};
use crate::support::{Browser, TestApp};

/// The paths that anybody may use; a new one is added here knowingly.
const PUBLIC: [&str; 28] = [
    "/",
    "/login",
    "/register",
    "/register/check-mail",
    "/verify-email",
    "/verify-email/{token}",
    "/password-reset",
    "/password-reset/check-mail",
    "/password-reset/new",
    "/password-reset/{token}",
    "/session/renew",
    "/session/bind",
    "/session/confirm",
    "/devices/end",
    "/devices/end/{token}",
    "/email-undo",
    "/email-undo/{token}",
    "/switch-account",
    "/rescue/again",
    "/.well-known/change-password",
    "/healthz",
    "/readyz",
    r"/static/{name:(?:style|icon)\.[\w-]{12}\.(?:css|svg)}",
    "/favicon.ico",
    "/apple-touch-icon.png",
    "/robots.txt",
    "/api/login",
    "/api/openapi.json",
];

/// The paths that a browser asks by itself: a proof that its device signed stands in the place of a form.
const BY_PROOF: [&str; 2] = ["/session/bind", "/session/renew"];

/// Every method that a client could try.
const METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
];

/// Returns a path that the route matches.
fn example(route: &Route) -> String {
    let mut path = String::new();
    for segment in route.path.split_inclusive('/') {
        path.push_str(match segment {
            "{id}/" => "AAAAAAAAAAAAAAAAAAAAAA/",
            segment if segment.starts_with('{') => "1",
            segment => segment,
        });
    }
    path
}

fn answers(route: &Route, method: &Method) -> bool {
    route.methods.split(", ").any(|name| name == method.as_str())
}

/// Tells whether a route is for browsers that are signed in.
fn wants_sign_in(route: &Route) -> bool {
    matches!(route.access, Access::SignedIn | Access::RecentPassword)
}

/// Asserts that no method of a route that wants a sign-in does anything for `visitor`, who has none.
async fn assert_closed(visitor: &Browser, route: &Route) {
    let path = example(route);
    for method in METHODS {
        let answer = visitor.ask(method.clone(), &path).await;
        if answers(route, &method) {
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{method} {path}");
            assert!(answer.location().starts_with("/login"), "{method} {path}");
        } else {
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        }
        assert!(!answer.set().contains(&"access_token".to_owned()), "{method} {path}");
    }
}

#[actix_web::test]
async fn what_is_public_is_listed_here() {
    let public: Vec<_> = ROUTES.iter().filter(|route| route.access == Access::Public).map(|route| route.path).collect();
    assert_eq!(public, PUBLIC);
}

#[actix_web::test]
async fn what_wants_a_sign_in_answers_nobody_without_one() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let ended = app.browser();
    ended.sign_in().await;
    let thief = ended.clone();
    ended.sign_out().await;
    let forger = app.browser().with_header("cookie", "access_token=a.b.c; keep_signed_in=forged");
    for route in ROUTES.iter().filter(|route| wants_sign_in(route)) {
        for visitor in [&app.browser(), &thief.clone(), &forger] {
            assert_closed(visitor, route).await;
        }
    }
}

#[actix_web::test]
async fn what_wants_a_sign_in_answers_whoever_has_one() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let own = app.rows().text("SELECT id FROM sessions");
    for route in ROUTES.iter().filter(|route| wants_sign_in(route) && answers(route, &Method::GET)) {
        let path = example(route).replace("AAAAAAAAAAAAAAAAAAAAAA", &own);
        // There is no form that was kept.
        let wanted = if route.path == "/rescue/{id}" { StatusCode::SEE_OTHER } else { StatusCode::OK };
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, wanted, "{route:?}");
        assert!(!answer.location().starts_with("/login"), "{route:?}");
    }
}

#[actix_web::test]
async fn what_wants_a_recent_password_answers_nobody_who_entered_it_long_ago() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(Duration::seconds(601));
    assert!(browser.is_signed_in().await);
    for route in ROUTES {
        for method in METHODS.into_iter().filter(|method| answers(route, method)) {
            let answer = browser.clone().ask(method.clone(), &example(route)).await;
            let asked = answer.location().starts_with("/reauthenticate");
            let recent = matches!(route.access, Access::RecentPassword | Access::RecentAdmin);
            assert_eq!(asked, recent, "{method} {route:?}: {}", answer.status);
        }
    }
}

/// Tells whether a route is for administrators.
fn wants_admin(route: &Route) -> bool {
    matches!(route.access, Access::Admin | Access::RecentAdmin)
}

#[actix_web::test]
async fn what_is_for_administrators_is_not_there_for_anybody_else() {
    let app = TestApp::start().await;
    let admin = app.signed_in().await;
    let somebody = app.browser();
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", "quiet brown teapot")];
    assert_eq!(somebody.submit("/register", "/register", &fields).await.status, StatusCode::SEE_OTHER);
    let ended = somebody.clone();
    somebody.sign_out().await;
    let fields = [("email", "grace@example.org"), ("password", "quiet brown teapot")];
    somebody.submit("/login", "/login", &fields).await;
    assert!(somebody.is_signed_in().await);
    let forger = app.browser().with_header("cookie", "access_token=a.b.c; keep_signed_in=forged");
    assert!(ROUTES.iter().filter(|route| wants_admin(route)).count() > 8);
    for route in ROUTES.iter().filter(|route| wants_admin(route)) {
        let path = example(route).replace("AAAAAAAAAAAAAAAAAAAAAA", "1");
        for method in METHODS {
            for visitor in [&app.browser(), &somebody.clone(), &ended.clone(), &forger] {
                let answer = visitor.ask(method.clone(), &path).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
            }
        }
        if answers(route, &Method::GET) {
            assert_eq!(admin.get(&path).await.status, StatusCode::OK, "{path}");
        }
    }
}

#[actix_web::test]
async fn an_administrator_whose_sign_in_is_over_is_led_to_the_sign_in_page_and_back() {
    let app = TestApp::start().await;
    let admin = app.signed_in().await;
    let id = admin.session();
    app.rows().execute(&format!("UPDATE sessions SET revoked_at = 1, revoked_because = 'revoked' WHERE id = '{id}'"));
    app.catch_up();
    let answer = admin.get("/admin/users?search=a").await;
    assert_eq!(answer.location(), "/login?next=%2Fadmin%2Fusers%3Fsearch%3Da");
    app.rows().execute("UPDATE users SET role = 'user'");
    assert_eq!(admin.get("/admin/users").await.status, StatusCode::NOT_FOUND, "who is none any more is nobody there");
}

#[actix_web::test]
async fn what_wants_a_bearer_token_answers_nobody_without_one() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let mut client = ApiClient::signed_in(&app).await;
    let thief = client.clone();
    assert_eq!(client.ask(Method::POST, "/api/logout").await.status, StatusCode::NO_CONTENT);
    client = ApiClient::new(&app);
    for route in ROUTES.iter().filter(|route| route.access == Access::Bearer) {
        assert!(route.path.starts_with("/api/"), "{route:?}");
        for method in METHODS.into_iter().filter(|method| answers(route, method)) {
            let path = example(route);
            assert_eq!(browser.clone().ask(method.clone(), &path).await.status, StatusCode::UNAUTHORIZED, "{route:?}");
            let answer = client.send(method.clone(), &path, &[], "").await;
            assert_eq!(refusal(&answer), refused(401, "token-missing"), "{route:?}");
            let token = if route.path == "/api/refresh" { &thief.refresh } else { &thief.access };
            let answer = thief.with_token(method, &path, token).await;
            assert_eq!(refusal(&answer), refused(401, "token-revoked"), "{route:?}");
        }
    }
}

#[actix_web::test]
async fn what_changes_something_wants_a_form_of_its_own_browser() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let by_form = |route: &&Route| {
        answers(route, &Method::POST) && !route.path.starts_with("/api/") && !BY_PROOF.contains(&route.path)
    };
    for route in ROUTES.iter().filter(by_form) {
        let visitor = if route.access == Access::Public { app.browser() } else { browser.clone() };
        let answer = visitor.post(&example(route), &[]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{route:?}");
    }
}

#[actix_web::test]
async fn every_route_answers_exactly_the_methods_it_states() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    for route in ROUTES.iter().filter(|route| !route.path.starts_with("/static/")) {
        for method in METHODS {
            let answer = browser.clone().ask(method.clone(), &example(route)).await;
            let known = answer.status != StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(known, answers(route, &method), "{method} {route:?}: {}", answer.status);
        }
    }
}
