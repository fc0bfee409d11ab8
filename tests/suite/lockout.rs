//! Guessing one account's password: growing waits for strangers, a way through for its owner, and the same answers for an
//! account that is not there.

use actix_web::http::StatusCode;
use futures_util::future::join_all;
use time::Duration;

use crate::support::guesses::{LOCKED, fail, is_locked, register, retry_after, stranger, try_to_sign_in, with_account};
use crate::support::reset::{NEW_PASSWORD, fresh_link, open, set_password};
use crate::support::{EMAIL, NAME, PASSWORD, TestApp};

/// An address that has no account, as long as that of one.
const NOBODY: &str = "eve@example.org";

#[actix_web::test]
async fn the_fifth_failure_locks_for_30_seconds_and_each_one_after_it_for_twice_as_long_up_to_an_hour() {
    let app = with_account().await;
    fail(&app, EMAIL, 4).await;
    assert_eq!(try_to_sign_in(&stranger(&app, 1), EMAIL, PASSWORD).await.status, StatusCode::SEE_OTHER, "not yet");
    for email in [EMAIL, NOBODY] {
        // The success of the owner before was the end of those four.
        fail(&app, email, 5).await;
        for wait in [30, 60, 120, 240, 480, 960, 1920, 3600, 3600] {
            assert_eq!(is_locked(&app, email, PASSWORD).await, wait, "{email}");
            app.advance(Duration::seconds(wait - 1));
            assert_eq!(is_locked(&app, email, PASSWORD).await, 1, "what comes too early does not count: {email}");
            app.advance(Duration::SECOND);
            assert_eq!(try_to_sign_in(&stranger(&app, 2), email, "x").await.status, StatusCode::UNAUTHORIZED);
        }
    }
    app.advance(Duration::HOUR);
    assert_eq!(try_to_sign_in(&stranger(&app, 3), EMAIL, PASSWORD).await.status, StatusCode::SEE_OTHER);
    fail(&app, EMAIL, 4).await;
    assert_eq!(try_to_sign_in(&stranger(&app, 4), EMAIL, PASSWORD).await.status, StatusCode::SEE_OTHER, "reset");
}

#[actix_web::test]
async fn a_locked_account_and_none_answer_alike_and_hash_nothing() {
    let app = with_account().await;
    let browser = stranger(&app, 1);
    let token = browser.token("/login", "/login").await;
    let answers = async |email: &str| {
        let mut answers = Vec::new();
        for _ in 0..8 {
            let work = app.password_work();
            let fields = [("email", email), ("password", "a wrong one"), ("form_token", &token)];
            let answer = browser.post("/login", &fields).await.without_name();
            let headers: Vec<_> = answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
            let body = answer.body().replace(email, "");
            answers.push((answer.status, headers, body, app.password_work() - work));
        }
        answers
    };
    let (known, unknown) = (answers(EMAIL).await, answers(NOBODY).await);
    assert_eq!(known, unknown);
    let statuses: Vec<_> = known.iter().map(|(status, ..)| status.as_u16()).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 403, 403, 403]);
    let work: Vec<_> = known.iter().map(|(.., work)| *work).collect();
    assert_eq!(work, [16, 16, 16, 16, 16, 0, 0, 0], "2^4 rounds for each that is looked at");
}

#[actix_web::test]
async fn tries_at_a_locked_account_leave_no_event_and_each_lock_leaves_one() {
    let app = with_account().await;
    for email in [EMAIL, NOBODY] {
        fail(&app, email, 5).await;
        for _ in 0..20 {
            is_locked(&app, email, "x").await;
        }
    }
    let locked = |app: &TestApp| app.rows().events_of("account_locked");
    let users: Vec<_> = locked(&app).iter().map(|event| event.user_id).collect();
    assert_eq!(users, [Some(1), None], "an address without an account is nobody's");
    assert_eq!(app.rows().count_events("sign_in_failed"), 10);
    app.advance(Duration::seconds(30));
    fail(&app, EMAIL, 1).await;
    assert_eq!(locked(&app).len(), 3, "the second lock");
    assert_eq!(locked(&app)[0].detail("address"), "198.51.100.4");
}

