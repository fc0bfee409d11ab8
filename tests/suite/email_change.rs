//! An account gets another address, and its old one can take that back.

use actix_web::http::{Method, StatusCode};
use futures_util::future::join_all;
use perennial::domain::clock::Clock;
use perennial::mail::Email;
use time::Duration;

use crate::support::links::{CONFIRM, UNDO, assert_dead, last_link, open, press};
use crate::support::reset::{NEW, NEW_PASSWORD, fresh_link, opens, set_password};
use crate::support::{Answer, Browser, EMAIL, PASSWORD, TestApp};

const PAGE: &str = "/account";

/// The address that the account is to have.
const NEXT: &str = "countess@example.org";

/// What the account page calls a change under way.
const WAITING: &str = "Waiting to be confirmed";

async fn ask(browser: &Browser, email: &str) -> Answer {
    let answer = browser.submit(PAGE, "/account/email", &[("email", email)]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, PAGE), "{}", answer.body());
    answer
}

/// Has the address changed by whoever reads the mail to it.
async fn change(app: &TestApp, browser: &Browser, email: &str) {
    ask(browser, email).await;
    let reader = app.browser();
    open(&reader, &last_link(app, email, CONFIRM)).await;
    assert_eq!(press(&reader, CONFIRM).await.location(), "/login");
}

/// Enters the password again, so that the account may be changed.
async fn enter_again(browser: &Browser, password: &str) {
    let fields = [("password", password), ("next", PAGE)];
    let answer = browser.submit("/reauthenticate?next=%2Faccount", "/reauthenticate", &fields).await;
    assert_eq!(answer.location(), PAGE, "{}", answer.body());
}

async fn sign_in_as(app: &TestApp, email: &str) -> Browser {
    let browser = app.browser();
    let fields = [("email", email), ("password", PASSWORD), ("keep_signed_in", "on")];
    assert_eq!(browser.submit("/login", "/login", &fields).await.location(), "/dashboard");
    browser
}

fn to(app: &TestApp, email: &str) -> Vec<Email> {
    app.mail().into_iter().filter(|mail| mail.to.as_str() == email).collect()
}

fn stored(app: &TestApp) -> String {
    app.rows().text("SELECT email FROM users WHERE id = 1")
}

#[actix_web::test]
async fn the_new_address_confirms_and_the_old_one_is_told() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    ask(&browser, " Countess@Example.org ").await;
    let page = browser.get(PAGE).await;
    for words in ["A link is on its way to the new address", WAITING, NEXT, "Send the link again"] {
        assert!(page.says(words), "{words}: {}", page.body());
    }
    assert_eq!((stored(&app).as_str(), to(&app, EMAIL)), (EMAIL, vec![]), "nothing has changed yet");
    let [asked] = to(&app, NEXT).try_into().unwrap();
    assert_eq!(asked.subject, "Confirm your new email address");
    for said in [&asked.text, &asked.html] {
        assert!(said.contains("for 24 hours") && !said.contains("Ada") && !said.contains(EMAIL), "{said}");
    }

    let link = last_link(&app, NEXT, CONFIRM);
    let page = open(&browser, &link).await;
    assert!(
        page.says("wants to sign in with countess@example.org") && page.says("Use this address"),
        "{}",
        page.body()
    );
    assert!(!page.says(link.rsplit('/').next().unwrap()));
    let done = press(&browser, CONFIRM).await;
    assert_eq!(
        (done.status, done.location(), done.cleared()),
        (StatusCode::SEE_OTHER, PAGE, vec!["password_reset".to_owned()])
    );
    let page = browser.get(PAGE).await;
    assert!(page.says("The email address was changed") && page.says(NEXT) && !page.says(WAITING), "{}", page.body());
    let [told] = to(&app, EMAIL).try_into().unwrap();
    assert_eq!(told.subject, "Your email address was changed");
    for said in [&told.text, &told.html] {
        for words in ["1 March 2060, 09:00 UTC", "192.0.2.1", "http://localhost:8080/email-undo/", "for 7 days"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(!said.contains(NEXT), "whoever chose it would write to somebody by it: {said}");
    }
    assert!(!opens(&app, EMAIL, PASSWORD).await && opens(&app, NEXT, PASSWORD).await);
    for event in ["email_changed", "email_verified"] {
        assert_eq!(app.rows().count_events(event), 1, "{event}");
    }
    assert!(browser.get("/activity").await.says("You changed your email address"));
    assert_dead(&open(&app.browser(), &link).await, "/register");
    browser.sign_out().await;
    let mails = app.mail().len();
    assert_eq!(
        browser.submit("/login", "/login", &[("email", NEXT), ("password", PASSWORD)]).await.location(),
        "/dashboard"
    );
    assert_eq!(app.mail().len(), mails, "the device that confirmed it is none that the account does not know");
}

