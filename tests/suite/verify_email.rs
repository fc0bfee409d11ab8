//! Where mail reaches people, an account comes with the link that was mailed to its address.

use actix_web::http::{Method, StatusCode};
use futures_util::future::join_all;
use time::Duration;

use crate::support::links::{CONFIRM, SMTP, assert_dead, last_link, open, press};
use crate::support::{Answer, Browser, EMAIL, NAME, PASSWORD, TestApp};

/// The page that everybody is sent to.
const CHECK: &str = "/register/check-mail";

/// How long a link works.
const LIFE: Duration = Duration::hours(24);

async fn start() -> TestApp {
    TestApp::with(|arguments| arguments.smtp_url = Some(SMTP.to_owned())).await
}

async fn ask_as(browser: &Browser, name: &str, email: &str, password: &str) -> Answer {
    let fields = [("full_name", name), ("email", email), ("password", password), ("keep_signed_in", "on")];
    browser.submit("/register", "/register", &fields).await
}

async fn ask(browser: &Browser, email: &str) -> Answer {
    let answer = ask_as(browser, NAME, email, PASSWORD).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, CHECK), "{}", answer.body());
    answer
}

/// Makes an account by its link.
async fn member(app: &TestApp, email: &str) -> Browser {
    let browser = app.browser();
    ask(&browser, email).await;
    open(&browser, &last_link(app, email, CONFIRM)).await;
    assert_eq!(press(&browser, CONFIRM).await.location(), "/dashboard");
    browser
}

/// Returns what somebody can see of an answer: its status, headers and bytes, without what is random.
fn seen(answer: &Answer) -> (StatusCode, Vec<(String, String)>, Vec<u8>) {
    let answer = answer.without_name();
    let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let mut headers: Vec<_> = headers.filter(|(name, _)| name != "x-request-id" && name != "date").collect();
    headers.sort();
    (answer.status, headers, answer.bytes.clone())
}

#[actix_web::test]
async fn the_account_and_the_sign_in_come_with_the_link() {
    let app = start().await;
    let browser = app.browser();
    let asked = ask(&browser, " Ada@Example.org ").await;
    assert!(asked.cookies().is_empty(), "{:?}", asked.cookies());
    assert_eq!((app.rows().count("users"), browser.is_signed_in().await), (0, false));
    let page = browser.get(CHECK).await;
    assert!(page.says("<h1>Check your mail</h1>") && page.says("for 24 hours") && !page.says(EMAIL), "{}", page.body());
    let [mail] = app.mail().try_into().unwrap();
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), (EMAIL, "Confirm your email address"));
    for said in [&mail.text, &mail.html] {
        assert!(said.contains("for 24 hours") && !said.contains("Ada") && !said.contains("Lovelace"), "{said}");
    }

    let link = last_link(&app, EMAIL, CONFIRM);
    let page = open(&browser, &link).await;
    assert!(page.says("wants an account for ada@example.org") && page.says("Confirm and sign in"), "{}", page.body());
    assert!(!page.says(link.rsplit('/').next().unwrap()) && !page.says(NAME), "{}", page.body());
    let done = press(&browser, CONFIRM).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, "/dashboard"));
    assert!(done.cleared().contains(&"password_reset".to_owned()) && done.set().contains(&"known_device".to_owned()));
    let page = browser.get("/dashboard").await;
    assert!(page.says("Welcome, Ada Lovelace") && page.says("Your email address is confirmed"), "{}", page.body());
    assert!(browser.holds("keep_signed_in"), "kept, as was asked for");
    let mut rows = app.rows();
    for event in ["registered", "email_verified", "signed_in"] {
        assert_eq!(rows.count_events(event), 1, "{event}");
    }
    assert_eq!(rows.number("SELECT count(*) FROM users WHERE role = 'admin'"), 1);
    assert_eq!(rows.number("SELECT count(*) FROM pending_registrations WHERE password_hash <> ''"), 0);
    assert_eq!(app.mail().len(), 1, "nobody is told of the device that they registered with");
    browser.sign_out().await;
    browser.sign_in().await;
    assert_eq!(app.mail().len(), 1, "nor of signing in on it again");
}

#[actix_web::test]
async fn without_a_mail_server_the_account_is_there_at_once() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    assert!(browser.is_signed_in().await);
    assert_eq!((app.mail().len(), app.rows().count_events("email_verified")), (0, 0));
}