#[actix_web::test]
async fn the_owner_is_told_by_mail_of_the_first_lock_and_of_the_last() {
    let app = with_account().await;
    fail(&app, NOBODY, 5).await;
    fail(&app, EMAIL, 4).await;
    assert_eq!(app.mail().len(), 0);
    fail(&app, EMAIL, 1).await;
    let told = app.mail();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].to.as_str(), EMAIL);
    assert_eq!(told[0].subject, "Your account is locked for now: too many wrong passwords");
    for text in [&told[0].text, &told[0].html] {
        assert!(text.contains("30 seconds") && text.contains("198.51.100.") && !text.contains(NAME), "{text}");
    }
    fail(&app, EMAIL, 94).await;
    assert_eq!(app.mail().len(), 1, "the locks between follow from the first");
    fail(&app, EMAIL, 1).await;
    let told = app.mail();
    assert_eq!(told.len(), 2);
    assert!(told[1].text.contains("until you sign in on a device you have used before"), "{}", told[1].text);
}

#[actix_web::test]
async fn whoever_locks_and_opens_an_account_again_and_again_causes_five_mails_an_hour() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    owner.sign_out().await;
    for _ in 0..8 {
        fail(&app, EMAIL, 5).await;
        owner.sign_in().await;
        owner.sign_out().await;
    }
    assert_eq!(app.rows().count_events("account_locked"), 8);
    assert_eq!(app.mail().len(), 5);
}

#[actix_web::test]
async fn after_a_hundred_failures_waiting_helps_nobody_and_a_known_device_does() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    owner.sign_out().await;
    for email in [EMAIL, NOBODY] {
        fail(&app, email, 100).await;
        for wait in [Duration::ZERO, Duration::HOUR, Duration::days(29)] {
            app.advance(wait);
            let answer = try_to_sign_in(&stranger(&app, 1), email, PASSWORD).await;
            assert_eq!((answer.status, retry_after(&answer)), (StatusCode::FORBIDDEN, 3600), "{email}");
            assert!(answer.says("waiting does not help") && answer.says(LOCKED), "{}", answer.body());
        }
    }
    assert_eq!(try_to_sign_in(&owner, EMAIL, PASSWORD).await.status, StatusCode::SEE_OTHER);
    assert_eq!(try_to_sign_in(&stranger(&app, 2), EMAIL, PASSWORD).await.status, StatusCode::SEE_OTHER, "unlocked");
}

#[actix_web::test]
async fn no_spelling_of_the_address_gets_around_the_lock() {
    let app = with_account().await;
    let spellings =
        ["ada@example.org", "ADA@EXAMPLE.ORG", " ada@example.org", "Ada@Example.Org\t", "\r\naDa@eXample.org "];
    for (number, spelling) in spellings.into_iter().enumerate() {
        let browser = stranger(&app, u8::try_from(number).unwrap());
        assert_eq!(try_to_sign_in(&browser, spelling, "x").await.status, StatusCode::UNAUTHORIZED, "{spelling:?}");
    }
    for spelling in spellings {
        is_locked(&app, spelling, PASSWORD).await;
    }
    for other in [
        "ada@example.org\u{200b}",
        "\u{a0}ada@example.org",
        "\u{ff41}da@example.org",
        "ada@ex\u{e4}mple.org",
        "\u{430}da@example.org",
        "ada@example.org.",
        "ada\0@example.org",
        "ada@example.org\0",
    ] {
        let answer = try_to_sign_in(&stranger(&app, 250), other, PASSWORD).await;
        assert!([StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer.status), "{other:?}");
    }
    assert_eq!(app.rows().count_events("signed_in"), 1);
}

