//! A thief who holds the cookie jar of a bound sign-in, and not its key.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Path};
use perennial::{SessionLife, UserId, Visitor, WebError};
use time::Duration;

use crate::support::{Browser, Device, EMAIL, PASSWORD, TestApp};

/// Longer than an access life, and so than the window.
const LATER: Duration = Duration::minutes(16);

/// An owner whose device has proved itself, and a thief somewhere else with a copy of the jar.
async fn robbed(app: &TestApp) -> (Browser, Device, Browser) {
    let (owner, device) = (app.browser(), Device::new());
    let answer = owner.register().await;
    device.register(&owner, &answer).await;
    app.advance(LATER);
    assert_eq!(device.renew(&owner).await.status, StatusCode::OK);
    let mut thief = owner.clone();
    thief.address = "203.0.113.9:40000".parse().unwrap();
    (owner, device, thief)
}

fn notices(app: &TestApp) -> usize {
    app.mail().iter().filter(|mail| mail.subject.starts_with("A copy of your sign-in was tried")).count()
}

#[actix_web::test]
async fn a_copied_jar_opens_nothing_once_its_access_token_has_run_out() {
    let app = TestApp::start().await;
    let (owner, device, thief) = robbed(&app).await;
    assert!(thief.is_signed_in().await, "for what is left of one access life");
    app.advance(LATER);
    for _ in 0..10 {
        let answer = thief.get("/dashboard").await;
        assert_eq!(answer.location(), "/session/confirm?next=%2Fdashboard");
        assert!(!answer.set().iter().any(|name| name != "unproven"), "{:?}", answer.set());
        let forged = Device::new().proof(&device.challenge());
        assert_eq!(device.renew_with(&thief, &forged).await.status, StatusCode::FORBIDDEN);
        assert_eq!(device.renew(&owner).await.status, StatusCode::OK);
        assert!(owner.is_signed_in().await);
        app.advance(LATER);
    }
    assert_eq!(app.rows().count_events("refresh_token_replayed"), 0);
}

