//! Live sign-ins, processes and mail that waits.

use actix_web::http::StatusCode;
use time::Duration;

use super::{act, register, two};
use crate::support::TestApp;

#[actix_web::test]
async fn every_live_sign_in_is_listed_and_can_be_ended() {
    // A line breaks behind the @.
    const ADA: &str = "ada@<wbr>example.org";
    const GRACE: &str = "grace@<wbr>example.org";
    let app = TestApp::start().await;
    let admin = app.signed_in().await;
    app.advance(Duration::seconds(1));
    let grace = register(&app, "Grace Hopper", "grace@example.org").await;
    let page = admin.get("/admin/sessions").await;
    for words in [ADA, GRACE, "This device", "Firefox on Linux", &grace.session()] {
        assert!(page.says(words), "{words}: {}", page.body());
    }
    assert!(page.body().find(GRACE) < page.body().find(ADA), "the newest first");
    let fields = [("session", grace.session())];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = admin.submit("/admin/sessions", "/admin/users/2/revoke", &fields).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/admin/users/2"));
    assert!(!grace.is_signed_in().await);
    assert!(!admin.get("/admin/sessions").await.says(GRACE));
    for odd in ["?before=x", "?before=%27", "?before="] {
        assert!(admin.get(&format!("/admin/sessions{odd}")).await.says(ADA), "{odd}");
    }
}

#[actix_web::test]
async fn many_sign_ins_are_paged_and_those_that_are_over_left_out() {
    let app = TestApp::start().await;
    let (admin, _) = two(&app).await;
    let last = app.rows().text("SELECT max(id) FROM sessions");
    app.rows().execute("CREATE TABLE pattern AS SELECT * FROM sessions WHERE user_id = 2");
    for number in 0..300 {
        // The oldest of all; two of three are over.
        let (at, because) = if number % 3 == 0 { ("NULL", "NULL") } else { ("1", "'revoked'") };
        app.rows().execute(&format!(
            "UPDATE pattern SET id = '01870000-0000-7000-8000-{number:012}', \
             revoked_at = {at}, revoked_because = {because}; \
             INSERT INTO sessions SELECT * FROM pattern"
        ));
    }
    let (mut path, mut found) = ("/admin/sessions".to_owned(), Vec::new());
    loop {
        let body = admin.get(&path).await.body();
        let ids = body.split("<dt>Sign-in</dt><dd><code>").skip(1);
        let ids: Vec<_> = ids.map(|rest| rest.split('<').next().unwrap().to_owned()).collect();
        assert!(ids.len() <= 50);
        found.extend(ids);
        let Some((before, _)) = body.split_once("\" rel=\"next\"") else { break };
        path = before.rsplit_once("href=\"").unwrap().1.to_owned();
    }
    assert_eq!(found.len(), 102);
    assert_eq!(found[0], last);
    assert!(found.is_sorted_by(|one, other| one > other), "{found:?}");
}

#[actix_web::test]
async fn processes_are_listed_with_their_versions_and_keys() {
    let app = TestApp::start().await;
    let (admin, _) = two(&app).await;
    let keys = format!("{},another key of 32 bytes; or some more", app.keys());
    let _other = app.another_process_with(|arguments| arguments.jwt_secret_key = Some(keys)).await;
    app.beat();
    let page = admin.get("/admin/nodes").await;
    let version = concat!("version ", env!("CARGO_PKG_VERSION"));
    assert_eq!(page.body().matches(version).count(), 2, "{}", page.body());
    assert!(page.says("<span class=\"badge\">signs</span>"), "{}", page.body());
    assert!(!page.says("another key of 32 bytes") && !page.says(app.keys()));
}

#[actix_web::test]
async fn mail_that_waits_is_listed_without_what_it_says() {
    let app = TestApp::start().await;
    let (admin, _) = two(&app).await;
    app.mail();
    assert!(admin.get("/admin/mails").await.says("No mail waits."));
    act(&admin, 2, "reset-link", &[]).await;
    app.rows().execute("UPDATE outbox SET leased_until = 99999999999");
    app.rows().execute(
        "INSERT INTO outbox (message_id, recipient, subject, created_at, expires_at, refused_at, refusal, text, html) \
         VALUES ('x', 'lost@example.org', 'A <b>subject</b>', 5, 99999999999, 6, '550 no such user', '', '')",
    );
    app.advance(Duration::minutes(1));
    let page = admin.get("/admin/mails").await;
    for words in ["lost@example.org", "A &#60;b&#62;subject", "550 no such user", "Refused"] {
        assert!(page.says(words), "{words}: {}", page.body());
    }
    assert!(!page.says("/password-reset/"), "{}", page.body());
}
