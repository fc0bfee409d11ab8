//! Whoever asks about an address learns nothing of the account it has, or has not.

use actix_web::http::StatusCode;

use crate::support::{Answer, Browser, EMAIL, NAME, PASSWORD, TestApp};

/// Addresses of one length: of an ordinary account, of none, of one that was deactivated, of one that was imported, and of
/// one whose hash is of another cost.
const ADDRESSES: [&str; 5] = [EMAIL, "xyz@example.org", "dea@example.org", "imp@example.org", "old@example.org"];

/// What somebody sees of an answer: the status, every header, and the page.
type Seen = (StatusCode, Vec<String>, String);

async fn with_accounts() -> TestApp {
    let app = TestApp::start().await;
    app.signed_in().await;
    let (imported, old) = (bcrypt::hash(PASSWORD, 5).unwrap(), bcrypt::hash(PASSWORD, 6).unwrap());
    for (email, hash, active) in [
        ("dea@example.org", "password_hash".to_owned(), "FALSE"),
        ("imp@example.org", format!("'{imported}'"), "TRUE"),
        ("old@example.org", format!("'{old}'"), "TRUE"),
    ] {
        app.rows().execute(&format!(
            "INSERT INTO users (email, full_name, password_hash, role, is_active, created_at) \
             SELECT '{email}', full_name, {hash}, 'user', {active}, created_at FROM users WHERE email = '{EMAIL}'"
        ));
    }
    app
}

/// Opens a browser at an address of its own.
fn stranger(app: &TestApp, number: usize) -> Browser {
    let mut browser = app.browser();
    browser.address = format!("198.51.100.{number}:40000").parse().unwrap();
    browser
}

fn seen(answer: &Answer, email: &str, token: &str) -> Seen {
    let answer = answer.without_name();
    let headers = answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    (answer.status, headers, answer.body().replace(email, "").replace(token, ""))
}

/// Asserts that what is seen of the second address on is what is seen of the first.
fn assert_alike(seen: &[Vec<Seen>]) {
    for (number, other) in seen.iter().enumerate().skip(1) {
        assert_eq!(&seen[0], other, "{}", ADDRESSES[number]);
    }
}

#[actix_web::test]
async fn refusals_and_locks_are_alike_in_every_byte_whatever_account_there_is() {
    let app = with_accounts().await;
    let (mut all, mut work) = (Vec::new(), Vec::new());
    for (number, email) in ADDRESSES.into_iter().enumerate() {
        let browser = stranger(&app, number + 1);
        let token = browser.token("/login", "/login").await;
        let (mut answers, before) = (Vec::new(), app.password_work());
        for _ in 0..7 {
            let fields = [("email", email), ("password", "not their password"), ("form_token", &token)];
            answers.push(seen(&browser.post("/login", &fields).await, email, &token));
        }
        let statuses: Vec<_> = answers.iter().map(|(status, ..)| status.as_u16()).collect();
        assert_eq!(statuses, [401, 401, 401, 401, 401, 403, 403], "{email}");
        all.push(answers);
        work.push(app.password_work() - before);
    }
    assert_alike(&all);
    // A hash of a greater cost than is set takes its own time until its owner signs in.
    assert_eq!(work[..3], [5 * 16; 3], "as much work for each that is looked at, and none for the others");
}

#[actix_web::test]
async fn too_many_tries_from_one_address_are_alike_too() {
    let app = with_accounts().await;
    let browser = stranger(&app, 1);
    let token = browser.token("/login", "/login").await;
    let fields = |email| [("email", email), ("password", "not their password"), ("form_token", token.as_str())];
    let others: Vec<_> = (0..60).map(|number| format!("{number}@example.org")).collect();
    for email in &others {
        browser.post("/login", &fields(email)).await;
    }
    let mut all = Vec::new();
    for email in ADDRESSES {
        let answer = browser.post("/login", &fields(email)).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        all.push(vec![seen(&answer, email, &token)]);
    }
    assert_alike(&all);
}

#[actix_web::test]
async fn a_request_for_a_new_password_is_alike_as_often_as_it_is_made() {
    let app = with_accounts().await;
    let mut all = Vec::new();
    for (number, email) in ADDRESSES.into_iter().enumerate() {
        let browser = stranger(&app, number + 1);
        let mut answers = Vec::new();
        // One more than there are mails to one address in an hour.
        for _ in 0..6 {
            let token = browser.token("/password-reset", "/password-reset").await;
            let asked = browser.post("/password-reset", &[("email", email), ("form_token", &token)]).await;
            answers.push(seen(&asked, email, &token));
            answers.push(seen(&browser.get(asked.location()).await, email, &token));
        }
        all.push(answers);
    }
    assert_alike(&all);
}

#[actix_web::test]
async fn where_registration_is_closed_nobody_learns_who_is_there() {
    let app = with_accounts().await;
    let closed = app.another_process_with(|arguments| arguments.registration = Some("closed".to_owned())).await;
    let mut all = Vec::new();
    for email in ADDRESSES {
        let mut browser = app.browser();
        let token = browser.token("/register", "/register").await;
        browser.connect(&closed);
        let fields = [("full_name", NAME), ("email", email), ("password", PASSWORD), ("form_token", &token)];
        all.push(vec![seen(&browser.post("/register", &fields).await, email, &token)]);
    }
    assert_alike(&all);
}
