//! `perennial user unlock`: nobody is locked out for good where there is no mail.

use actix_web::http::StatusCode;

use crate::support::guesses::{fail, is_locked, stranger, try_to_sign_in};
use crate::support::server::{Finished, Launch};
use crate::support::{EMAIL, PASSWORD, TestApp};

fn unlock(app: &TestApp, user: &str) -> Finished {
    let launch = Launch::in_folder(&app.folder()).set("JWT_SECRET_KEY", app.keys());
    let launch = launch.set("DATABASE_URL", &app.database_url());
    launch.argument("user").argument("unlock").argument(user).finish()
}

#[actix_web::test]
async fn an_operator_unlocks_an_account_by_its_number_or_address() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    owner.sign_out().await;
    for (named, locks) in [("1", 1), (EMAIL, 2), (" ADA@example.org", 3)] {
        fail(&app, EMAIL, 5).await;
        for _ in 0..20 {
            assert_eq!(try_to_sign_in(&owner, EMAIL, "x").await.status, StatusCode::UNAUTHORIZED, "{named}");
        }
        is_locked(&app, EMAIL, PASSWORD).await;
        let finished = unlock(&app, named);
        assert_eq!(finished.code(), Some(0), "{finished:?}");
        assert_eq!(finished.stdout, "Unlocked ada@example.org: the next try to sign in is the first\n");
        let events = app.rows().events_of("account_unlocked");
        let by: Vec<_> = events.iter().map(|event| (event.user_id, event.detail("by"))).collect();
        assert_eq!(by, vec![(Some(1), "command line".to_owned()); locks]);
        assert_eq!(
            try_to_sign_in(&owner, EMAIL, "x").await.status,
            StatusCode::UNAUTHORIZED,
            "its device is new again"
        );
        fail(&app, EMAIL, 4).await;
        let strangers = try_to_sign_in(&stranger(&app, 1), EMAIL, PASSWORD).await;
        assert_eq!(strangers.status, StatusCode::SEE_OTHER, "and so is everybody");
        owner.sign_in().await;
        owner.sign_out().await;
    }
    let again = unlock(&app, EMAIL);
    assert_eq!(again.code(), Some(0), "{again:?}");
    assert!(again.stdout.starts_with("ada@example.org was not locked"), "{again:?}");
    assert_eq!(app.rows().count_events("account_unlocked"), 3, "nothing was done");
    for unknown in ["2", "eve@example.org", "ada", "-1"] {
        let finished = unlock(&app, unknown);
        assert_ne!(finished.code(), Some(0), "{finished:?}");
    }
    assert!(unlock(&app, "eve@example.org").complaint().contains("there is no user"));
}
