//! The first account is an administrator's: on a public site, it takes the link that the start prints.

use actix_web::http::StatusCode;
use futures_util::future::join_all;
use perennial::store::Database;
use perennial::store::users::{self, Inserted};

use crate::support::client::{Client, PASSWORD as CLIENT_PASSWORD};
use crate::support::server::{Launch, empty_folder};
use crate::support::{Answer, Browser, EMAIL, NAME, PASSWORD, START, TestApp, url_in};

/// A place on the internet.
const PUBLIC: &str = "https://sign-in.example.org";

/// What the page of a public site says as long as nobody has an account.
const NOT_SET_UP: &str = "This site is not set up yet";

async fn public() -> TestApp {
    TestApp::with(|arguments| {
        arguments.public_url = Some(PUBLIC.to_owned());
        arguments.bcrypt_cost = Some("10".to_owned());
    })
    .await
}

/// Sends a registration as the page at `page` would, with a token of its browser; `first` stands in the hidden field.
async fn register(browser: &Browser, email: &str, first: Option<&str>) -> Answer {
    let token = browser.token("/login", "/login").await;
    let fields = [("full_name", NAME), ("email", email), ("password", PASSWORD), ("form_token", token.as_str())];
    let hidden = first.map(|first| ("first", first));
    browser.post("/register", &[&fields[..], hidden.as_slice()].concat()).await
}

fn admins(app: &TestApp) -> i64 {
    app.rows().number("SELECT count(*) FROM users WHERE role = 'admin'")
}

#[actix_web::test]
async fn a_stranger_is_told_what_to_do_and_makes_no_account() {
    let app = public().await;
    let link = app.first_account_page().await.unwrap();
    let token = link.strip_prefix("/register?first=").unwrap();
    let cut = &token[..token.len() - 1];
    for page in ["/register", "/register?first=", "/register?first=wrong", &format!("/register?first={cut}")] {
        let answer = app.browser().get(page).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{page}");
        assert!(answer.says(NOT_SET_UP) && answer.says("open the one-time link that Perennial printed"), "{page}");
        assert!(!answer.says("<form") && !answer.says("This is the first account"), "{page}");
    }
    for first in [None, Some(""), Some("wrong"), Some(cut)] {
        let answer = register(&app.browser(), EMAIL, first).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{first:?}");
        assert!(answer.says(NOT_SET_UP) && answer.set().iter().all(|name| !name.contains("access")), "{first:?}");
    }
    assert_eq!(app.rows().count("users"), 0);
}

#[actix_web::test]
async fn the_link_makes_the_administrator_and_is_spent() {
    let app = public().await;
    let link = app.first_account_page().await.unwrap();
    let first = link.split_once("first=").unwrap().1.to_owned();
    let browser = app.browser();
    let page = browser.get(&link).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.says("This is the first account here; it will be the administrator."));
    let field = format!("<input type=\"hidden\" name=\"first\" value=\"{first}\">");
    assert!(page.says(&field));
    assert_eq!(page.header("referrer-policy"), "strict-origin", "the token leaves with no Referer");
    assert_eq!(page.header("cache-control"), "no-store");

    let failed = browser.submit(&link, "/register", &[("full_name", NAME), ("first", &first)]).await;
    assert_eq!(failed.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(failed.says(&field), "the form comes back with it");

    browser.register_by_link(&link).await;
    assert!(browser.is_signed_in().await);
    assert_eq!((admins(&app), app.first_account_page().await), (1, None));

    let stranger = app.browser();
    for page in ["/register", &link] {
        let page = stranger.get(page).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.says("first account") && !page.says(&first), "{}", page.body());
    }
    let answer = register(&stranger, "grace@example.org", Some(&first)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!((admins(&app), app.rows().count("users")), (1, 2));
}

#[actix_web::test]
async fn every_process_and_every_start_shows_the_same_link() {
    let app = public().await;
    let link = app.first_account_page().await.unwrap();
    let other = app.another_process().await;
    assert_eq!(other.first_account_page().await.as_ref(), Some(&link));
    let app = app.restart().await;
    assert_eq!(app.first_account_page().await.as_ref(), Some(&link));
    let mut browser = app.browser();
    assert!(browser.get(&link).await.says("administrator"));
    browser.connect(&other);
    browser.register_by_link(&link).await;
    assert_eq!(app.first_account_page().await, None);
}