#[actix_web::test]
async fn nothing_that_a_thief_does_ends_the_sign_in_of_its_owner() {
    let app = TestApp::start().await;
    let (owner, device, thief) = robbed(&app).await;
    let old = thief.clone();
    for _ in 0..10 {
        app.advance(LATER);
        assert_eq!(device.renew(&owner).await.status, StatusCode::OK);
        // Dead tokens, the active one, and one from the future as it would look after a restore.
        for jar in [&old, &thief] {
            assert_ne!(jar.get("/dashboard").await.status, StatusCode::INTERNAL_SERVER_ERROR);
        }
        thief.restore(&owner);
        thief.forget("access_token");
        assert_eq!(thief.get("/dashboard").await.location(), "/session/confirm?next=%2Fdashboard");
        // Somebody else's sign-in takes the place of what the jar opens, and this opens nothing.
        assert!(owner.is_signed_in().await);
    }
    let accomplice = app.browser();
    let fields = [("full_name", "Mallory"), ("email", "mallory@example.org"), ("password", "three other words")];
    accomplice.submit("/register", "/register", &fields).await;
    thief.submit("/login", "/login", &[("email", "mallory@example.org"), ("password", "three other words")]).await;
    assert!(thief.is_signed_in().await && owner.is_signed_in().await);
    app.advance(LATER);
    assert_eq!(device.renew(&owner).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn one_event_an_hour_tells_of_it() {
    let app = TestApp::start().await;
    let (_, _, thief) = robbed(&app).await;
    app.advance(LATER);
    for _ in 0..20 {
        thief.get("/dashboard").await;
    }
    let events = app.rows().events_of("device_not_proven");
    assert_eq!((events.len(), events[0].detail("address")), (1, "203.0.113.9".to_owned()));
    app.advance(Duration::minutes(61));
    thief.get("/dashboard").await;
    assert_eq!(app.rows().count_events("device_not_proven"), 2);
}

#[actix_web::test]
async fn the_owner_is_mailed_an_hour_later() {
    let app = TestApp::start().await;
    let (owner, device, thief) = robbed(&app).await;
    app.advance(LATER);
    thief.get("/dashboard").await;
    thief.get("/dashboard").await;
    device.renew(&owner).await;
    assert_eq!(notices(&app), 0);
    app.advance(Duration::minutes(59));
    assert_eq!(notices(&app), 0);
    app.advance(Duration::minutes(2));
    assert_eq!(notices(&app), 1);
    let mail = app.mail().pop().unwrap();
    assert!(
        mail.text.contains("203.0.113.9") && mail.text.contains("opened nothing") && mail.html.contains("/devices")
    );
}

#[actix_web::test]
async fn nobody_is_mailed_about_a_browser_that_proves_itself_or_enters_the_password() {
    for by_password in [false, true] {
        let app = TestApp::start().await;
        let (owner, device, _) = robbed(&app).await;
        app.advance(LATER);
        assert!(owner.get("/dashboard").await.set().contains(&"unproven".to_owned()));
        if by_password {
            let fields = [("email", EMAIL), ("password", PASSWORD), ("keep_signed_in", "on")];
            assert_eq!(owner.submit("/login", "/login", &fields).await.location(), "/dashboard");
        } else {
            assert_eq!(device.renew(&owner).await.cleared(), ["unproven"]);
        }
        app.advance(Duration::hours(2));
        assert_eq!(notices(&app), 0, "{by_password}");
    }
}

/// Signs in whoever names an account: the check of an application.
async fn vouch(visitor: Visitor, user: Path<i64>) -> Result<HttpResponse, WebError> {
    let welcome = HttpResponse::NoContent().finish();
    let signed_in = visitor.sign_in(UserId(*user), SessionLife::Kept, welcome).await?;
    Ok(signed_in.unwrap_or_else(|| HttpResponse::Gone().finish()))
}

#[actix_web::test]
async fn a_sign_in_that_an_application_vouches_for_takes_the_place_of_one_without_a_proof() {
    for of_another in [false, true] {
        let app = TestApp::embedded(
            |_| {},
            |config| {
                config.route("/vouch/{user}", web::get().to(vouch));
            },
        );
        let app = app.await;
        let (owner, ..) = robbed(&app).await;
        let grace = app.browser();
        let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", PASSWORD)];
        grace.submit("/register", "/register", &fields).await;
        let user = |email| app.rows().number(&format!("SELECT id FROM users WHERE email = '{email}'"));
        let user = user(if of_another { "grace@example.org" } else { EMAIL });
        app.advance(LATER);
        assert!(owner.get("/dashboard").await.set().contains(&"unproven".to_owned()));
        assert_eq!(owner.get(&format!("/vouch/{user}")).await.status, StatusCode::NO_CONTENT);
        let over = "SELECT count(*) FROM sessions WHERE device_key IS NOT NULL AND revoked_because = 'replaced'";
        assert_eq!(app.rows().number(over), i64::from(!of_another));
        app.advance(Duration::hours(2));
        assert_eq!(notices(&app), usize::from(of_another), "{of_another}");
    }
}

#[actix_web::test]
async fn what_the_owner_proves_says_nothing_of_a_thief() {
    let app = TestApp::start().await;
    let (owner, device, thief) = robbed(&app).await;
    app.advance(LATER);
    owner.get("/dashboard").await;
    // Copied once more, with the name of the browser.
    thief.restore(&owner);
    device.renew(&owner).await;
    thief.forget("access_token");
    thief.get("/dashboard").await;
    app.advance(Duration::hours(2));
    assert_eq!(notices(&app), 1);
}

#[actix_web::test]
async fn a_thief_who_comes_before_the_first_proof_is_found_out_as_ever() {
    let app = TestApp::start().await;
    let (owner, device) = (app.browser(), Device::new());
    let answer = owner.register().await;
    device.register(&owner, &answer).await;
    let thief = owner.clone();
    app.advance(LATER);
    assert!(thief.is_signed_in().await, "a key without a proof binds nothing");
    assert_eq!(device.renew(&owner).await.status, StatusCode::SERVICE_UNAVAILABLE);
    app.advance(LATER);
    assert!(owner.is_signed_in().await, "the predecessor goes on");
    assert!(!thief.is_signed_in().await, "and the copy is caught");
}
