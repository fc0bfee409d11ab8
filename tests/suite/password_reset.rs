//! A forgotten password: a link by mail, a new password, and every sign-in ended.

use actix_web::http::{Method, StatusCode};
use futures_util::future::join_all;
use time::Duration;

use crate::support::reset::{ASK, DEAD, NEW, NEW_PASSWORD, ask, fresh_link, mailed_link, open, opens, set_password};
use crate::support::{Answer, EMAIL, PASSWORD, TestApp};

/// What `/login` says once after a reset.
const CHANGED: &str = "Your password was changed, and every device was signed out. Sign in with the new password.";

/// How long a link works.
const LIFE: Duration = Duration::minutes(30);

fn assert_dead(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::GONE, "{}", answer.body());
    assert!(answer.says(DEAD) && answer.says("href=\"/password-reset\">Ask for a new link"), "{}", answer.body());
    assert!(!answer.says("type=\"password\"") && !answer.says(EMAIL), "{}", answer.body());
}

#[actix_web::test]
async fn a_forgotten_password_is_set_anew_and_ends_every_sign_in() {
    let app = TestApp::start().await;
    let phone = app.signed_in().await;
    let desk = app.browser();
    desk.sign_in().await;

    let visitor = app.browser();
    assert!(visitor.get("/login").await.says("<a href=\"/password-reset\">Forgot your password?</a>"));
    ask(&visitor, " Ada@Example.org ").await;
    let page = visitor.get("/password-reset/check-mail").await;
    assert!(page.says("<h1>Check your mail</h1>") && !page.says(EMAIL), "{}", page.body());
    let link = mailed_link(&app);
    // Not before: another process may send the mail.
    let elsewhere = app.another_process().await;
    let mut far = app.browser();
    far.connect(&elsewhere);
    far.sign_in().await;
    let moved = visitor.get(&link).await;
    assert_eq!(
        (moved.status, moved.location(), moved.set()),
        (StatusCode::SEE_OTHER, NEW, vec!["password_reset".into()])
    );
    assert_eq!((moved.header("referrer-policy"), moved.header("cache-control")), ("no-referrer", "no-store"));
    let [cookie] = moved.cookies().try_into().unwrap();
    assert_eq!((cookie.max_age, cookie.attributes.join(" ").as_str()), (Some(1800), "HttpOnly Path=/ SameSite=Lax"));
    let form = visitor.get(NEW).await;
    assert_eq!((form.status, form.header("referrer-policy")), (StatusCode::OK, "no-referrer"));
    assert!(form.says("For the account of ada@example.org") && form.says("autocomplete=\"new-password\""));
    let token = link.rsplit('/').next().unwrap();
    assert!(!form.says(token), "the token is in the cookie alone");

    let done = set_password(&visitor, NEW_PASSWORD).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, "/login"));
    assert_eq!((done.cleared(), done.set()), (vec!["password_reset".to_owned()], vec!["form".to_owned()]));
    assert!(!visitor.is_signed_in().await, "nobody is signed in by a link");
    let login = visitor.get("/login").await;
    assert!(login.says(CHANGED), "{}", login.body());
    assert!(!visitor.get("/login").await.says("was changed"), "it is said once");

    elsewhere.catch_up();
    for browser in [&phone, &desk, &far] {
        assert!(!browser.is_signed_in().await);
        assert!(browser.get("/login").await.says("Your password was changed"), "every device is told why");
    }
    assert!(!opens(&app, EMAIL, PASSWORD).await && opens(&app, EMAIL, NEW_PASSWORD).await);
    let mut rows = app.rows();
    for event in ["password_reset_requested", "password_reset", "password_changed"] {
        let [event] = rows.events_of(event).try_into().unwrap();
        assert_eq!((event.user_id, event.detail("address").as_str()), (Some(1), "192.0.2.1"), "{event:?}");
    }
    let ended = rows.events_of("session_revoked");
    assert!(ended.len() == 3 && ended.iter().all(|event| event.detail("reason") == "password_changed"), "{ended:?}");
}

