//! What a scope of an application asks of whoever uses it.

use std::sync::{Arc, Mutex};
use std::time::Duration as Wait;

use actix_service::IntoServiceFactory;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, Error, HttpResponse};
use perennial::testing::{TestServer, TestSite};
use perennial::{CurrentUser, NamedRole, RequireRole, assert_access, authenticate};
use time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::support::TestApp;

struct Editor;

impl NamedRole for Editor {
    const NAME: &'static str = "editor";
}

async fn page() -> HttpResponse {
    HttpResponse::Ok().finish()
}

async fn greet(user: CurrentUser) -> String {
    user.user().full_name.to_string()
}

async fn publish(editor: RequireRole<Editor>) -> String {
    format!("published by {}", editor.user().full_name)
}

async fn refuse(_: ServiceRequest, _: Next<impl MessageBody>) -> Result<ServiceResponse<String>, Error> {
    Err(actix_web::error::ErrorPaymentRequired("an inner detail"))
}

async fn serve(site: &TestSite) -> TestServer {
    let perennial = site.perennial();
    let routes = |config: &mut ServiceConfig| {
        config
            .service(
                web::scope("/app")
                    .wrap(perennial.require())
                    .route("/page", web::get().to(page))
                    .route("/page", web::post().to(page))
                    .route("/name", web::get().to(greet)),
            )
            .service(web::scope("/data").wrap(perennial.require().json()).route("/page", web::get().to(page)))
            .service(web::scope("/staff").wrap(perennial.require().role("editor")).route("/page", web::get().to(page)))
            .service(web::scope("/keys").wrap(perennial.require().recent(5)).route("/page", web::get().to(page)))
            .service(web::resource("/paid").wrap(from_fn(refuse)).route(web::get().to(greet)))
            .route("/publish", web::get().to(publish));
        perennial.configure(config);
    };
    site.serve(App::new().configure(routes).wrap(from_fn(authenticate))).await
}

#[actix_web::test]
async fn a_scope_is_closed_to_whom_it_is_not_for() {
    let site = TestSite::start();
    let app = serve(&site).await;
    assert_access!(app, {
        GET "/app/page" => SignedIn,
        POST "/app/page" => SignedIn,
        GET "/app/no-such-page" => SignedIn,
        GET "/data/page" => SignedIn,
        GET "/staff/page" => Role("editor"),
        GET "/publish" => Role("editor"),
        GET "/keys/page" => RecentPassword,
    });
}

#[actix_web::test]
async fn a_refusal_is_a_page_with_the_headers_and_cookies_of_any_other() {
    let site = TestSite::start();
    let app = serve(&site).await;
    let stranger = app.browser().get("/app/page").await;
    assert_eq!((stranger.status, stranger.location()), (StatusCode::SEE_OTHER, "/login?next=%2Fapp%2Fpage"));
    let ada = app.sign_in_as("ada@example.org").await;
    // The access token is over: the refusal renews the sign-in all the same.
    for (path, status) in [("/staff/page", StatusCode::FORBIDDEN), ("/paid", StatusCode::PAYMENT_REQUIRED)] {
        site.advance(Duration::hours(1));
        let answer = ada.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.set(), ["access_token", "keep_signed_in"], "{path}");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    let answer = ada.get("/staff/page").await;
    assert!(answer.says("This is not for your account") && answer.says("Sign out"), "{}", answer.body());
    assert_eq!(ada.get("/app/name").await.body(), "ada");
}

#[actix_web::test]
async fn a_scope_that_speaks_json_does_so_to_everybody() {
    let site = TestSite::start();
    let app = serve(&site).await;
    let answer = app.browser().get("/data/page").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::UNAUTHORIZED, "application/json"));
    let ada = app.sign_in_as("ada@example.org").await;
    assert_eq!(ada.get("/data/page").await.status, StatusCode::OK);
    let answer = ada.get("/data/no-such-page").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::NOT_FOUND, "application/json"));
}

