//! Perennial below a path of an application that has pages of its own in the places that Perennial's have at the root.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::App;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use perennial::testing::{TestBrowser, TestServer, TestSite};
use perennial::{
    Application, CurrentUser, MaybeUser, RecentUser, SubmittedForm, assert_requires_sign_in, authenticate,
};
use serde_json::Value;
use time::Duration;

use crate::support::{Asked, Device};

const PASSWORD: &str = "correct horse battery staple";

fn own(config: &mut ServiceConfig) {
    config
        .route("/", web::get().to(async || "home"))
        .route("/login", web::get().to(async || "the application's own"))
        .route("/dashboard", web::get().to(async |user: CurrentUser| user.user().full_name.to_string()))
        .route("/safe", web::get().to(async |user: RecentUser| user.user().full_name.to_string()))
        .route("/notes", web::post().to(async |_: CurrentUser, form: SubmittedForm| form.get("line").to_owned()))
        .route("/api/who", web::get().to(async |user: MaybeUser| if user.0.is_some() { "somebody" } else { "nobody" }));
}

async fn start() -> (TestSite, TestServer) {
    let site = TestSite::with(|builder| builder.mount("/auth"));
    let perennial = site.perennial().clone();
    let app = App::new().configure(own).configure(move |config| perennial.configure(config));
    let app = site.serve(app.wrap(from_fn(authenticate))).await;
    (site, app)
}

async fn register(browser: &TestBrowser) -> perennial::testing::Answer {
    let fields = [
        ("full_name", "Ada Lovelace"),
        ("email", "ada@example.org"),
        ("password", PASSWORD),
        ("password_confirmation", PASSWORD),
    ];
    browser.submit("/auth/register", "/auth/register", &fields).await
}

/// Returns what the links, forms, images and style sheets of a page name on this site.
fn named(page: &str) -> BTreeSet<String> {
    let starts = ["href=\"", "action=\"", "src=\"", "formaction=\""];
    let values = starts.iter().flat_map(|start| page.split(start).skip(1));
    let values = values.filter_map(|rest| rest.split('"').next()).filter(|value| value.starts_with('/'));
    values.map(|value| value.replace("&#38;", "&")).collect()
}

/// Asks for everything that the pages name, from these on, and fails where something is named that is not there, or is
/// the application's.
async fn walk(browser: &TestBrowser, from: &[&str]) -> BTreeMap<String, StatusCode> {
    let mut found = BTreeMap::new();
    let mut open: Vec<String> = from.iter().map(|path| (*path).to_owned()).collect();
    while let Some(path) = open.pop() {
        let whole = path.split('#').next().unwrap().to_owned();
        if found.contains_key(&whole) {
            continue;
        }
        let answer = browser.get(&whole).await;
        found.insert(whole.clone(), answer.status);
        let location = answer.location();
        assert!(location.is_empty() || location.starts_with("/auth/"), "{whole} leads to {location}");
        assert_ne!(answer.status, StatusCode::NOT_FOUND, "{whole}");
        let page = answer.body();
        for named in named(&page) {
            assert!(named == "/" || named.starts_with("/auth/"), "{whole} names {named}");
            if named != "/" {
                open.push(named);
            }
        }
        if !location.is_empty() {
            open.push(location.to_owned());
        }
    }
    found
}

#[actix_web::test]
async fn every_page_names_pages_below_the_mount_alone() {
    let (site, app) = start().await;
    let stranger = app.browser();
    let seen = walk(&stranger, &["/auth/login", "/auth/password-reset", "/auth"]).await;
    assert!(seen.contains_key("/auth/register") && seen.keys().any(|path| path.starts_with("/auth/static/style.")));
    let browser = app.browser();
    assert_eq!(register(&browser).await.location(), "/auth/dashboard");
    app.sign_in_as("grace@example.org").await;
    let seen = walk(&browser, &["/auth/"]).await;
    for page in
        ["dashboard", "devices", "activity", "account", "account/delete", "token-details", "admin", "admin/users"]
    {
        assert_eq!(seen.get(&format!("/auth/{page}")), Some(&StatusCode::OK), "{page} of {seen:?}");
    }
    assert_eq!(seen.get("/auth/admin/users/1"), Some(&StatusCode::OK));
    // Pages that want the password once more, and that the sign-in is over soon.
    site.advance(Duration::minutes(11));
    let seen = walk(&browser, &["/auth/account", "/auth/admin/users/1/deactivate"]).await;
    assert!(seen.contains_key("/auth/reauthenticate?next=%2Fauth%2Faccount"), "{seen:?}");
}

#[actix_web::test]
async fn forms_redirects_and_mails_stay_below_the_mount() {
    let (site, app) = start().await;
    let browser = app.browser();
    register(&browser).await;
    let name = browser.submit("/auth/account", "/auth/account/name", &[("full_name", "Ada King")]).await;
    assert_eq!(name.location(), "/auth/account");
    assert!(browser.follow(name).await.says("Ada King"));
    let out = browser.submit("/auth/dashboard", "/auth/logout", &[]).await;
    assert_eq!(out.location(), "/auth/login");
    let wrong = [("email", "ada@example.org"), ("password", "wrong")];
    let refused = browser.submit("/auth/login", "/auth/login", &wrong).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(named(&refused.body()).iter().all(|path| path == "/" || path.starts_with("/auth/")));
    let asked = browser.submit("/auth/password-reset", "/auth/password-reset", &[("email", "ada@example.org")]).await;
    assert_eq!(asked.location(), "/auth/password-reset/check-mail");
    let mails = site.mail();
    let text = &mails.last().unwrap().text;
    let link = text.split_whitespace().find(|word| word.contains("/password-reset/")).unwrap();
    let path = link.strip_prefix("http://localhost:8080").unwrap();
    assert!(path.starts_with("/auth/password-reset/"), "{link}");
    assert_eq!(browser.get(path).await.location(), "/auth/password-reset/new");
    let new = [("password", "another long enough one"), ("password_confirmation", "another long enough one")];
    let set = browser.submit("/auth/password-reset/new", "/auth/password-reset/new", &new).await;
    assert_eq!(set.location(), "/auth/login");
    let right = [("email", "ada@example.org"), ("password", "another long enough one"), ("next", "/dashboard")];
    assert_eq!(browser.submit("/auth/login", "/auth/login", &right).await.location(), "/dashboard");
    assert_eq!(browser.get("/dashboard").await.body(), "Ada King");
    for mail in site.mail() {
        for link in mail.text.split_whitespace().filter(|word| word.starts_with("http://localhost:8080/")) {
            assert!(link.starts_with("http://localhost:8080/auth/"), "{link} in {}", mail.subject);
        }
    }
}