#[actix_web::test]
async fn every_process_shows_the_new_address_and_every_sign_in_stays() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    ask(&browser, NEXT).await;
    let link = last_link(&app, NEXT, CONFIRM);
    // Not before: another process may send the mail.
    let elsewhere = app.another_process().await;
    let mut far = browser.clone();
    far.connect(&elsewhere);
    assert!(far.get("/dashboard").await.says(EMAIL));
    let reader = app.browser();
    open(&reader, &link).await;
    assert_eq!(press(&reader, CONFIRM).await.location(), "/login");
    assert!(reader.get("/login").await.says("The email address was changed"));
    elsewhere.catch_up();
    for browser in [&browser, &far] {
        assert!(browser.get("/dashboard").await.says(NEXT));
    }
}

#[actix_web::test]
async fn the_undo_gives_the_address_back_ends_every_sign_in_and_leads_to_a_new_password() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    let thief = sign_in_as(&app, EMAIL).await;
    change(&app, &thief, "thief@example.net").await;
    let link = last_link(&app, EMAIL, UNDO);
    for method in [Method::HEAD, Method::GET, Method::GET] {
        let scanner = app.browser();
        assert_eq!(scanner.ask(method.clone(), &link).await.status, StatusCode::SEE_OTHER);
        assert_eq!(scanner.ask(method, UNDO).await.status, StatusCode::OK);
    }
    assert_eq!(stored(&app), "thief@example.net");
    // What the thief has under way goes with the rest.
    ask(&thief, "other@example.net").await;
    let under_way = last_link(&app, "other@example.net", CONFIRM);
    let reset = fresh_link(&app, "thief@example.net").await;

    let reader = app.browser();
    let page = open(&reader, &link).await;
    assert!(page.says("Your account gets ada@example.org back"), "{}", page.body());
    let done = press(&reader, UNDO).await;
    assert_eq!(
        (done.status, done.location(), done.set()),
        (StatusCode::SEE_OTHER, NEW, vec!["password_reset".into(), "form".into()])
    );
    assert_eq!(stored(&app), EMAIL);
    assert!(!owner.is_signed_in().await && !thief.is_signed_in().await);
    for email in [EMAIL, "thief@example.net"] {
        assert!(!opens(&app, email, PASSWORD).await, "{email}: whoever changed the address knew the password");
    }
    let form = reader.get(NEW).await;
    assert!(form.says("Now set a new password") && form.says("For the account of ada@example.org"), "{}", form.body());
    assert_eq!(set_password(&reader, NEW_PASSWORD).await.location(), "/login");
    assert!(opens(&app, EMAIL, NEW_PASSWORD).await);
    assert_dead(&open(&app.browser(), &link).await, "/password-reset");
    assert_dead(&open(&app.browser(), &under_way).await, "/register");
    assert_eq!(crate::support::reset::open(&app.browser(), &reset).await.status, StatusCode::GONE);
    let events = app.rows().events_of("email_changed");
    assert_eq!(events.iter().map(|event| event.detail("reason")).collect::<Vec<_>>(), ["", "undone"]);
}

