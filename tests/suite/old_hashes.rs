//! Hashes of other programs, of other costs and with older peppers: they verify, and the next sign-in replaces them.

use actix_web::http::StatusCode;

use crate::support::{EMAIL, PASSWORD, TestApp, blob};

/// Returns the stored hash without its salt and digest.
fn scheme(app: &TestApp) -> String {
    let stored = app.rows().text("SELECT password_hash FROM users");
    stored.rsplit_once('$').map(|(scheme, _)| scheme.to_owned()).unwrap_or_default()
}

async fn sign_in(app: &TestApp, password: &str) -> StatusCode {
    app.browser().submit("/login", "/login", &[("email", EMAIL), ("password", password)]).await.status
}

#[actix_web::test]
async fn a_plain_bcrypt_hash_of_any_version_and_cost_is_replaced_at_the_next_sign_in() {
    let app = TestApp::start().await;
    app.signed_in().await;
    for version in ["$2a$", "$2b$", "$2y$"] {
        for cost in [4, 6] {
            let plain = bcrypt::hash(PASSWORD, cost).unwrap().replacen("$2b$", version, 1);
            app.rows().execute(&format!("UPDATE users SET password_hash = '{plain}'"));
            assert_eq!(sign_in(&app, "three other words").await, StatusCode::UNAUTHORIZED, "{plain}");
            assert_eq!(app.rows().text("SELECT password_hash FROM users"), plain, "a wrong password replaces nothing");
            assert_eq!(sign_in(&app, PASSWORD).await, StatusCode::SEE_OTHER, "{plain}");
            assert_eq!(scheme(&app), "hmac-sha384:1:$2b$04", "{plain}");
            assert_eq!(sign_in(&app, PASSWORD).await, StatusCode::SEE_OTHER, "{plain}");
        }
    }
}

#[actix_web::test]
async fn a_hash_of_another_cost_is_replaced_at_the_next_sign_in() {
    let app = TestApp::start().await;
    app.signed_in().await;
    for cost in ["5", "4"] {
        let other = app.another_process_with(|arguments| arguments.bcrypt_cost = Some(cost.to_owned())).await;
        assert_eq!(sign_in(&other, PASSWORD).await, StatusCode::SEE_OTHER);
        assert_eq!(scheme(&app), format!("hmac-sha384:1:$2b$0{cost}"));
    }
}

#[actix_web::test]
async fn a_hash_of_an_older_pepper_is_replaced_at_the_next_sign_in() {
    let app = TestApp::start().await;
    app.signed_in().await;
    app.rows().execute(&format!("INSERT INTO peppers VALUES (2, {}, 0)", blob(&[7; 32])));
    let app = app.restart().await;
    assert_eq!(scheme(&app), "hmac-sha384:1:$2b$04");
    assert_eq!(sign_in(&app, "three other words").await, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&app, PASSWORD).await, StatusCode::SEE_OTHER);
    assert_eq!(scheme(&app), "hmac-sha384:2:$2b$04");
    assert_eq!(sign_in(&app, PASSWORD).await, StatusCode::SEE_OTHER);
}