#[actix_web::test]
async fn the_owner_is_told_by_mail_and_on_the_activity_page() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let visitor = app.browser();
    open(&visitor, &fresh_link(&app, EMAIL).await).await;
    set_password(&visitor, NEW_PASSWORD).await;
    let [asked, told] = app.mail().try_into().unwrap();
    assert_eq!((asked.to.as_str(), asked.subject.as_str()), (EMAIL, "Set a new password"));
    assert!(
        asked.text.contains("works once, for 30 minutes") && asked.html.contains("for 30 minutes"),
        "{}",
        asked.text
    );
    assert_eq!((told.to.as_str(), told.subject.as_str()), (EMAIL, "Your password was changed"));
    for said in [&told.text, &told.html] {
        assert!(said.contains("1 March 2060, 09:00 UTC") && said.contains("192.0.2.1"), "{said}");
        assert!(said.contains("http://localhost:8080/password-reset"), "{said}");
    }
    let browser = app.browser();
    let fields = [("email", EMAIL), ("password", NEW_PASSWORD)];
    browser.submit("/login", "/login", &fields).await;
    let page = browser.get("/activity").await;
    for words in ["A new password was asked for by mail", "You set a new password by a mailed link"] {
        assert!(page.says(words), "{words}: {}", page.body());
    }
}

#[actix_web::test]
async fn opening_a_link_spends_nothing_however_often_and_whoever_does() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let link = fresh_link(&app, EMAIL).await;
    let mut rows = app.rows();
    let mut row = || rows.text("SELECT created_at || ' ' || expires_at || ' ' || (used_at IS NULL) FROM auth_tokens");
    let before = row();
    let (scanner, reader) = (app.browser(), app.browser());
    open(&reader, &link).await;
    for _ in 0..25 {
        for method in [Method::HEAD, Method::GET] {
            let preview = app.browser();
            assert_eq!(preview.ask(method.clone(), &link).await.status, StatusCode::SEE_OTHER);
            assert_eq!(preview.ask(method.clone(), NEW).await.status, StatusCode::OK);
            assert_eq!(scanner.ask(method, &link).await.status, StatusCode::SEE_OTHER);
        }
    }
    assert_eq!(row(), before);
    assert_eq!(set_password(&reader, NEW_PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn of_twenty_who_use_one_link_at_once_one_sets_the_password() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let (link, other) = (fresh_link(&app, EMAIL).await, app.another_process().await);
    let racers = (0..20).map(|number| {
        let mut browser = app.browser();
        if number % 2 == 1 {
            browser.connect(&other);
        }
        let link = &link;
        async move {
            open(&browser, link).await;
            let token = browser.token(NEW, NEW).await;
            (browser, token)
        }
    });
    let ready = join_all(racers).await;
    let passwords: Vec<_> = (0..20).map(|number| format!("{NEW_PASSWORD} {number}")).collect();
    let race = ready.iter().zip(&passwords).map(|((browser, token), password)| async move {
        browser.post(NEW, &[("password", password), ("form_token", token)]).await
    });
    let answers = join_all(race).await;
    let won: Vec<_> = answers.iter().map(|answer| answer.status == StatusCode::SEE_OTHER).collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
    answers.iter().filter(|answer| answer.status != StatusCode::SEE_OTHER).for_each(assert_dead);
    assert_eq!(app.rows().count_events("password_reset"), 1);
    // Either process may have sent the notice, which is written in the same transaction.
    assert_eq!(app.rows().count_events("password_changed"), 1);
    for (password, won) in passwords.iter().zip(won) {
        // Past every lock, and past what one address may try in an hour.
        app.advance(Duration::hours(2));
        assert_eq!(opens(&app, EMAIL, password).await, won, "{password}");
    }
}

#[actix_web::test]
async fn only_the_newest_link_works_and_for_half_an_hour() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let old = fresh_link(&app, EMAIL).await;
    let new = fresh_link(&app, EMAIL).await;
    assert_ne!(old, new);
    let (early, late) = (app.browser(), app.browser());
    assert_dead(&open(&early, &old).await);
    assert_eq!(open(&late, &new).await.status, StatusCode::OK);
    app.advance(LIFE - Duration::SECOND);
    assert_eq!(open(&late, &new).await.status, StatusCode::OK);
    let token = late.token(NEW, NEW).await;
    let cookie = late.cookie("password_reset");
    app.advance(Duration::SECOND);
    late.put("password_reset", &cookie);
    assert_dead(&late.get(NEW).await);
    assert_dead(&late.post(NEW, &[("password", NEW_PASSWORD), ("form_token", &token)]).await);
    assert!(opens(&app, EMAIL, PASSWORD).await);
}