#[actix_web::test]
async fn the_first_link_undoes_every_later_change() {
    let app = TestApp::start().await;
    let thief = app.signed_in().await;
    for email in ["b@example.net", "c@example.net", "d@example.net"] {
        change(&app, &thief, email).await;
    }
    let [first, second, third] = [EMAIL, "b@example.net", "c@example.net"].map(|email| last_link(&app, email, UNDO));
    // The newest first: what was changed before it stays undone by the others.
    let reader = app.browser();
    open(&reader, &third).await;
    assert_eq!(press(&reader, UNDO).await.location(), NEW);
    assert_eq!(stored(&app), "c@example.net");
    open(&reader, &first).await;
    assert_eq!(press(&reader, UNDO).await.location(), NEW);
    assert_eq!(stored(&app), EMAIL);
    for link in [first, second, third] {
        assert_dead(&open(&app.browser(), &link).await, "/password-reset");
    }
}

#[actix_web::test]
async fn of_twenty_who_undo_at_once_one_does() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    change(&app, &browser, NEXT).await;
    let link = last_link(&app, EMAIL, UNDO);
    let other = app.another_process().await;
    let racers = (0..20).map(|number| {
        let mut browser = app.browser();
        if number % 2 == 1 {
            browser.connect(&other);
        }
        let link = &link;
        async move {
            open(&browser, link).await;
            let token = browser.token(UNDO, UNDO).await;
            (browser, token)
        }
    });
    let ready = join_all(racers).await;
    let race = ready.iter().map(|(browser, token)| async move { browser.post(UNDO, &[("form_token", token)]).await });
    let answers = join_all(race).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == StatusCode::SEE_OTHER);
    assert_eq!(won.len(), 1);
    lost.iter().for_each(|answer| assert_dead(answer, "/password-reset"));
}

#[actix_web::test]
async fn a_link_to_undo_works_for_a_week() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    change(&app, &browser, NEXT).await;
    let link = last_link(&app, EMAIL, UNDO);
    app.advance(Duration::days(7) - Duration::SECOND);
    assert_eq!(open(&app.browser(), &link).await.status, StatusCode::OK);
    app.advance(Duration::SECOND);
    assert_dead(&open(&app.browser(), &link).await, "/password-reset");
    for garbled in ["x", &link[12..50]] {
        assert_dead(&app.browser().get(&format!("{UNDO}/{garbled}")).await, "/password-reset");
    }
    assert_eq!(stored(&app), NEXT);
}

async fn open_reset(reader: &Browser, app: &TestApp) {
    let link = fresh_link(app, EMAIL).await;
    crate::support::reset::open(reader, &link).await;
    assert_eq!(set_password(reader, NEW_PASSWORD).await.location(), "/login");
}

