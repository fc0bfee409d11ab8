//! Requests by the thousand: what a process remembers is bounded, and what did not happen is announced to nobody.

use actix_web::http::StatusCode;
use perennial::store::Database;
use perennial::store::changes::{Change, Follower, News};

use crate::support::patience::until;
use crate::support::{Browser, TestApp};

/// Changes that a follower tells one by one at most.
const TOLD_AT_MOST: usize = 65_536;

/// Has every process on the database told of so many changes of sessions that are not there.
fn write_changes(app: &TestApp, count: usize) {
    app.rows().execute(&format!(
        "INSERT INTO changes (subject, subject_id, changed_at) \
         WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {count}) \
         SELECT 'user', 1000000 + number, 1 FROM numbers"
    ));
}

async fn revoke(browser: &Browser, token: &str, id: &str) -> StatusCode {
    browser.post(&format!("/devices/{id}/revoke"), &[("form_token", token)]).await.status
}

#[actix_web::test]
async fn what_did_not_end_is_announced_to_nobody() {
    let app = TestApp::start().await;
    let desk = app.signed_in().await;
    let own = app.rows().text("SELECT id FROM sessions");
    let phone = app.browser();
    phone.sign_in().await;
    let phones = app.rows().text(&format!("SELECT id FROM sessions WHERE id <> '{own}'"));
    let mallory = app.browser();
    let fields = [("full_name", "Mallory"), ("email", "mallory@example.org"), ("password", "quite another password")];
    assert_eq!(mallory.submit("/register", "/register", &fields).await.status, StatusCode::SEE_OTHER);
    app.catch_up();
    let (desks, mallorys) = (desk.token("/devices", "/logout").await, mallory.token("/devices", "/logout").await);
    let announced = || (app.known_changes(), app.rows().number("SELECT count(*) FROM changes"));
    let before = announced();
    for number in 0..200 {
        let random = uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number).simple().to_string();
        for id in [&random, &phones, &own, "AAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(revoke(&mallory, &mallorys, id).await, StatusCode::NOT_FOUND, "{id}");
        }
    }
    app.catch_up();
    assert_eq!(announced(), before, "nothing ended");
    assert_eq!(revoke(&desk, &desks, &phones).await, StatusCode::SEE_OTHER);
    let once = announced();
    assert_eq!(once, (before.0 + 1, before.1 + 1), "one sign-in ended");
    for _ in 0..20 {
        assert_eq!(revoke(&desk, &desks, &phones).await, StatusCode::SEE_OTHER, "it has ended already");
    }
    app.catch_up();
    assert_eq!(announced(), once);
    assert!(desk.is_signed_in().await && mallory.is_signed_in().await && !phone.is_signed_in().await);
}

#[actix_web::test]
async fn more_changes_than_a_process_remembers_outdate_everything_and_lose_nothing() {
    let app = TestApp::start().await;
    let (desk, phone) = (app.signed_in().await, app.browser());
    phone.sign_in().await;
    let id = phone.session();
    assert!(phone.is_signed_in().await, "from memory");
    // A hand on SQL, one row of it about somebody who is here.
    app.rows().execute(&format!("UPDATE sessions SET revoked_at = 1, revoked_because = 'revoked' WHERE id = '{id}'"));
    write_changes(&app, 2 * TOLD_AT_MOST);
    app.catch_up();
    assert!(app.known_changes() <= TOLD_AT_MOST, "{}", app.known_changes());
    assert!(!phone.is_signed_in().await);
    assert!(desk.is_signed_in().await);
}

#[actix_web::test]
async fn a_follower_tells_a_bounded_number_of_changes_and_goes_on_behind_them() {
    let app = TestApp::start().await;
    let database = Database::open(&app.database_url().parse().unwrap()).unwrap().0;
    let mut follower = Follower::start(&database).unwrap();
    // On a server, the transactions of other tests hold back what is over, and that is read again.
    let quiet = |follower: &mut Follower| {
        until("nothing to tell", || (follower.catch_up().unwrap() == News::Changes(Vec::new())).then_some(()));
    };
    quiet(&mut follower);
    write_changes(&app, TOLD_AT_MOST - 10);
    let News::Changes(told) = follower.catch_up().unwrap() else { panic!("so many are told one by one") };
    assert_eq!(told.len(), TOLD_AT_MOST - 10);
    quiet(&mut follower);
    write_changes(&app, TOLD_AT_MOST + 1);
    assert_eq!(follower.catch_up().unwrap(), News::Anything);
    quiet(&mut follower);
    write_changes(&app, 1);
    assert_eq!(follower.catch_up().unwrap(), News::Changes(vec![Change::User(perennial::UserId(1_000_001))]));
}
