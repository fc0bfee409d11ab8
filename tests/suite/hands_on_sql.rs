//! Somebody at a SQL prompt: whatever they do to a row is known on the way of every request, within a second.

use time::Duration;

use crate::support::{Browser, Rows, TestApp, on_postgres};

/// The columns of the two tables, in their order.
const SESSIONS: &str = "id, user_id, generation, token_hash, previous_hash, rotated_at, created_at, authenticated_at, \
                        last_seen_at, expires_at, kept, revoked_at, revoked_because, user_agent, address";
const USERS: &str = "id, email, full_name, password_hash, role, is_active, created_at, last_login_at";

/// Puts each row of a table in the place of itself with some columns changed, as people do who know one statement for it:
/// `REPLACE INTO`, or its like on a server.
fn replace(table: &str, columns: &str, changes: &[(&str, &str)]) -> String {
    let changed = |name: &str| changes.iter().find(|(column, _)| *column == name).map(|(_, value)| *value);
    let values: Vec<_> = columns.split(", ").map(|name| changed(name).unwrap_or(name)).collect();
    let select = format!("({columns}) SELECT {} FROM {table}", values.join(", "));
    if on_postgres() {
        let set: Vec<_> = changes.iter().map(|(name, _)| format!("{name} = EXCLUDED.{name}")).collect();
        format!("INSERT INTO {table} {select} ON CONFLICT (id) DO UPDATE SET {}", set.join(", "))
    } else {
        format!("REPLACE INTO {table} {select}")
    }
}

/// Runs statements at a prompt that minds what refers to what, or at one that does not, as `sqlite3` comes out of the box.
fn at_the_prompt(app: &TestApp, minds_references: bool, statements: &str) {
    let mut rows: Rows = app.rows();
    if !on_postgres() {
        rows.execute(if minds_references { "PRAGMA foreign_keys = ON" } else { "PRAGMA foreign_keys = OFF" });
    }
    rows.execute(statements);
}

/// Starts two processes that remember the access token of one browser.
async fn remembered_by_two() -> (TestApp, TestApp, Browser, Browser) {
    let app = TestApp::start().await;
    let other = app.another_process().await;
    let browser = app.signed_in().await;
    let mut elsewhere = browser.clone();
    elsewhere.connect(&other);
    for _ in 0..2 {
        assert!(browser.get("/dashboard").await.cookies().is_empty() && elsewhere.is_signed_in().await);
    }
    (app, other, browser, elsewhere)
}

#[actix_web::test]
async fn a_session_that_is_replaced_by_an_ended_one_is_over() {
    for minds_references in [false, true] {
        for changes in [&[("revoked_at", "1"), ("revoked_because", "'revoked'")][..], &[("expires_at", "1")]] {
            let (app, other, browser, elsewhere) = remembered_by_two().await;
            at_the_prompt(&app, minds_references, &replace("sessions", SESSIONS, changes));
            app.catch_up();
            other.catch_up();
            assert!(!browser.is_signed_in().await && !elsewhere.is_signed_in().await, "{changes:?}");
            let says = if changes.len() == 2 { "ended from another device" } else { "has expired" };
            assert!(browser.get("/login").await.says(says), "{changes:?}");
        }
    }
}

#[actix_web::test]
async fn a_user_who_is_replaced_by_a_deactivated_one_is_out() {
    let (app, other, browser, elsewhere) = remembered_by_two().await;
    at_the_prompt(&app, false, &replace("users", USERS, &[("is_active", "FALSE")]));
    app.catch_up();
    other.catch_up();
    assert!(!browser.is_signed_in().await && !elsewhere.is_signed_in().await);
    assert!(browser.get("/login").await.says("This account is deactivated"));
}

#[actix_web::test]
async fn a_user_who_is_replaced_by_one_of_another_name_is_called_by_it() {
    let (app, other, browser, elsewhere) = remembered_by_two().await;
    at_the_prompt(&app, false, &replace("users", USERS, &[("full_name", "'Augusta Ada King'")]));
    app.catch_up();
    other.catch_up();
    for browser in [browser, elsewhere] {
        assert!(browser.get("/dashboard").await.says("<h1>Welcome, Augusta Ada King</h1>"));
    }
}

#[actix_web::test]
async fn a_user_whose_address_goes_to_another_row_is_out() {
    // The row of another user takes the place of the one that has the address.
    let (app, other, browser, elsewhere) = remembered_by_two().await;
    let take_over = if on_postgres() {
        "DELETE FROM users".to_owned()
    } else {
        format!("REPLACE INTO users ({USERS}) SELECT {} FROM users", USERS.replacen("id", "id + 100", 1))
    };
    for minds_references in [false, true] {
        at_the_prompt(&app, minds_references, &take_over);
        app.catch_up();
        other.catch_up();
        assert!(!browser.is_signed_in().await && !elsewhere.is_signed_in().await);
    }
}

#[actix_web::test]
async fn an_address_that_is_taken_from_another_user_puts_that_one_out() {
    let (app, other, browser, elsewhere) = remembered_by_two().await;
    let grace = app.browser();
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", "three other words")];
    grace.submit("/register", "/register", &fields).await;
    let statement = if on_postgres() {
        "DELETE FROM users WHERE email = 'ada@example.org'; \
         UPDATE users SET email = 'ada@example.org' WHERE email = 'grace@example.org'"
    } else {
        "UPDATE OR REPLACE users SET email = 'ada@example.org' WHERE email = 'grace@example.org'"
    };
    at_the_prompt(&app, false, statement);
    app.catch_up();
    other.catch_up();
    assert!(!browser.is_signed_in().await && !elsewhere.is_signed_in().await);
    assert!(grace.get("/dashboard").await.says("ada@example.org"));
}

#[actix_web::test]
async fn a_row_that_is_deleted_and_put_in_again_is_looked_at_again() {
    let (app, other, browser, elsewhere) = remembered_by_two().await;
    app.rows().execute("CREATE TABLE copy AS SELECT * FROM sessions; DELETE FROM sessions");
    app.rows().execute("UPDATE copy SET revoked_at = 1, revoked_because = 'revoked'");
    app.rows().execute("INSERT INTO sessions SELECT * FROM copy");
    app.catch_up();
    other.catch_up();
    assert!(!browser.is_signed_in().await && !elsewhere.is_signed_in().await);
    app.rows().execute("UPDATE sessions SET revoked_at = NULL, revoked_because = NULL");
    // What is known to have ended is remembered for a minute at most.
    app.advance(Duration::seconds(61));
    assert!(browser.is_signed_in().await);
}
