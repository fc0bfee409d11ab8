//! Several cookies of one name, and cookies of what is over: none of them hides a good one, and none is taken away but by
//! its visitor's own sign-out.

use actix_web::http::StatusCode;
use time::Duration;

use crate::support::{Answer, Browser, EMAIL, PASSWORD, TestApp};

/// Longer than an access token lives.
const EXPIRED: Duration = Duration::minutes(15);

/// How a sign-in comes to its end.
#[derive(Debug, Clone, Copy)]
enum End {
    SignedOut,
    Revoked,
    Idle,
    Deleted,
    Replayed,
    UnknownKey,
}

const ENDS: [End; 6] = [End::SignedOut, End::Revoked, End::Idle, End::Deleted, End::Replayed, End::UnknownKey];

/// Signs somebody in, ends that, and returns the refresh cookie.
async fn dead(app: &TestApp, end: End) -> String {
    let browser = app.browser();
    browser.sign_in().await;
    let (cookie, session) = (browser.cookie("keep_signed_in"), browser.session());
    match end {
        End::SignedOut => drop(browser.sign_out().await),
        End::Revoked => app.rows().execute(&format!(
            "UPDATE sessions SET revoked_at = created_at, revoked_because = 'revoked' WHERE id = '{session}'"
        )),
        End::Idle => app.rows().execute(&format!("UPDATE sessions SET last_seen_at = 1 WHERE id = '{session}'")),
        End::Deleted => app.rows().execute(&format!("DELETE FROM sessions WHERE id = '{session}'")),
        End::Replayed => {
            let thief = browser.clone();
            for _ in 0..2 {
                app.advance(EXPIRED);
                browser.get("/dashboard").await;
            }
            thief.forget("access_token");
            assert!(!thief.is_signed_in().await);
        }
        End::UnknownKey => {
            let other = another_installation().await;
            return other.signed_in().await.cookie("keep_signed_in");
        }
    }
    app.catch_up();
    cookie
}

async fn another_installation() -> TestApp {
    TestApp::with(|arguments| arguments.jwt_secret_key = Some("the key of another installation".repeat(2))).await
}

/// Makes an account besides the first one, and signs it in.
async fn grace(app: &TestApp) -> Browser {
    let browser = app.browser();
    let fields =
        [("full_name", "Grace"), ("email", "grace@example.org"), ("password", PASSWORD), ("keep_signed_in", "on")];
    assert_eq!(browser.submit("/register", "/register", &fields).await.location(), "/dashboard");
    browser
}

/// Sends a `Cookie` header as it is.
async fn with_cookies(app: &TestApp, header: &str) -> Answer {
    app.browser().with_header("cookie", header).get("/dashboard").await
}

/// Returns the header with each refresh cookie in turn.
fn header(access: Option<&str>, refresh: &[&str]) -> String {
    let access = access.map(|access| format!("access_token={access}"));
    let refresh = refresh.iter().map(|refresh| format!("keep_signed_in={refresh}"));
    access.into_iter().chain(refresh).collect::<Vec<_>>().join("; ")
}

fn revoked(app: &TestApp) -> i64 {
    app.rows().number("SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL")
}

#[actix_web::test]
async fn a_late_answer_of_a_sign_in_that_is_over_does_not_wipe_the_next_one() {
    for end in ENDS {
        let app = TestApp::start().await;
        app.signed_in().await;
        let tabs = app.browser();
        tabs.put("keep_signed_in", &dead(&app, end).await);
        for path in ["/dashboard", "/login", "/nowhere", "/"] {
            // One tab asks; its answer takes its time, and the other tab signs in meanwhile.
            let late = tabs.get(path);
            tabs.sign_in().await;
            let held = ["access_token", "keep_signed_in"].map(|name| tabs.cookie(name));
            late.await;
            assert_eq!(["access_token", "keep_signed_in"].map(|name| tabs.cookie(name)), held, "{end:?} {path}");
            assert!(tabs.is_signed_in().await, "{end:?} {path}");
            tabs.forget("access_token");
            assert!(tabs.is_signed_in().await, "{end:?} {path}");
            tabs.put("keep_signed_in", &dead(&app, end).await);
            tabs.forget("access_token");
        }
    }
}

