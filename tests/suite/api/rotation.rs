//! A refresh token of the API follows the rules of the refresh cookie: one winner, no accident, no theft.

use actix_web::http::StatusCode;
use futures_util::future::join_all;
use time::Duration;

use crate::support::TestApp;
use crate::support::api::{ApiClient, read, refusal, refused};

async fn signed_in() -> (TestApp, ApiClient) {
    let app = TestApp::start().await;
    app.signed_in().await;
    let client = ApiClient::signed_in(&app).await;
    (app, client)
}

/// Returns how many mails told of a theft; others told of the program's first sign-in.
fn thefts_told(app: &TestApp) -> usize {
    app.mail().iter().filter(|mail| mail.subject.contains("two places")).count()
}

#[actix_web::test]
async fn a_refresh_token_is_exchanged_for_a_new_pair_and_soon_after_for_an_access_token_alone() {
    let (app, mut client) = signed_in().await;
    let first = client.clone();
    let answer = read(&client.exchange().await);
    assert!(answer["refresh_token"].is_null() && answer["message"].as_str().unwrap().contains("that you have"));
    assert_ne!(client.access, first.access);
    assert!(client.is_signed_in().await, "within the grace");

    app.advance(Duration::minutes(20));
    assert_eq!(refusal(&client.get("/api/protected").await), refused(401, "token-expired"));
    let answer = read(&client.exchange().await);
    assert_eq!(answer["expires_in"], 900);
    assert_eq!(answer["refresh_token"], client.refresh.as_str());
    assert_ne!(client.refresh, first.refresh);
    assert!(client.is_signed_in().await);
    assert_eq!(app.rows().number("SELECT max(generation) FROM sessions"), 1);
    assert_eq!(app.rows().count("sessions"), 2, "one row a sign-in");

    // A parallel request with the token that was just replaced.
    let mut parallel = first.clone();
    let answer = read(&parallel.exchange().await);
    assert!(answer["refresh_token"].is_null());
    assert!(parallel.is_signed_in().await);
}

#[actix_web::test]
async fn a_copy_that_is_used_after_the_owner_ends_the_sign_in_and_the_owner_is_told() {
    let (app, mut owner) = signed_in().await;
    let browser = app.browser();
    browser.sign_in().await;
    let mut thief = owner.clone();
    thief.address = "203.0.113.66:6666".parse().unwrap();
    for _ in 0..2 {
        app.advance(Duration::minutes(5));
        assert_eq!(owner.exchange().await.status, StatusCode::OK);
    }
    let answer = thief.exchange().await;
    assert_eq!(refusal(&answer), refused(401, "token-revoked"));
    assert_eq!(read(&answer)["reason"], "replayed");
    assert_eq!(read(&owner.exchange().await)["reason"], "replayed", "nobody knows which of the two is the owner");
    assert_eq!(read(&owner.get("/api/protected").await)["reason"], "replayed", "and no access token is left");
    let events = app.rows().events_of("refresh_token_replayed");
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].detail("address"), events[0].detail("other_address")),
        ("203.0.113.66".into(), "192.0.2.7".into())
    );
    assert_eq!(thefts_told(&app), 1);
    assert!(browser.get("/dashboard").await.says("Someone else may have used one of your sign-ins"));
}

#[actix_web::test]
async fn the_predecessor_goes_on_until_its_successor_was_used() {
    let (app, mut owner) = signed_in().await;
    app.advance(Duration::minutes(5));
    for round in 0..3 {
        // The answer is lost on the way each time.
        let lost = owner.clone().exchange().await;
        assert!(read(&lost)["refresh_token"].is_string(), "round {round}");
        app.advance(Duration::minutes(5));
    }
    assert_eq!(owner.exchange().await.status, StatusCode::OK, "nobody is signed out by lost answers");
    assert!(owner.is_signed_in().await);
    assert_eq!(app.rows().count_events("refresh_token_replayed"), 0);
}

#[actix_web::test]
async fn twenty_parallel_exchanges_of_one_token_have_one_winner_and_sign_nobody_out() {
    let (app, client) = signed_in().await;
    app.advance(Duration::minutes(20));
    let answers = join_all((0..20).map(|_| {
        let mut client = client.clone();
        async move {
            let answer = client.exchange().await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body());
            assert!(client.is_signed_in().await);
            client
        }
    }));
    let clients = answers.await;
    let winners: Vec<_> = clients.iter().filter(|after| after.refresh != client.refresh).collect();
    assert_eq!(winners.len(), 1);
    let generation = format!("SELECT generation FROM sessions WHERE id = '{}'", client.session());
    assert_eq!(app.rows().number(&generation), 1);
    let mut winner = winners[0].clone();
    app.advance(Duration::minutes(20));
    assert_eq!(winner.exchange().await.status, StatusCode::OK);
    assert_eq!(app.rows().count_events("refresh_token_replayed"), 0);
}

#[actix_web::test]
async fn eight_lost_answers_in_a_row_end_the_sign_in_quietly() {
    let (app, client) = signed_in().await;
    let mut last = None;
    for _ in 0..12 {
        app.advance(Duration::minutes(5));
        let answer = client.clone().exchange().await;
        if answer.status != StatusCode::OK {
            last = Some(answer);
            break;
        }
    }
    let answer = last.expect("a client that never uses what it gets goes on for ever");
    assert_eq!(refusal(&answer), refused(401, "token-revoked"));
    assert_eq!(read(&answer)["reason"], "renewals_lost");
    assert_eq!(thefts_told(&app), 0);
}

#[actix_web::test]
async fn an_exchange_that_cannot_be_written_costs_nothing() {
    let (app, mut client) = signed_in().await;
    app.advance(Duration::minutes(20));
    let before = client.clone();
    app.set_stopped(true);
    assert_eq!(refusal(&client.exchange().await), refused(503, "unavailable"));
    app.set_stopped(false);
    assert_eq!(client.refresh, before.refresh);
    assert_eq!(client.exchange().await.status, StatusCode::OK);
    assert_ne!(client.refresh, before.refresh);
}