#[actix_web::test]
async fn every_address_gets_the_same_answer_and_the_same_hash() {
    let app = start().await;
    member(&app, EMAIL).await;
    let (known, unknown) = (app.browser(), app.browser());
    let mut answers = Vec::new();
    for (browser, email) in [(&known, EMAIL), (&unknown, "bob@example.org")] {
        let work = app.password_work();
        let answer = ask(browser, email).await;
        let worked = app.password_work() - work;
        let page = seen(&browser.get(CHECK).await);
        let page = String::from_utf8(page.2).unwrap();
        let token = crate::support::form_token(&page, CHECK);
        let again = browser.submit(CHECK, CHECK, &[("email", email)]).await;
        assert_eq!(again.location(), CHECK);
        let told = browser.get(CHECK).await.body().replace(&token, "");
        assert!(told.contains("a new link is on its way"), "{told}");
        answers.push((seen(&answer), worked, page.replace(&token, ""), again.status, again.bytes.clone(), told));
    }
    assert_eq!(answers[0], answers[1]);
    let mails = app.mail();
    let to = |email: &str| {
        let to_them = mails.iter().filter(|mail| mail.to.as_str() == email);
        to_them.map(|mail| mail.subject.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(to("bob@example.org"), ["Confirm your email address"; 2]);
    assert_eq!(to(EMAIL)[1..], ["You already have an account"; 2]);
    let told = mails.iter().find(|mail| mail.subject == "You already have an account").unwrap();
    for said in [&told.text, &told.html] {
        for url in ["http://localhost:8080/login", "http://localhost:8080/password-reset"] {
            assert!(said.contains(url) && !said.contains(NAME), "{said}");
        }
    }
    assert_eq!(app.rows().count("users"), 1);
}

#[actix_web::test]
async fn one_address_gets_five_mails_an_hour_and_every_answer_is_the_same() {
    let app = start().await;
    for _ in 0..8 {
        ask(&app.browser(), EMAIL).await;
    }
    assert_eq!((app.mail().len(), app.rows().count("pending_registrations")), (5, 5));
    app.advance(Duration::hours(1));
    ask(&app.browser(), EMAIL).await;
    assert_eq!(app.mail().len(), 6);
}

#[actix_web::test]
async fn opening_a_link_spends_nothing_however_often_and_whoever_does() {
    let app = start().await;
    let browser = app.browser();
    ask(&browser, EMAIL).await;
    let link = last_link(&app, EMAIL, CONFIRM);
    for _ in 0..25 {
        for method in [Method::HEAD, Method::GET] {
            let scanner = app.browser();
            assert_eq!(scanner.ask(method.clone(), &link).await.status, StatusCode::SEE_OTHER);
            assert_eq!(scanner.ask(method, CONFIRM).await.status, StatusCode::OK);
        }
    }
    assert_eq!(app.rows().count("users"), 0);
    open(&browser, &link).await;
    assert_eq!(press(&browser, CONFIRM).await.location(), "/dashboard");
}

#[actix_web::test]
async fn of_twenty_who_use_one_link_at_once_one_gets_the_account() {
    let app = start().await;
    ask(&app.browser(), EMAIL).await;
    let link = last_link(&app, EMAIL, CONFIRM);
    // Not before: another process may send the mail.
    let other = app.another_process().await;
    let racers = (0..20).map(|number| {
        let mut browser = app.browser();
        if number % 2 == 1 {
            browser.connect(&other);
        }
        let link = &link;
        async move {
            open(&browser, link).await;
            let token = browser.token(CONFIRM, CONFIRM).await;
            (browser, token)
        }
    });
    let ready = join_all(racers).await;
    let race =
        ready.iter().map(|(browser, token)| async move { browser.post(CONFIRM, &[("form_token", token)]).await });
    let answers = join_all(race).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == StatusCode::SEE_OTHER);
    assert_eq!(won.len(), 1);
    lost.iter().for_each(|answer| assert_dead(answer, "/register"));
    let mut rows = app.rows();
    for event in ["registered", "email_verified", "signed_in"] {
        assert_eq!(rows.count_events(event), 1, "{event}");
    }
    assert_eq!((rows.count("users"), rows.count("sessions")), (1, 1));
}

#[actix_web::test]
async fn a_button_that_is_clicked_twice_begins_one_session() {
    let app = start().await;
    let browser = app.browser();
    ask(&browser, EMAIL).await;
    open(&browser, &last_link(&app, EMAIL, CONFIRM)).await;
    let token = browser.token(CONFIRM, CONFIRM).await;
    let (first, thief) = (browser.clone(), browser.clone());
    let fields = [("form_token", token.as_str())];
    assert_eq!(first.post(CONFIRM, &fields).await.location(), "/dashboard");
    assert_eq!(browser.post(CONFIRM, &fields).await.location(), "/dashboard");
    assert!(browser.is_signed_in().await && browser.session() == first.session());
    assert_eq!((app.rows().count("sessions"), app.rows().count("users")), (1, 1));
    // Who has the form alone and not the link, or comes later, gets nothing.
    let late = thief.clone();
    thief.forget("password_reset");
    assert_dead(&thief.post(CONFIRM, &fields).await, "/register");
    app.advance(Duration::minutes(3));
    assert_dead(&late.post(CONFIRM, &fields).await, "/register");
}

#[actix_web::test]
async fn of_two_registrations_for_one_address_that_of_the_link_counts() {
    let app = start().await;
    let (owner, stranger) = (app.browser(), app.browser());
    assert_eq!(ask_as(&stranger, "Mallory", EMAIL, "purple otter sings low").await.location(), CHECK);
    let strangers = last_link(&app, EMAIL, CONFIRM);
    ask(&owner, EMAIL).await;
    let owners = last_link(&app, EMAIL, CONFIRM);
    // What a stranger asks for last is not what the owner is sent again.
    assert_eq!(ask_as(&stranger, "Mallory", EMAIL, "purple otter sings low").await.location(), CHECK);
    owner.submit(CHECK, CHECK, &[("email", EMAIL)]).await;
    let again = last_link(&app, EMAIL, CONFIRM);
    assert_dead(&open(&owner, &owners).await, "/register");
    open(&owner, &again).await;
    assert_eq!(press(&owner, CONFIRM).await.location(), "/dashboard");
    assert!(owner.get("/dashboard").await.says("Welcome, Ada Lovelace"));
    assert_dead(&open(&stranger, &strangers).await, "/register");
    let fields = [("email", EMAIL), ("password", "purple otter sings low")];
    assert_eq!(stranger.submit("/login", "/login", &fields).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.rows().count("users"), 1);
}

#[actix_web::test]
async fn a_browser_that_did_not_register_has_nothing_sent_again() {
    let app = start().await;
    ask(&app.browser(), EMAIL).await;
    let before = last_link(&app, EMAIL, CONFIRM);
    let stranger = app.browser();
    assert_eq!(stranger.submit(CHECK, CHECK, &[("email", EMAIL)]).await.location(), CHECK);
    assert_eq!(app.mail().len(), 1);
    assert_eq!(open(&app.browser(), &before).await.status, StatusCode::OK);
    for (email, words) in [("", "Enter your email address"), ("ada", "Enter an email address")] {
        let answer = stranger.submit(CHECK, CHECK, &[("email", email)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{email}");
        assert!(answer.says("There is a problem") && answer.says(words), "{}", answer.body());
    }
}

#[actix_web::test]
async fn a_link_works_for_a_day_and_never_after_its_use() {
    let app = start().await;
    let (early, late) = (app.browser(), app.browser());
    ask(&early, EMAIL).await;
    let link = last_link(&app, EMAIL, CONFIRM);
    app.advance(LIFE - Duration::SECOND);
    assert_eq!(open(&late, &link).await.status, StatusCode::OK);
    let token = late.token(CONFIRM, CONFIRM).await;
    app.advance(Duration::SECOND);
    assert_dead(&late.get(CONFIRM).await, "/register");
    assert_dead(&late.post(CONFIRM, &[("form_token", &token)]).await, "/register");
    ask(&early, EMAIL).await;
    let link = last_link(&app, EMAIL, CONFIRM);
    open(&early, &link).await;
    assert_eq!(press(&early, CONFIRM).await.location(), "/dashboard");
    assert_dead(&open(&app.browser(), &link).await, "/register");
    for garbled in ["x", &link[14..56], &format!("{}A", &link[14..])] {
        assert_dead(&app.browser().get(&format!("{CONFIRM}/{garbled}")).await, "/register");
    }
    assert_dead(&app.browser().get(CONFIRM).await, "/register");
}

#[actix_web::test]
async fn a_link_of_one_kind_opens_no_other() {
    let app = start().await;
    member(&app, EMAIL).await;
    ask(&app.browser(), "bob@example.org").await;
    let confirm = last_link(&app, "bob@example.org", CONFIRM);
    app.browser().submit("/password-reset", "/password-reset", &[("email", EMAIL)]).await;
    let reset = last_link(&app, EMAIL, "/password-reset");
    let (visitor, other) = (app.browser(), app.browser());
    visitor.put("password_reset", reset.rsplit('/').next().unwrap());
    other.put("password_reset", confirm.rsplit('/').next().unwrap());
    for (browser, page, way) in [
        (&visitor, CONFIRM, "/register"),
        (&visitor, "/email-undo", "/password-reset"),
        (&visitor, "/devices/end", "/password-reset"),
        (&other, "/password-reset/new", "/password-reset"),
        (&other, "/email-undo", "/password-reset"),
        (&other, "/devices/end", "/password-reset"),
    ] {
        assert_dead(&browser.get(page).await, way);
        let token = browser.token("/login", "/login").await;
        assert_dead(&browser.post(page, &[("form_token", &token)]).await, way);
    }
}

#[actix_web::test]
async fn an_address_that_somebody_has_by_now_gets_no_second_account() {
    let app = start().await;
    let late = app.browser();
    ask(&late, EMAIL).await;
    let link = last_link(&app, EMAIL, CONFIRM);
    open(&late, &link).await;
    let token = late.token(CONFIRM, CONFIRM).await;
    let without_mail = app.another_process_with(|arguments| arguments.smtp_url = None).await;
    let mut other = app.browser();
    other.connect(&without_mail);
    other.register().await;
    assert_dead(&late.get(CONFIRM).await, "/register");
    assert_dead(&late.post(CONFIRM, &[("form_token", &token)]).await, "/register");
    assert!(!late.is_signed_in().await);
    assert_eq!(app.rows().count("users"), 1);
}

#[actix_web::test]
async fn whoever_is_signed_in_stays_so() {
    let app = start().await;
    let ada = member(&app, EMAIL).await;
    let session = ada.session();
    ask(&app.browser(), "grace@example.org").await;
    let page = open(&ada, &last_link(&app, "grace@example.org", CONFIRM)).await;
    assert!(page.says("You stay signed in as you are") && page.says("Create the account"), "{}", page.body());
    assert_eq!(press(&ada, CONFIRM).await.location(), "/dashboard");
    let page = ada.get("/dashboard").await;
    assert!(page.says("Welcome, Ada Lovelace") && page.says("The new account is ready"), "{}", page.body());
    assert_eq!((ada.session(), app.rows().count("users"), app.rows().count("sessions")), (session, 2, 1));
    let fields = [("email", "grace@example.org"), ("password", PASSWORD)];
    assert_eq!(app.browser().submit("/login", "/login", &fields).await.location(), "/dashboard");
}

#[actix_web::test]
async fn a_form_names_the_address_that_it_confirms() {
    let app = start().await;
    let browser = app.browser();
    for email in [EMAIL, "grace@example.org"] {
        ask(&app.browser(), email).await;
        open(&browser, &last_link(&app, email, CONFIRM)).await;
    }
    let token = browser.token(CONFIRM, CONFIRM).await;
    assert_dead(&browser.post(CONFIRM, &[("email", EMAIL), ("form_token", &token)]).await, "/register");
    let fields = [("email", "grace@example.org"), ("form_token", token.as_str())];
    assert_eq!(browser.post(CONFIRM, &fields).await.location(), "/dashboard");
}

#[actix_web::test]
async fn the_first_account_of_a_public_site_takes_its_link_and_its_mail() {
    let app = TestApp::with(|arguments| {
        arguments.smtp_url = Some(SMTP.to_owned());
        arguments.public_url = Some("https://sign-in.example.org".to_owned());
        arguments.bcrypt_cost = Some("10".to_owned());
    })
    .await;
    let page = app.first_account_page().await.unwrap();
    let browser = app.browser();
    let first = page.split_once("first=").unwrap().1;
    let fields = [("full_name", NAME), ("email", EMAIL), ("password", PASSWORD), ("first", first)];
    assert_eq!(browser.submit(&page, "/register", &fields).await.location(), CHECK);
    assert!(app.first_account_page().await.is_some(), "until the address is confirmed");
    open(&browser, &last_link(&app, EMAIL, CONFIRM)).await;
    assert_eq!(press(&browser, CONFIRM).await.location(), "/dashboard");
    assert_eq!(app.rows().number("SELECT count(*) FROM users WHERE role = 'admin'"), 1);
    assert_eq!(app.first_account_page().await, None);
}

#[actix_web::test]
async fn weak_passwords_and_too_many_tries_are_answered_alike_for_all() {
    let app = start().await;
    member(&app, EMAIL).await;
    for email in [EMAIL, "bob@example.org"] {
        let answer = ask_as(&app.browser(), NAME, email, "passwordpassword").await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{email}");
    }
    let visitor = app.browser();
    let token = visitor.token(CHECK, CHECK).await;
    for number in 0..50 {
        let answer = visitor.post(CONFIRM, &[("form_token", &token)]).await;
        let expected = if number < 49 { StatusCode::GONE } else { StatusCode::TOO_MANY_REQUESTS };
        assert_eq!(answer.status, expected, "{number}: one was counted before");
    }
}

#[actix_web::test]
async fn what_is_over_goes() {
    let app = start().await;
    member(&app, EMAIL).await;
    ask(&app.browser(), "bob@example.org").await;
    app.mail();
    assert_eq!(app.rows().count("pending_registrations"), 2);
    for _ in 0..5 {
        app.advance(Duration::DAY);
        app.retention().trust_clock().unwrap();
    }
    app.retention().sweep(|_| perennial::jobs::Continue::Yes).unwrap();
    assert_eq!(app.rows().count("pending_registrations"), 0);
}