#[actix_web::test]
async fn a_dead_cookie_hides_no_good_one_wherever_it_stands() {
    for end in ENDS {
        let app = TestApp::start().await;
        let owner = app.signed_in().await;
        let dead = dead(&app, end).await;
        if matches!(end, End::Idle) {
            app.write_last_seen();
        }
        let (access, good) = (owner.cookie("access_token"), owner.cookie("keep_signed_in"));
        let ended = revoked(&app);
        for access in [Some(access.as_str()), None] {
            for refresh in [[&dead[..], &good[..]], [&good, &dead], [&dead, &dead]] {
                let answer = with_cookies(&app, &header(access, &refresh)).await;
                let what = format!("{end:?}, access token: {}, {refresh:?}", access.is_some());
                if refresh.contains(&&good[..]) {
                    assert_eq!(answer.status, StatusCode::OK, "{what}");
                } else if access.is_none() {
                    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{what}");
                }
                assert!(answer.cleared().is_empty(), "{what}");
            }
        }
        assert_eq!(revoked(&app), ended, "{end:?}");
        assert!(owner.is_signed_in().await, "{end:?}");
    }
}

#[actix_web::test]
async fn a_live_cookie_of_somebody_else_hides_no_sign_in_whose_access_token_comes_along() {
    let app = TestApp::start().await;
    let (owner, grace) = (app.signed_in().await, grace(&app).await);
    let (access, good, foreign) =
        (owner.cookie("access_token"), owner.cookie("keep_signed_in"), grace.cookie("keep_signed_in"));
    for refresh in [[&foreign[..], &good], [&good, &foreign]] {
        let page = with_cookies(&app, &header(Some(&access), &refresh)).await;
        assert!(page.says("Welcome, Ada Lovelace"), "{}", page.body());
        assert_eq!(page.cookies(), []);
        // Without an access token nobody can tell whose browser it is; but nothing is ended, and nothing taken away.
        let page = with_cookies(&app, &header(None, &refresh)).await;
        assert_eq!((page.status, page.cleared()), (StatusCode::OK, Vec::new()));
    }
    assert_eq!(revoked(&app), 0);
    assert!(owner.get("/dashboard").await.says("Welcome, Ada Lovelace"));
    assert!(grace.get("/dashboard").await.says("Welcome, Grace"));
}

#[actix_web::test]
async fn an_old_and_the_current_cookie_are_one_browser_and_no_theft() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let mut held = vec![browser.cookie("keep_signed_in")];
    for _ in 0..3 {
        app.advance(EXPIRED);
        browser.get("/dashboard").await;
        held.push(browser.cookie("keep_signed_in"));
    }
    app.advance(EXPIRED);
    let current = held.pop().unwrap();
    for old in &held {
        for refresh in [[&old[..], &current], [&current, old]] {
            assert_eq!(with_cookies(&app, &header(None, &refresh)).await.status, StatusCode::OK);
            // The first of them has renewed it, and its answer is lost.
            assert_eq!(revoked(&app), 0);
        }
    }
    let all: Vec<&str> = held.iter().map(String::as_str).chain([&current[..]]).collect();
    app.advance(EXPIRED);
    assert_eq!(with_cookies(&app, &header(None, &all)).await.status, StatusCode::OK);
    assert_eq!(app.rows().count_events("refresh_token_replayed"), 0);
    assert!(browser.is_signed_in().await);
    // Alone, an old one is what it always was.
    assert_eq!(with_cookies(&app, &header(None, &all[..2])).await.status, StatusCode::SEE_OTHER);
    assert_eq!(app.rows().count_events("refresh_token_replayed"), 1);
}

#[actix_web::test]
async fn a_replayed_cookie_beside_one_that_opens_ends_nothing() {
    let app = TestApp::start().await;
    let (owner, grace) = (app.signed_in().await, grace(&app).await);
    let old = owner.cookie("keep_signed_in");
    for _ in 0..2 {
        app.advance(EXPIRED);
        owner.get("/dashboard").await;
    }
    let foreign = grace.cookie("keep_signed_in");
    for refresh in [[&old[..], &foreign], [&foreign, &old]] {
        let page = with_cookies(&app, &header(None, &refresh)).await;
        assert!(page.says("Welcome, Grace"), "{}", page.body());
    }
    assert_eq!(revoked(&app), 0);
    assert_eq!(with_cookies(&app, &header(None, &[&old])).await.status, StatusCode::SEE_OTHER);
    assert_eq!(revoked(&app), 1, "alone it is a replay");
}