#[actix_web::test]
async fn pages_of_the_application_stay_its_own_and_lead_below_the_mount() {
    let (site, app) = start().await;
    let browser = app.browser();
    assert_eq!(browser.get("/login").await.body(), "the application's own");
    assert_eq!(browser.get("/api/who").await.body(), "nobody");
    assert_eq!(browser.get("/devices").await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/dashboard").await.location(), "/auth/login?next=%2Fdashboard");
    let script = browser.fetch(Method::GET, "/dashboard").await;
    assert_eq!(script.status, StatusCode::UNAUTHORIZED);
    assert_eq!(script.header("www-authenticate"), r#"Cookie realm="Perennial", form-action="/auth/login""#);
    assert_requires_sign_in!(app, GET "/dashboard", GET "/auth/devices");
    register(&browser).await;
    assert_eq!(browser.get("/api/who").await.body(), "somebody");
    assert_eq!(browser.get("/safe").await.body(), "Ada Lovelace");
    site.advance(Duration::minutes(11));
    assert_eq!(browser.get("/safe").await.location(), "/auth/reauthenticate?next=%2Fsafe");
    assert_eq!(browser.get("/auth/devices/").await.location(), "/auth/devices");
    assert_eq!(browser.get("/.well-known/change-password").await.location(), "/auth/account");
    for (path, status) in [("/auth/healthz", 200), ("/healthz", 404), ("/auth/nowhere", 404)] {
        assert_eq!(browser.get(path).await.status.as_u16(), status, "{path}");
    }
}

#[actix_web::test]
async fn a_form_that_meets_an_ended_sign_in_is_kept_and_sent_from_below_the_mount() {
    let (site, app) = start().await;
    let browser = app.browser();
    register(&browser).await;
    let token = browser.token("/auth/dashboard", "/auth/logout").await;
    let user = site.perennial().accounts().find_by_email("ada@example.org").await.unwrap().unwrap();
    site.perennial().sessions().end_all(user.id).await.unwrap();
    let met = browser.post("/notes", &[("form_token", &token), ("line", "not lost")]).await;
    assert!(met.location().starts_with("/auth/login?next=%2Fauth%2Frescue%2F"), "{}", met.location());
    let sign_in = [("email", "ada@example.org"), ("password", PASSWORD), ("next", "")];
    let next = met.location().split_once("next=").unwrap().1.replace("%2F", "/");
    let sign_in = [sign_in[0], sign_in[1], ("next", next.as_str())];
    let back = browser.submit(met.location(), "/auth/login", &sign_in).await;
    assert_eq!(back.location(), next);
    let sent = browser.submit(&next, "/notes", &[("line", "not lost")]).await;
    assert_eq!(sent.body(), "not lost");
}

#[actix_web::test]
async fn a_browser_binds_and_renews_below_the_mount() {
    let app = crate::support::TestApp::chosen(|_| {}, own, |builder| builder.mount("/auth")).await;
    let (browser, device) = (app.browser(), Device::new());
    let fields = [
        ("full_name", "Ada Lovelace"),
        ("email", "ada@example.org"),
        ("password", PASSWORD),
        ("password_confirmation", PASSWORD),
    ];
    let answer = browser.submit("/auth/register", "/auth/register", &fields).await;
    assert_eq!(Asked::of(&answer).unwrap().path, "/auth/session/bind");
    let bound = device.register(&browser, &answer).await;
    let description: Value = serde_json::from_slice(&bound.bytes).unwrap();
    assert_eq!(description["refresh_url"], "/auth/session/renew");
    assert_eq!(description["scope"]["scope_specification"][0]["path"], "/auth/static");
    app.advance(Duration::minutes(16));
    let early = browser.get("/dashboard").await;
    assert!(early.location().is_empty() || early.location().starts_with("/auth/session/confirm"));
}

#[actix_web::test]
async fn the_api_is_below_the_mount_and_says_so() {
    let (_site, app) = start().await;
    let description: Value = app.browser().get("/auth/api/openapi.json").await.json();
    assert_eq!(description["servers"][0]["url"], "/auth");
    assert_eq!(app.browser().get("/auth/api/protected").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.browser().get("/api/protected").await.status, StatusCode::NOT_FOUND);
}

#[test]
fn a_mount_that_cannot_be_is_refused() {
    for path in ["", "/", "auth", "/auth/", "/auth//x", "/{auth}", "/a b", "//auth", "/auth?x", "/ä"] {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("perennial.db").display());
        let builder = Application::builder().settings(|set| set.database_url = Some(url)).mount(path);
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains("Builder::mount"), "{path}: {error}");
    }
}