#[actix_web::test]
async fn parallel_guesses_are_counted_before_they_are_hashed() {
    let app = with_account().await;
    let other = app.another_process().await;
    for email in [EMAIL, NOBODY] {
        let mut guesses = Vec::new();
        for number in 0..50 {
            let browser = stranger(if number % 2 == 0 { &app } else { &other }, number);
            let token = browser.token("/login", "/login").await;
            guesses.push((browser, token));
        }
        let work = app.password_work() + other.password_work();
        let answers = join_all(guesses.iter().map(async |(browser, token)| {
            let fields = [("email", email), ("password", "a wrong one"), ("form_token", token)];
            browser.post("/login", &fields).await
        }));
        let answers = answers.await;
        let count = |status| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((count(StatusCode::UNAUTHORIZED), count(StatusCode::FORBIDDEN)), (5, 45), "{email}");
        assert_eq!(app.password_work() + other.password_work() - work, 5 * 16, "{email}");
        app.advance(Duration::minutes(10));
    }
}

#[actix_web::test]
async fn a_crowd_with_the_right_password_gets_in_at_once_and_locks_nobody() {
    let app = with_account().await;
    let mut crowd = Vec::new();
    for number in 0..20 {
        let browser = stranger(&app, number);
        let token = browser.token("/login", "/login").await;
        crowd.push((browser, token));
    }
    let answers = join_all(crowd.iter().map(async |(browser, token)| {
        let fields = [("email", EMAIL), ("password", PASSWORD), ("form_token", token)];
        browser.post("/login", &fields).await.status
    }));
    assert_eq!(answers.await, [StatusCode::SEE_OTHER; 20]);
}

#[actix_web::test]
async fn a_clock_that_jumps_locks_nobody_for_longer_than_an_hour() {
    for jump in [Duration::HOUR, Duration::days(365), -Duration::HOUR, -Duration::days(365)] {
        let app = with_account().await;
        fail(&app, EMAIL, 20).await;
        app.clock.jump(jump);
        let jumped = try_to_sign_in(&stranger(&app, 1), EMAIL, "a wrong one").await.status;
        assert_eq!(jumped, StatusCode::UNAUTHORIZED, "{jump}: nothing is known of the time between");
        assert_eq!(is_locked(&app, EMAIL, PASSWORD).await, 3600, "{jump}: the count stays");
        app.clock.jump(-jump);
        let wait = match try_to_sign_in(&stranger(&app, 2), EMAIL, PASSWORD).await {
            answer if answer.status == StatusCode::FORBIDDEN => retry_after(&answer),
            answer => {
                assert_eq!(answer.status, StatusCode::SEE_OTHER, "{jump}");
                continue;
            }
        };
        assert!(wait <= 3600, "{jump}: {wait}");
    }
}

#[actix_web::test]
async fn what_was_tried_before_there_was_an_account_is_not_held_against_its_owner() {
    let app = with_account().await;
    fail(&app, NOBODY, 100).await;
    register(&app, NOBODY).await.sign_out().await;
    assert_eq!(try_to_sign_in(&stranger(&app, 1), NOBODY, PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn no_address_of_a_stranger_is_stored() {
    let app = with_account().await;
    fail(&app, "hunter2-typed-into-the-wrong-field", 5).await;
    fail(&app, NOBODY, 5).await;
    let stored = String::from_utf8_lossy(&crate::support::everything_stored(&app.folder())).into_owned();
    assert!(!stored.contains("hunter2") && !stored.contains(NOBODY));
}

#[actix_web::test]
async fn a_new_password_by_a_mailed_link_ends_every_lock() {
    let app = with_account().await;
    fail(&app, EMAIL, 5).await;
    is_locked(&app, EMAIL, PASSWORD).await;
    let owner = stranger(&app, 7);
    open(&owner, &fresh_link(&app, EMAIL).await).await;
    assert_eq!(set_password(&owner, NEW_PASSWORD).await.status, StatusCode::SEE_OTHER);
    assert_eq!(try_to_sign_in(&stranger(&app, 8), EMAIL, NEW_PASSWORD).await.status, StatusCode::SEE_OTHER);
}