#[actix_web::test]
async fn a_link_is_used_once_and_cancels_what_else_is_under_way() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let link = fresh_link(&app, EMAIL).await;
    let under_way = "INSERT INTO auth_tokens SELECT token_hash_of, 'email_verification', user_id, 'new@example.org', \
                     created_at, expires_at + 86400, NULL FROM auth_tokens";
    let hash = crate::support::blob(&[9; 32]);
    app.rows().execute(&under_way.replace("token_hash_of", &hash));
    let visitor = app.browser();
    open(&visitor, &link).await;
    let cookie = visitor.cookie("password_reset");
    set_password(&visitor, NEW_PASSWORD).await;
    assert_eq!(app.rows().number("SELECT count(*) FROM auth_tokens WHERE used_at IS NULL"), 0);
    for browser in [app.browser(), visitor] {
        browser.put("password_reset", &cookie);
        let token = browser.token(ASK, ASK).await;
        assert_dead(&browser.get(NEW).await);
        assert_dead(&browser.post(NEW, &[("password", "another password of mine"), ("form_token", &token)]).await);
    }
    assert!(opens(&app, EMAIL, NEW_PASSWORD).await);
}

#[actix_web::test]
async fn a_password_that_is_refused_spends_nothing() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let visitor = app.browser();
    open(&visitor, &fresh_link(&app, EMAIL).await).await;
    for (password, words) in [
        ("", "Enter your password"),
        ("fourteen chars", "The password must be at least 15 characters; three random words make a good one"),
        (&"x".repeat(1025), "The password must be 1,024 bytes or fewer"),
    ] {
        let answer = set_password(&visitor, password).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        for text in ["<title>Error: ", "There is a problem", &format!("<li><a href=\"#password\">{words}</a></li>")] {
            assert!(answer.says(text), "{text}: {}", answer.body());
        }
    }
    assert_eq!(set_password(&visitor, NEW_PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn whoever_is_signed_in_can_reset_too_and_another_account_stays() {
    let app = TestApp::start().await;
    let (ada, grace) = (app.signed_in().await, app.browser());
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", PASSWORD)];
    grace.submit("/register", "/register", &fields).await;
    let link = fresh_link(&app, EMAIL).await;
    open(&grace, &link).await;
    assert_eq!(set_password(&grace, NEW_PASSWORD).await.location(), "/login");
    assert!(grace.is_signed_in().await, "it was not the password of this account");
    assert!(!ada.is_signed_in().await);
    ada.submit("/login", "/login", &[("email", EMAIL), ("password", NEW_PASSWORD)]).await;
    ask(&ada, EMAIL).await;
    open(&ada, &mailed_link(&app)).await;
    assert_eq!(set_password(&ada, PASSWORD).await.location(), "/login");
    let login = ada.get("/login").await;
    assert!(login.says(CHANGED) && !login.says("ended-title"), "once, and not twice: {}", login.body());
}

#[actix_web::test]
async fn a_database_that_is_away_loses_no_link() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let visitor = app.browser();
    let asking = visitor.token(ASK, ASK).await;
    open(&visitor, &fresh_link(&app, EMAIL).await).await;
    let token = visitor.token(NEW, NEW).await;
    app.set_stopped(true);
    for (path, fields) in [
        (ASK, [("email", EMAIL), ("form_token", &asking)]),
        (NEW, [("password", NEW_PASSWORD), ("form_token", &token)]),
    ] {
        let answer = visitor.post(path, &fields).await;
        assert_eq!((answer.status, answer.cookies()), (StatusCode::SERVICE_UNAVAILABLE, vec![]), "{path}");
    }
    app.set_stopped(false);
    assert_eq!(set_password(&visitor, NEW_PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_password_that_is_easy_to_guess_is_refused_and_the_link_goes_on_working() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let visitor = app.browser();
    open(&visitor, &fresh_link(&app, EMAIL).await).await;
    let refused = set_password(&visitor, "passwordpassword").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.says("three random words make a good one"), "{}", refused.body());
    assert!(opens(&app, EMAIL, PASSWORD).await, "nothing was changed");
    assert_eq!(set_password(&visitor, NEW_PASSWORD).await.status, StatusCode::SEE_OTHER);
}