#[actix_web::test]
async fn a_sign_out_ends_every_sign_in_that_its_browser_holds() {
    let app = TestApp::start().await;
    let (owner, second, phone) = (app.signed_in().await, app.browser(), app.browser());
    second.sign_in().await;
    phone.sign_in().await;
    let dead = dead(&app, End::Revoked).await;
    let ended = revoked(&app);
    let both = [owner.cookie("keep_signed_in"), second.cookie("keep_signed_in")];
    for access in [Some(owner.cookie("access_token")), None] {
        let line = header(access.as_deref(), &[&dead, &both[0], &both[1]]);
        assert_eq!(with_cookies(&app, &line).await.status, StatusCode::OK);
        assert_eq!(revoked(&app), ended);
    }
    let browser = app.browser().with_header("cookie", header(None, &[&dead, &both[0], &both[1]]));
    let answer = browser.submit("/dashboard", "/logout", &[]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login"));
    assert_eq!(answer.cleared(), ["access_token", "keep_signed_in"]);
    assert!(!owner.is_signed_in().await && !second.is_signed_in().await);
    assert!(phone.is_signed_in().await);
    assert_eq!(revoked(&app), ended + 2);
}

#[actix_web::test]
async fn a_sign_in_ends_the_one_that_the_browser_held_besides_whoever_it_is_of() {
    for path in ["/login", "/register"] {
        for same_person in [true, false] {
            let app = TestApp::start().await;
            let owner = app.signed_in().await;
            let held = if same_person { owner } else { grace(&app).await };
            // So many cookies came before the good one that it was not asked.
            let mut planted = Vec::new();
            for _ in 0..5 {
                planted.push(dead(&app, End::SignedOut).await);
            }
            let good = held.cookie("keep_signed_in");
            let refresh: Vec<&str> = planted.iter().map(String::as_str).chain([&good[..]]).collect();
            let stranger = app.browser();
            let token = stranger.token(path, path).await;
            let line = format!("form={}; {}", stranger.cookie("form"), header(None, &refresh));
            let browser = app.browser().with_header("cookie", line);
            assert_eq!(browser.get("/dashboard").await.status, StatusCode::SEE_OTHER);
            assert!(held.is_signed_in().await, "nothing has ended so far");
            let email = if path == "/login" { EMAIL } else { "eve@example.org" };
            let fields =
                [("full_name", "Eve"), ("email", email), ("password", PASSWORD), ("form_token", token.as_str())];
            let answer = browser.post(path, &fields).await;
            assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/dashboard"), "{path}");
            assert!(!held.is_signed_in().await, "{path}, {same_person}: a jar holds one sign-in");
            assert_eq!(app.rows().number("SELECT count(*) FROM sessions WHERE revoked_because = 'replaced'"), 1);
            let events = app.rows().events_of("session_revoked");
            assert_eq!((events[0].detail("reason"), events[0].detail("session")), ("replaced".into(), held.session()));
            assert_eq!(events[0].user_id, Some(if same_person { 1 } else { 2 }), "it is told to whom it concerns");
        }
    }
}

#[actix_web::test]
async fn a_browser_that_goes_on_with_a_dead_cookie_asks_the_database_once_a_minute() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let dead = dead(&app, End::Revoked).await;
    assert_eq!(with_cookies(&app, &header(None, &[&dead])).await.status, StatusCode::SEE_OTHER);
    app.set_stopped(true);
    assert_eq!(with_cookies(&app, &header(None, &[&dead])).await.status, StatusCode::SEE_OTHER, "it is remembered");
    app.clock.advance(Duration::seconds(61));
    assert_eq!(with_cookies(&app, &header(None, &[&dead])).await.status, StatusCode::SERVICE_UNAVAILABLE);
    app.set_stopped(false);
    assert_eq!(with_cookies(&app, &header(None, &[&dead])).await.status, StatusCode::SEE_OTHER);
}