#[actix_web::test]
async fn at_this_machine_no_link_is_needed() {
    let app = TestApp::start().await;
    assert_eq!(app.first_account_page().await.as_deref(), Some("/register"));
    let page = app.browser().get("/register").await;
    assert!(page.says("This is the first account here") && !page.says("name=\"first\""));
    assert_eq!(page.header("referrer-policy"), "same-origin");
    app.signed_in().await;
    assert_eq!(admins(&app), 1);
}

#[actix_web::test]
async fn of_many_at_once_with_the_link_one_is_the_administrator() {
    let app = public().await;
    let processes = [&app, &app.another_process().await];
    let link = app.first_account_page().await.unwrap();
    let first = link.split_once("first=").unwrap().1;
    let browsers: Vec<_> = (0..6).map(|number: usize| processes[number % 2].browser()).collect();
    let tries = browsers.iter().enumerate().map(async |(number, browser)| {
        register(browser, &format!("person{number}@example.org"), Some(first)).await.status
    });
    let statuses = join_all(tries).await;
    assert_eq!(statuses, [StatusCode::SEE_OTHER; 6]);
    assert_eq!((admins(&app), app.rows().count("users")), (1, 6));
}

#[actix_web::test]
async fn strangers_at_once_make_no_account() {
    let app = public().await;
    let browsers: Vec<_> = (0..6).map(|_| app.browser()).collect();
    let link = app.first_account_page().await.unwrap();
    let administrator = app.browser();
    let strangers = browsers
        .iter()
        .enumerate()
        .map(async |(number, browser)| register(browser, &format!("person{number}@example.org"), None).await.status);
    let (_, statuses) = tokio::join!(administrator.register_by_link(&link), join_all(strangers));
    let joined = statuses.iter().filter(|status| **status == StatusCode::SEE_OTHER).count();
    assert!(statuses.iter().all(|status| [StatusCode::SEE_OTHER, StatusCode::FORBIDDEN].contains(status)));
    let mut rows = app.rows();
    assert_eq!(rows.text("SELECT email FROM users WHERE role = 'admin'"), EMAIL);
    assert_eq!(rows.count("users"), 1 + i64::try_from(joined).unwrap());
}

#[test]
fn who_may_not_be_first_is_not_even_if_everybody_else_has_gone_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = Database::open(&url_in(folder.path()).parse().unwrap()).unwrap();
    let insert = |first: bool, email: &str| {
        let (email, name) = (email.parse().unwrap(), NAME.parse().unwrap());
        let insert = if first { users::insert } else { users::insert_unless_first };
        database.write_blocking(move |connection| insert(connection, &email, &name, "", START)).unwrap()
    };
    assert_eq!(insert(false, EMAIL), Inserted::WouldBeFirst);
    assert!(matches!(insert(true, EMAIL), Inserted::User(user) if user.role == perennial::Role::ADMIN));
    let grace = "grace@example.org";
    assert!(matches!(insert(false, grace), Inserted::User(user) if user.role == perennial::Role::USER));
    assert_eq!(insert(false, grace), Inserted::EmailTaken);
}

#[test]
fn the_start_prints_the_link_until_it_was_used() {
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).set("PUBLIC_URL", PUBLIC).set("BCRYPT_COST", "10");
    let launch = launch.on_port(crate::support::server::free_port());
    let server = launch.start();
    let link = |banner: &str| {
        let link = banner.split_whitespace().find(|word| word.starts_with("https://sign-in.example.org/register"));
        link.map(|link| link.strip_prefix(PUBLIC).unwrap().to_owned())
    };
    let first = link(&server.banner).unwrap();
    assert!(first.starts_with("/register?first="), "{}", server.banner);
    assert!(!server.log().contains("first="), "once is enough: {}", server.log());
    assert_eq!(server.stop().code(), Some(0));
    let closed = launch.clone().set("REGISTRATION", "closed").start();
    assert!(link(&closed.banner).is_none() && closed.banner.contains("REGISTRATION=open"), "{}", closed.banner);
    assert_eq!(closed.stop().code(), Some(0));

    let server = launch.start();
    assert_eq!(link(&server.banner).as_ref(), Some(&first));
    let mut client = Client::of(&server);
    let token = first.split_once('=').unwrap().1;
    let fields = [("full_name", NAME), ("email", EMAIL), ("password", CLIENT_PASSWORD), ("first", token)];
    let answer = client.submit(&first, "/register", &fields);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/dashboard")), "{answer:?}");
    assert_eq!(server.stop().code(), Some(0));
    let server = launch.start();
    assert!(server.banner.contains("Sign in at https://sign-in.example.org/login"), "{}", server.banner);
}
