//! What the tests of an application stand on.

use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpResponse};
use perennial::testing::{Allowed, TestServer, TestSite, check};
use perennial::{CurrentUser, RecentUser, assert_access, assert_requires_sign_in, authenticate};
use time::Duration;

async fn notes(user: CurrentUser) -> String {
    format!("notes of {} ({})", user.user().full_name, user.user().role.as_str())
}

async fn secrets(_: RecentUser) -> HttpResponse {
    HttpResponse::Ok().finish()
}

async fn open_door() -> HttpResponse {
    HttpResponse::Ok().finish()
}

async fn somewhere_else() -> HttpResponse {
    HttpResponse::SeeOther().insert_header(("location", "http://localhost:8080/notes")).finish()
}

fn routes(config: &mut ServiceConfig) {
    config
        .route("/notes", web::get().to(notes))
        .route("/secrets", web::get().to(secrets))
        .route("/open", web::get().to(open_door))
        .route("/moved", web::get().to(somewhere_else));
}

async fn serve(site: &TestSite) -> TestServer {
    let perennial = site.perennial().clone();
    let app = App::new().configure(routes).configure(move |config| perennial.configure(config));
    site.serve(app.wrap(from_fn(authenticate))).await
}

#[actix_web::test]
async fn somebody_is_signed_in_at_once_and_no_hash_is_computed() {
    let site = TestSite::start();
    let app = serve(&site).await;
    let ada = app.sign_in_as("ada@example.org").await;
    assert_eq!(ada.get("/notes").await.body(), "notes of ada (user)");
    let again = app.browser();
    again.sign_in_as_role("ada@example.org", "editor").await;
    assert_eq!(again.get("/notes").await.body(), "notes of ada (editor)");
    assert_eq!(ada.get("/notes").await.body(), "notes of ada (editor)", "one account");
    assert_eq!(site.perennial().password_work(), 0);
    assert!(site.mail().is_empty());
    // The cookies are those of a real sign-in: they are renewed, and signed out.
    site.advance(Duration::days(3));
    assert_eq!(ada.get("/notes").await.set(), ["access_token", "keep_signed_in"]);
    let out = ada.submit("/dashboard", "/logout", &[]).await;
    assert_eq!(out.cleared(), ["access_token", "keep_signed_in"]);
    assert_eq!(ada.follow(out).await.status, StatusCode::OK);
    assert_eq!(ada.get("/notes").await.location(), "/login?next=%2Fnotes");
    assert_eq!(again.get("/notes").await.status, StatusCode::OK);
}

#[actix_web::test]
async fn an_account_without_a_password_takes_none() {
    let site = TestSite::start();
    let app = serve(&site).await;
    app.sign_in_as("ada@example.org").await;
    for password in ["!", "", "three random words"] {
        let answer =
            app.browser().submit("/login", "/login", &[("email", "ada@example.org"), ("password", password)]).await;
        assert!(answer.set().is_empty() || answer.set() == ["form"], "{password}: {:?}", answer.set());
        assert_ne!(answer.status, StatusCode::SEE_OTHER, "{password}");
    }
}

#[actix_web::test]
async fn redirects_are_followed_to_the_page() {
    let site = TestSite::with(|builder| builder.settings(|set| set.site_name = Some("Gardens".to_owned())));
    let app = serve(&site).await;
    let stranger = app.browser().open("/moved").await;
    assert!(stranger.status == StatusCode::OK && stranger.says("Gardens"), "{}", stranger.body());
    assert!(app.sign_in_as("ada@example.org").await.open("/moved").await.says("notes of ada"));
}

#[actix_web::test]
async fn a_list_of_routes_is_walked() {
    let site = TestSite::start();
    let app = serve(&site).await;
    assert_requires_sign_in!(app, GET "/notes", GET "/secrets");
    assert_access!(app, {
        GET "/open" => Public,
        GET "/notes" => SignedIn,
        GET "/secrets" => RecentPassword,
    });
}

/// Tells whether a check of `path` fails.
fn fails(path: &'static str, allowed: Allowed) -> bool {
    let checked = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let site = TestSite::start();
            let app = serve(&site).await;
            check(&app, "GET", path, allowed).await;
        });
    });
    checked.join().is_err()
}

#[test]
fn a_route_that_answers_others_than_it_should_is_found() {
    for (path, allowed) in [
        ("/open", Allowed::SignedIn),
        ("/open", Allowed::RecentPassword),
        ("/notes", Allowed::Public),
        ("/notes", Allowed::RecentPassword),
        ("/notes", Allowed::Role("editor")),
        ("/secrets", Allowed::Public),
    ] {
        assert!(fails(path, allowed), "{path} {allowed:?}");
    }
    assert!(!fails("/notes", Allowed::SignedIn));
}