#[actix_web::test]
async fn an_address_that_has_an_account_is_answered_alike_and_its_owner_is_told() {
    let app = TestApp::start().await;
    let ada = app.signed_in().await;
    let grace = app.browser();
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", PASSWORD)];
    grace.submit("/register", "/register", &fields).await;
    let mut pages = Vec::new();
    for email in ["grace@example.org", "nobody@example.org"] {
        let answer = ask(&ada, email).await;
        assert_eq!(answer.bytes, b"");
        let first = ada.get(PAGE).await.body().replace(email, "…");
        pages.push((first, ada.get(PAGE).await.body().replace(email, "…")));
    }
    assert_eq!(pages[0], pages[1]);
    let [told] = to(&app, "grace@example.org").try_into().unwrap();
    assert_eq!(told.subject, "You already have an account");
    assert!(!told.text.contains(EMAIL) && !told.text.contains("Ada"), "{}", told.text);
    // Past the mails of an hour, everything looks as before, and the last link works.
    for _ in 0..7 {
        ask(&ada, "nobody@example.org").await;
    }
    assert_eq!(to(&app, "nobody@example.org").len(), 5);
    let reader = app.browser();
    assert_eq!(open(&reader, &last_link(&app, "nobody@example.org", CONFIRM)).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn only_the_newest_change_works_and_it_can_be_given_up() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    ask(&browser, "first@example.org").await;
    ask(&browser, "second@example.org").await;
    let [first, second] = ["first@example.org", "second@example.org"].map(|email| last_link(&app, email, CONFIRM));
    assert_dead(&open(&app.browser(), &first).await, "/register");
    assert_eq!(open(&app.browser(), &second).await.status, StatusCode::OK);
    let answer = browser.submit(PAGE, "/account/email/cancel", &[]).await;
    assert_eq!(answer.location(), PAGE);
    let page = browser.get(PAGE).await;
    assert!(page.says("Your email address stays as it is") && !page.says(WAITING), "{}", page.body());
    assert_dead(&open(&app.browser(), &second).await, "/register");
    ask(&browser, NEXT).await;
    let link = last_link(&app, NEXT, CONFIRM);
    app.advance(Duration::hours(24));
    assert_dead(&open(&app.browser(), &link).await, "/register");
    enter_again(&browser, PASSWORD).await;
    assert!(!browser.get(PAGE).await.says(WAITING));
    assert_eq!(stored(&app), EMAIL);
}

#[actix_web::test]
async fn a_reset_gives_up_a_change_under_way() {
    let app = TestApp::start().await;
    let thief = app.signed_in().await;
    ask(&thief, "thief@example.net").await;
    let link = last_link(&app, "thief@example.net", CONFIRM);
    open_reset(&app.browser(), &app).await;
    assert_dead(&open(&app.browser(), &link).await, "/register");
    assert_eq!(stored(&app), EMAIL);
}

#[actix_web::test]
async fn nobody_else_gets_an_address_that_may_come_back() {
    let app = TestApp::start().await;
    let thief = app.signed_in().await;
    change(&app, &thief, "thief@example.net").await;
    let visitor = app.browser();
    let fields = [("full_name", "Mallory"), ("email", EMAIL), ("password", PASSWORD)];
    let answer = visitor.submit("/register", "/register", &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let grace = app.browser();
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", PASSWORD)];
    grace.submit("/register", "/register", &fields).await;
    ask(&grace, EMAIL).await;
    assert_eq!(to(&app, EMAIL).last().unwrap().subject, "You already have an account");
    // The account itself may have it back at any time, and others after a week.
    change(&app, &thief, EMAIL).await;
    assert_eq!(stored(&app), EMAIL);
    change(&app, &thief, NEXT).await;
    app.advance(Duration::days(7));
    let fields = [("full_name", "Eve"), ("email", EMAIL), ("password", PASSWORD)];
    assert_eq!(app.browser().submit("/register", "/register", &fields).await.location(), "/dashboard");
}

#[actix_web::test]
async fn what_is_no_other_address_comes_back_with_the_form() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    for (email, words) in [
        ("", "Enter your email address"),
        ("ada", "Enter an email address"),
        ("ADA@example.org", "This is your email address already"),
    ] {
        let answer = browser.submit(PAGE, "/account/email", &[("email", email)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{email}");
        let link = format!("<a href=\"#email\">{words}");
        assert!(answer.says("There is a problem") && answer.says(&link), "{}", answer.body());
        assert!(answer.says(&format!("value=\"{email}\"")), "{}", answer.body());
    }
    assert_eq!(app.mail(), []);
}

#[actix_web::test]
async fn an_address_that_bounces_is_said_on_the_account_page_and_outlives_the_outbox() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    ask(&browser, NEXT).await;
    app.mail();
    let bounce = |email: &str| {
        let mut rows = app.rows();
        rows.execute(&format!(
            "INSERT INTO outbox (message_id, recipient, subject, created_at, expires_at, text, html) \
             VALUES ('{email}', '{email}', 'x', 1, 1, 'x', 'x')"
        ));
        let id = rows.number("SELECT max(id) FROM outbox");
        let (database, now) =
            (perennial::store::Database::open(&app.database_url().parse().unwrap()).unwrap().0, app.clock.now());
        database
            .write_blocking(move |rows| perennial::store::outbox::give_up(rows, id, "550 nobody here", now))
            .unwrap();
    };
    bounce(NEXT);
    let page = browser.get(PAGE).await;
    assert!(page.says("Mail to countess@example.org bounced") && !page.says("550"), "{}", page.body());
    assert!(!page.says("Mail to ada@example.org bounced"));
    bounce(EMAIL);
    app.rows().execute("DELETE FROM outbox");
    let page = browser.get(PAGE).await;
    assert!(page.says("Mail to ada@example.org bounced: its mail server refused it"), "{}", page.body());
    // The next mail that arrives takes it back.
    fresh_link(&app, EMAIL).await;
    assert!(!browser.get(PAGE).await.says("bounced"));
}
