//! Passwords that are too easy to guess: refused where one is chosen, and told of where one signs in.

use actix_web::http::StatusCode;

use crate::support::{Answer, Browser, EMAIL, NAME, PASSWORD, TestApp};

/// How the banner begins, which says it as a warning.
const ADVICE: &str = "<p class=\"notice notice--warning\" role=\"status\">Please change your password: ";

async fn register(browser: &Browser, email: &str, password: &str) -> Answer {
    let fields = [("full_name", "Grace Hopper"), ("email", email), ("password", password)];
    browser.submit("/register", "/register", &fields).await
}

async fn sign_in(browser: &Browser, password: &str) -> Answer {
    browser.submit("/login", "/login", &[("email", EMAIL), ("password", password), ("next", "/activity")]).await
}

/// Gives the user a password that no form would take, as an import does.
fn set_password(app: &TestApp, password: &str) {
    let hash = bcrypt::hash(password, 4).unwrap();
    app.rows().execute(&format!("UPDATE users SET password_hash = '{hash}' WHERE email = '{EMAIL}'"));
}

#[actix_web::test]
async fn nobody_registers_with_a_password_that_is_easy_to_guess() {
    let app = TestApp::start().await;
    for (password, reason) in [
        ("ManchesterUnited", "is on lists of common and leaked passwords."),
        ("password123456789", "is on lists of common and leaked passwords."),
        ("passwordpassword1", "is easy to guess: it is made of very common words or patterns."),
        ("grace.hopper.1906", "is made of your name, your email address or the name of this site."),
        ("perennialperennial", "is made of your name, your email address or the name of this site."),
    ] {
        let answer = register(&app.browser(), "grace@navy.example", password).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{password}");
        let words = format!("This password {reason} Choose another: three random words make a good one.");
        assert!(answer.says(&format!("<li><a href=\"#password\">{words}</a></li>")), "{password}: {}", answer.body());
        assert!(answer.says("Grace Hopper") && !answer.says(password));
    }
    assert_eq!(app.rows().number("SELECT count(*) FROM users"), 0);
    assert_eq!(register(&app.browser(), "grace@navy.example", PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_refused_password_does_not_tell_whether_the_address_has_an_account() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let (known, unknown) = (app.browser(), app.browser());
    let answers =
        [register(&known, EMAIL, "manchesterunited").await, register(&unknown, "b@e.org", "manchesterunited").await];
    let bodies = answers.map(|answer| {
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        let body = answer.body().replace(EMAIL, "b@e.org");
        body.split("name=\"form_token\"").map(|part| part.split_once('>').unwrap().1.to_owned()).collect::<Vec<_>>()
    });
    assert_eq!(bodies[0], bodies[1]);
}

#[actix_web::test]
async fn the_words_of_the_address_that_the_site_has_are_refused_too() {
    let app = TestApp::with(|arguments| {
        arguments.public_url = Some("https://herbarium.example".to_owned());
        // The lowest that a site which others reach may have.
        arguments.bcrypt_cost = Some("10".to_owned());
    })
    .await;
    let page = app.first_account_page().await.unwrap();
    let first = page.split_once("first=").unwrap().1;
    let fields = [("full_name", NAME), ("email", EMAIL), ("password", "Herbarium herbarium"), ("first", first)];
    let answer = app.browser().submit(&page, "/register", &fields).await;
    assert!(answer.says("the name of this site"), "{}", answer.body());
    assert!(answer.says(&format!("name=\"first\" value=\"{first}\"")), "the form comes back with the link");
}

#[actix_web::test]
async fn who_signs_in_with_an_easy_password_gets_in_and_is_told_once_on_the_next_page() {
    let app = TestApp::start().await;
    app.signed_in().await;
    for (password, reason) in [
        ("manchesterunited", "it is on lists of common and leaked passwords"),
        ("letmein", "it is"),
        ("lovelace1815", "it is made of your name"),
        ("manchesterunited1", "it is easy to guess"),
    ] {
        set_password(&app, password);
        let browser = app.browser();
        let answer = sign_in(&browser, password).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/activity"), "{password}");
        let next = browser.get(answer.location()).await;
        assert!(next.says(&format!("{ADVICE}{reason}")), "{password}: {}", next.body());
        for page in ["/activity", "/dashboard", "/devices", "/token-details"] {
            assert!(!browser.get(page).await.says(ADVICE), "{password} {page}");
        }
    }
}

#[actix_web::test]
async fn every_page_of_a_session_can_be_the_one_that_tells() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let other = app.another_process().await;
    for page in ["/dashboard", "/devices", "/activity", "/token-details"] {
        set_password(&app, "manchesterunited");
        let mut browser = app.browser();
        sign_in(&browser, "manchesterunited").await;
        // Any process tells it, by an access token as by a refresh token.
        browser.connect(&other);
        if page == "/devices" {
            browser.forget("access_token");
        }
        assert!(browser.get(page).await.says(ADVICE), "{page}");
        assert!(!browser.holds("form"), "{page}");
        assert!(!browser.get(page).await.says(ADVICE), "{page}");
    }
}

#[actix_web::test]
async fn nobody_else_is_told() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let browser = app.browser();
    assert_eq!(sign_in(&browser, PASSWORD).await.status, StatusCode::SEE_OTHER);
    assert!(!browser.holds("form") && !browser.get("/dashboard").await.says(ADVICE));

    // A wrong password is not looked at, however common.
    let wrong = app.browser();
    let answer = sign_in(&wrong, "manchesterunited").await;
    assert!(answer.status == StatusCode::UNAUTHORIZED && answer.set().is_empty() && !answer.says(ADVICE));

    // Neither is the right one of an account that is not active.
    let inactive = app.browser();
    set_password(&app, "manchesterunited");
    app.rows().execute("UPDATE users SET is_active = false");
    let answer = sign_in(&inactive, "manchesterunited").await;
    assert!(answer.status == StatusCode::UNAUTHORIZED && answer.set().is_empty() && !answer.says(ADVICE));
    assert!(!inactive.get("/login").await.says(ADVICE));
    app.rows().execute("UPDATE users SET is_active = true");

    // What another key signed, or nobody, says nothing.
    browser.put("form", "AAAAAAAAAAAAAAAAAAAAAA..password-leaked");
    let page = browser.get("/dashboard").await;
    assert!(page.says(NAME) && !page.says(ADVICE));
}

#[actix_web::test]
async fn an_easy_password_that_was_imported_is_hashed_anew_all_the_same() {
    let app = TestApp::start().await;
    app.signed_in().await;
    set_password(&app, "manchesterunited");
    sign_in(&app.browser(), "manchesterunited").await;
    let stored = app.rows().text("SELECT password_hash FROM users");
    assert!(stored.starts_with("hmac-sha384:"), "{stored}");
    assert_eq!(sign_in(&app.browser(), "manchesterunited").await.status, StatusCode::SEE_OTHER);
}
