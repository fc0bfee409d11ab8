//! A device that has signed in to an account before gets through while strangers are locked out.

use actix_web::http::StatusCode;
use time::Duration;

use crate::support::guesses::{fail, is_locked, register, retry_after, stranger, try_to_sign_in};
use crate::support::{Answer, Browser, EMAIL, PASSWORD, SetCookie, TestApp};

#[actix_web::test]
async fn a_known_device_has_twenty_wrong_tries_of_its_own() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    owner.sign_out().await;
    fail(&app, EMAIL, 5).await;
    for _ in 0..2 {
        for number in 0..19 {
            let answer = try_to_sign_in(&owner, EMAIL, "a wrong one").await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "try {number}");
        }
        assert_eq!(is_locked(&app, EMAIL, PASSWORD).await, 30, "which does not lengthen the lock of strangers");
        owner.sign_in().await;
        owner.sign_out().await;
        fail(&app, EMAIL, 5).await;
    }
    for _ in 0..20 {
        assert_eq!(try_to_sign_in(&owner, EMAIL, "a wrong one").await.status, StatusCode::UNAUTHORIZED);
    }
    app.advance(Duration::seconds(29));
    let answer = try_to_sign_in(&owner, EMAIL, PASSWORD).await;
    assert_eq!((answer.status, retry_after(&answer)), (StatusCode::FORBIDDEN, 1), "like any stranger");
    app.advance(Duration::SECOND);
    owner.sign_in().await;
}

#[actix_web::test]
async fn a_spent_device_waits_even_where_strangers_need_not() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    owner.sign_out().await;
    for _ in 0..20 {
        assert_eq!(try_to_sign_in(&owner, EMAIL, "a wrong one").await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(try_to_sign_in(&owner, EMAIL, PASSWORD).await.status, StatusCode::FORBIDDEN);
    assert_eq!(try_to_sign_in(&stranger(&app, 1), EMAIL, PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_device_is_known_to_the_accounts_that_signed_in_on_it_and_by_our_signature_alone() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    owner.sign_out().await;
    let other = register(&app, "bob@example.org").await;
    fail(&app, EMAIL, 5).await;
    let status = async |browser: &Browser| try_to_sign_in(browser, EMAIL, PASSWORD).await.status;
    other.sign_out().await;
    assert_eq!(status(&other).await, StatusCode::FORBIDDEN, "of another account");
    let thief = stranger(&app, 1);
    let name = owner.cookie("known_device");
    // The name stands behind the signature.
    let unsigned = "A".repeat(44) + &name[44..];
    for forged in ["", "AAAAAAAAAAAAAAAAAAAAAA", &unsigned, &name[1..], &name[44..], &other.cookie("known_device")] {
        thief.put("known_device", forged);
        assert_eq!(status(&thief).await, StatusCode::FORBIDDEN, "{forged}");
    }
    // A form cookie is signed as well, by a key of its own, and holds a name of the same form.
    thief.put("known_device", &thief.cookie("form"));
    assert_eq!(status(&thief).await, StatusCode::FORBIDDEN);
    app.advance(Duration::seconds(1));
    assert_eq!(status(&owner).await, StatusCode::SEE_OTHER);
    // Two accounts on one device: known to both.
    owner.sign_out().await;
    assert_eq!(try_to_sign_in(&owner, "bob@example.org", PASSWORD).await.status, StatusCode::SEE_OTHER);
    owner.sign_out().await;
    for email in [EMAIL, "bob@example.org"] {
        fail(&app, email, 5).await;
        assert_eq!(try_to_sign_in(&owner, email, PASSWORD).await.status, StatusCode::SEE_OTHER, "{email}");
        owner.sign_out().await;
    }
}

#[actix_web::test]
async fn the_cookie_of_a_device_lasts_a_year_and_outlives_a_sign_out() {
    let app = TestApp::with(|arguments| arguments.public_url = Some("https://localhost".to_owned())).await;
    let browser = app.browser();
    let answer = browser.register().await;
    let device = |answer: &Answer| {
        let lines: Vec<_> =
            answer.headers.get_all("set-cookie").map(|line| line.to_str().unwrap().to_owned()).collect();
        lines.into_iter().find(|line| line.starts_with("__Host-known_device="))
    };
    let set = device(&answer).unwrap();
    assert!(set.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=31536000"), "{set}");
    let name = browser.cookie("__Host-known_device");
    let out = browser.sign_out().await;
    assert!(!out.cookies().iter().any(|cookie: &SetCookie| cookie.name == "__Host-known_device"));
    app.advance(Duration::days(300));
    let again = browser.sign_in().await;
    assert!(device(&again).unwrap().contains(&name), "the same device, for another year");
    for path in ["/dashboard", "/devices"] {
        app.advance(Duration::minutes(16));
        assert_eq!(device(&browser.get(path).await), None, "{path}");
    }
}