#[actix_web::test]
async fn a_role_that_no_account_can_have_stops_the_start() {
    let site = TestSite::start();
    let perennial = site.perennial();
    for (role, starts) in [("two words", false), ("", false), ("Admin", false), ("editor", true)] {
        let scope = web::scope("/staff").wrap(perennial.require().role(role)).route("/page", web::get().to(page));
        let app = App::new().service(scope).configure(|config| perennial.configure(config)).wrap(from_fn(authenticate));
        let started = app.into_factory().new_service(AppConfig::default()).await;
        assert_eq!(started.is_ok(), starts, "{role:?}");
    }
}

/// Where the end of a session is told.
type Ends = Data<Mutex<Vec<oneshot::Receiver<()>>>>;

async fn watch(user: CurrentUser, ends: Data<Mutex<Vec<oneshot::Receiver<()>>>>) -> HttpResponse {
    let (told, end) = oneshot::channel();
    let ended = user.ended();
    actix_web::rt::spawn(async move {
        ended.await;
        let _ = told.send(());
    });
    ends.lock().unwrap().push(end);
    HttpResponse::Ok().finish()
}

/// How long the end is waited for at most, in tests: many times what is promised.
const AT_MOST: Wait = Wait::from_secs(20);

async fn watched() -> (TestApp, Ends) {
    let ends = Data::from(Arc::new(Mutex::new(Vec::new())));
    let state = ends.clone();
    let routes = move |config: &mut ServiceConfig| {
        config.app_data(state.clone()).route("/watch", web::get().to(watch));
    };
    (TestApp::embedded(|_| {}, routes).await, ends)
}

/// Waits for the end that was asked for last.
async fn ended(ends: &Ends) {
    let end = ends.lock().unwrap().pop().unwrap();
    timeout(AT_MOST, end).await.expect("the end is told").unwrap();
}

#[actix_web::test]
async fn whoever_waits_for_the_end_of_a_sign_in_is_told() {
    let (app, ends) = watched().await;
    let browser = app.signed_in().await;
    let other = app.browser();
    other.sign_in().await;
    for end in 0..4 {
        let watching = app.browser();
        watching.sign_in().await;
        assert_eq!(watching.get("/watch").await.status, StatusCode::OK);
        // Another one of the same user goes on.
        assert_eq!(other.get("/watch").await.status, StatusCode::OK);
        let mut spared = ends.lock().unwrap().pop().unwrap();
        match end {
            0 => drop(watching.sign_out().await),
            1 => {
                let elsewhere = app.another_process().await;
                let mut leaving = watching.clone();
                leaving.connect(&elsewhere);
                leaving.sign_out().await;
                app.catch_up();
            }
            2 => {
                let session = watching.session();
                app.rows().execute(&format!("DELETE FROM sessions WHERE id = '{session}'"));
                app.catch_up();
            }
            _ => {
                let action = format!("/devices/{}/revoke", watching.session());
                assert_eq!(browser.submit("/devices", &action, &[]).await.status, StatusCode::SEE_OTHER);
            }
        }
        ended(&ends).await;
        assert!(spared.try_recv().is_err(), "{end}");
    }
    assert_eq!(other.ask(Method::GET, "/watch").await.status, StatusCode::OK);
    app.rows().execute("UPDATE users SET is_active = FALSE");
    app.catch_up();
    ended(&ends).await;
}

#[actix_web::test]
async fn time_alone_ends_it_too_and_an_outage_does_not() {
    let (app, ends) = watched().await;
    let browser = app.signed_in().await;
    assert_eq!(browser.get("/watch").await.status, StatusCode::OK);
    app.set_stopped(true);
    app.clock.advance(Duration::minutes(1));
    let mut end = ends.lock().unwrap().pop().unwrap();
    assert!(timeout(Wait::from_millis(1_500), &mut end).await.is_err());
    app.set_stopped(false);
    app.advance(Duration::days(31));
    timeout(AT_MOST, end).await.expect("the end is told").unwrap();
}
