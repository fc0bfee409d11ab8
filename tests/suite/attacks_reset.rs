//! Attacks on the way of a forgotten password.

use std::time::Duration as StdDuration;

use actix_web::http::StatusCode;
use sha2::{Digest, Sha256};
use time::Duration;

use crate::support::client::{ACCESS, Client};
use crate::support::patience::Stopwatch;
use crate::support::reset::{ASK, DEAD, NEW, NEW_PASSWORD, ask, fresh_link, mailed_link, open, opens, set_password};
use crate::support::server::{Launch, empty_folder};
use crate::support::{Answer, EMAIL, PASSWORD, TestApp, blob, hex};

/// Returns everything of an answer that somebody can read but the names of their own browser.
fn seen(answer: &Answer) -> (StatusCode, Vec<(String, String)>, String) {
    let answer = answer.without_name();
    let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let mut headers: Vec<_> = headers.filter(|(name, _)| name != "set-cookie").collect();
    headers.sort();
    let body = answer.body();
    let mut parts = body.split("name=\"form_token\" value=\"");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once('"').unwrap().1);
    (answer.status, headers, rest.fold(first, |page, part| page + part))
}

#[actix_web::test]
async fn nobody_learns_from_an_answer_whether_an_address_has_an_account() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let grace = app.browser();
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", PASSWORD)];
    grace.submit("/register", "/register", &fields).await;
    app.rows().execute("UPDATE users SET is_active = FALSE WHERE id = 2");
    let visitor = app.browser();
    let mut answers = Vec::new();
    for email in [EMAIL, "nobody@example.org", "grace@example.org", "nobody@example.com"] {
        let token = visitor.token(ASK, ASK).await;
        let stopwatch = Stopwatch::start();
        let answer = visitor.post(ASK, &[("email", email), ("form_token", &token)]).await;
        let took = stopwatch.elapsed();
        assert!(took >= StdDuration::from_millis(250), "{email} was answered after {took:?}, when it was done");
        assert_eq!(answer.cookies(), vec![], "{email}");
        answers.push((seen(&answer), seen(&visitor.get("/password-reset/check-mail").await)));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let mails: Vec<_> = app.mail().into_iter().map(|mail| mail.to.to_string()).collect();
    assert_eq!(mails, [EMAIL], "only who has an active account gets a mail");
    let asked = app.rows().events_of("password_reset_requested");
    let said: Vec<_> = asked.iter().map(|event| (event.user_id, event.detail("reason"))).collect();
    let [unknown, inactive] = ["unknown_account", "deactivated"].map(str::to_owned);
    assert_eq!(said, [(Some(1), String::new()), (None, unknown.clone()), (Some(2), inactive), (None, unknown)]);
}

#[actix_web::test]
async fn what_is_no_address_is_told_and_sends_nothing() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let form = "Enter an email address in the form name@example.com";
    for (email, words) in
        [("", "Enter your email address"), ("ada", form), ("ada@example.org\r\nBcc: x@example.com", form)]
    {
        let answer = app.browser().submit(ASK, ASK, &[("email", email)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{email:?}");
        assert!(answer.says(&format!("<li><a href=\"#email\">{words}</a></li>")), "{}", answer.body());
    }
    assert_eq!((app.mail().len(), app.rows().count("auth_tokens")), (0, 0));
}

#[actix_web::test]
async fn five_mails_an_hour_and_the_last_link_goes_on_working() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let mut links = Vec::new();
    for _ in 0..5 {
        links.push(fresh_link(&app, EMAIL).await);
    }
    let sixth = ask(&app.browser(), EMAIL).await;
    assert_eq!(seen(&sixth), seen(&ask(&app.browser(), "nobody@example.org").await));
    assert_eq!((app.mail().len(), mailed_link(&app)), (5, links[4].clone()));
    let visitor = app.browser();
    open(&visitor, &links[4]).await;
    assert_eq!(set_password(&visitor, NEW_PASSWORD).await.status, StatusCode::SEE_OTHER);
    let told = app.mail();
    assert_eq!(told[5].subject, "Your password was changed", "the owner is told, whatever strangers have caused");
}

#[actix_web::test]
async fn a_link_leads_to_the_public_url_whatever_host_a_request_names() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let mut stranger = app.browser();
    for header in ["host", "x-forwarded-host", "x-original-host", "x-host"] {
        stranger = stranger.with_header(header, "evil.example");
    }
    let stranger = stranger.with_header("forwarded", "host=evil.example;proto=https");
    let stranger = stranger.with_header("x-forwarded-proto", "https");
    ask(&stranger, EMAIL).await;
    let [mail] = app.mail().try_into().unwrap();
    assert!(!mail.text.contains("evil") && !mail.html.contains("evil"), "{}", mail.text);
    let link = mailed_link(&app);
    assert!(mail.html.contains(&format!("href=\"http://localhost:8080{link}\"")), "{}", mail.html);
    assert_eq!(stranger.get(&link).await.location(), NEW);
}

#[actix_web::test]
async fn a_mail_holds_nothing_that_a_registrant_or_a_stranger_wrote() {
    let app = TestApp::start().await;
    let mut registrant = app.browser();
    registrant.user_agent = "Firefox/140.0 (call +1 555 0100) http://evil.example".to_owned();
    let fields = [("full_name", "Win at http://evil.example"), ("email", "victim@example.com"), ("password", PASSWORD)];
    registrant.submit("/register", "/register", &fields).await;
    ask(&registrant, "victim@example.com").await;
    open(&registrant, &mailed_link(&app)).await;
    set_password(&registrant, NEW_PASSWORD).await;
    let mails = app.mail();
    assert_eq!(mails.len(), 2);
    for mail in &mails {
        let said = format!("{}{}{}", mail.subject, mail.text, mail.html);
        assert!(!["evil", "555", "Firefox", "Win"].iter().any(|word| said.contains(word)), "{said}");
    }
}

#[actix_web::test]
async fn every_link_that_does_not_work_is_answered_alike() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let link = fresh_link(&app, EMAIL).await;
    let good = link.rsplit('/').next().unwrap().to_owned();
    let visitor = app.browser();
    let token = visitor.token(ASK, ASK).await;
    let garbled = visitor.get("/password-reset/garbled").await;
    assert!(garbled.says(DEAD) && garbled.cookies().is_empty(), "{}", garbled.body());
    let expected = seen(&garbled);
    assert_eq!(expected.0, StatusCode::GONE);

    let unknown = "A".repeat(43);
    let long = "A".repeat(4000);
    for text in [&good[1..], &good[..42], &format!("{good}A"), "%00", "%ff%fe", "..%2f", "%22%3e%3cscript%3e", &long] {
        let answer = visitor.get(&format!("/password-reset/{text}")).await;
        assert_eq!((seen(&answer), answer.cookies()), (expected.clone(), vec![]), "{text}");
    }
    let mut tried = vec![("an unknown one", unknown, "SELECT 1".to_owned(), "SELECT 1".to_owned())];
    let mut spoiled = |name, spoil: &str, mend: &str| tried.push((name, good.clone(), spoil.into(), mend.into()));
    spoiled(
        "another kind",
        "UPDATE auth_tokens SET token_type = 'email_verification'",
        "UPDATE auth_tokens SET token_type = 'password_reset'",
    );
    spoiled("used", "UPDATE auth_tokens SET used_at = 1", "UPDATE auth_tokens SET used_at = NULL");
    spoiled("deactivated", "UPDATE users SET is_active = FALSE", "UPDATE users SET is_active = TRUE");
    spoiled(
        "another address",
        "UPDATE users SET email = 'new@example.org'",
        "UPDATE users SET email = 'ada@example.org'",
    );
    spoiled(
        "a clock that was ahead",
        "UPDATE auth_tokens SET expires_at = expires_at + 86400",
        "UPDATE auth_tokens SET expires_at = expires_at - 86400",
    );
    for (name, token_of_link, spoil, mend) in tried {
        app.rows().execute(&spoil);
        assert_eq!(visitor.get(&format!("/password-reset/{token_of_link}")).await.location(), NEW, "{name}");
        assert_eq!(seen(&visitor.get(NEW).await), expected, "{name}");
        let sent = visitor.post(NEW, &[("password", NEW_PASSWORD), ("form_token", &token)]).await;
        assert_eq!(seen(&sent), expected, "{name}");
        app.rows().execute(&mend);
    }
    assert!(opens(&app, EMAIL, PASSWORD).await);
    assert_eq!(app.browser().get(NEW).await.status, StatusCode::GONE, "without a link");
    visitor.get(&link).await;
    assert_eq!(visitor.get(NEW).await.status, StatusCode::OK, "the link was good all the while");
}

#[actix_web::test]
async fn no_other_token_stands_for_that_of_a_link() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    let link = fresh_link(&app, EMAIL).await;
    let token = link.rsplit('/').next().unwrap();
    let stored = app.rows().text(&format!("SELECT {} FROM auth_tokens", hex("token_hash")));
    let visitor = app.browser();
    for other in [owner.cookie("access_token"), owner.cookie("keep_signed_in"), stored, token.to_lowercase()] {
        visitor.put("password_reset", &other);
        assert_eq!(visitor.get(NEW).await.status, StatusCode::GONE, "{other}");
    }
    for name in ["access_token", "keep_signed_in"] {
        visitor.put(name, token);
        assert!(!visitor.is_signed_in().await);
        visitor.forget(name);
    }
    let verification = blob(&Sha256::digest([7; 32]));
    app.rows()
        .execute(&format!("UPDATE auth_tokens SET token_hash = {verification}, token_type = 'email_verification'"));
    visitor.put("password_reset", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc");
    assert_eq!(visitor.get(NEW).await.status, StatusCode::GONE);
    app.rows().execute("UPDATE auth_tokens SET token_type = 'password_reset'");
    assert_eq!(visitor.get(NEW).await.status, StatusCode::OK, "it was the type alone");
}

#[actix_web::test]
async fn a_planted_cookie_hides_no_good_one_and_a_look_alike_is_none() {
    let app = TestApp::with(|arguments| arguments.public_url = Some("https://localhost:8443".to_owned())).await;
    app.signed_in().await;
    ask(&app.browser(), EMAIL).await;
    let link = mailed_link(&app);
    let token = link.rsplit('/').next().unwrap();
    let opened = app.browser().get(&link).await;
    let [cookie] = opened.cookies().try_into().unwrap();
    assert_eq!((cookie.name.as_str(), cookie.value.as_str()), ("__Host-password_reset", token));
    assert_eq!(cookie.attributes, ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]);
    for name in ["password_reset", "%5F_Host-password_reset", "__host-password_reset", "\u{2003}__Host-password_reset"]
    {
        let planted = app.browser().with_header("cookie", format!("{name}={token}"));
        assert_eq!(planted.get(NEW).await.status, StatusCode::GONE, "{name}");
    }
    let planted = format!("__Host-password_reset={}; ", "A".repeat(43)).repeat(3);
    let header = [planted.as_bytes(), b"__Host-password_reset=\xff; x=\xff; __Host-password_reset=", token.as_bytes()];
    let both = app.browser().with_header("cookie", header.concat());
    assert_eq!(both.get(NEW).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_form_from_elsewhere_resets_nothing() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let visitor = app.browser();
    open(&visitor, &fresh_link(&app, EMAIL).await).await;
    let (token, other) = (visitor.token(NEW, NEW).await, app.browser().token(ASK, ASK).await);
    for (name, value) in [("origin", "null"), ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let forged = visitor.with_header(name, value);
        for (path, field) in [(NEW, ("password", NEW_PASSWORD)), (ASK, ("email", EMAIL))] {
            let answer = forged.post(path, &[field, ("form_token", &token)]).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {name}: {value}");
        }
    }
    for token in ["", "x", &other] {
        let answer = visitor.post(NEW, &[("password", NEW_PASSWORD), ("form_token", token)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{token}");
    }
    assert_eq!((app.mail().len(), app.rows().count_events("password_reset")), (1, 0));
    assert!(opens(&app, EMAIL, PASSWORD).await);
    let fields = [("user_id", "2"), ("id", "2"), ("token", "x"), ("is_active", "false"), ("form_token", &token)];
    let grace = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", PASSWORD)];
    app.browser().submit("/register", "/register", &grace).await;
    visitor.post(NEW, &[&fields[..], &[("password", NEW_PASSWORD)]].concat()).await;
    assert!(opens(&app, "grace@example.org", PASSWORD).await && opens(&app, EMAIL, NEW_PASSWORD).await);
}

#[actix_web::test]
async fn a_link_that_is_opened_in_another_tab_sets_no_password_but_that_of_its_own_form() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let grace = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", PASSWORD)];
    app.browser().submit("/register", "/register", &grace).await;
    let victim = app.browser();
    let form = open(&victim, &fresh_link(&app, EMAIL).await).await;
    assert!(form.says("<input type=\"email\" name=\"email\" value=\"ada@example.org\""), "{}", form.body());
    let token = victim.token(NEW, NEW).await;
    victim.get(&fresh_link(&app, "grace@example.org").await).await;
    let fields = [("email", EMAIL), ("password", NEW_PASSWORD), ("form_token", &token)];
    let sent = victim.post(NEW, &fields).await;
    assert_eq!((sent.status, sent.says(DEAD)), (StatusCode::GONE, true));
    for email in [EMAIL, "grace@example.org"] {
        assert!(opens(&app, email, PASSWORD).await && !opens(&app, email, NEW_PASSWORD).await, "{email}");
    }
}

#[actix_web::test]
async fn a_sign_in_that_was_under_way_does_not_outlive_the_reset() {
    let app = TestApp::start().await;
    let thief = app.signed_in().await;
    let copy = thief.clone();
    let visitor = app.browser();
    open(&visitor, &fresh_link(&app, EMAIL).await).await;
    let token = thief.token("/devices", "/logout").await;
    let theirs = visitor.clone();
    // The form of the thief arrives bit by bit, and its sender is thrown out meanwhile.
    let answer = thief
        .post_while("/devices/others/revoke", &[("form_token", &token)], async move {
            set_password(&theirs, NEW_PASSWORD).await;
        })
        .await;
    assert!(answer.location().starts_with("/login"), "{answer:?}");
    app.advance(Duration::minutes(16));
    assert!(!copy.is_signed_in().await && !thief.is_signed_in().await);
    assert_eq!(app.rows().number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"), 0);
}

#[test]
fn no_log_holds_the_token_of_a_link() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).set("DEBUG_AUTH", "true").set("LOG_REQUESTS", "true").start();
    let mut owner = Client::of(&server);
    owner.register("ada");
    let words = ["user", "reset-link", "1"];
    let made = words.iter().fold(Launch::in_folder(folder.path()), |launch, word| launch.argument(word)).finish();
    let (_, path) = made.stdout.trim_end().split_once("/password-reset/").unwrap();
    let path = format!("/password-reset/{path}");
    // With and without a remembered access token, and with none.
    owner.get(&path).unwrap();
    owner.jar.remove(ACCESS);
    owner.get(&path).unwrap();
    let mut visitor = Client::of(&server);
    visitor.get(&path).unwrap();
    visitor.submit(NEW, NEW, &[("password", NEW_PASSWORD)]);
    let finished = server.stop();
    let log = format!("{}{}", finished.stdout, finished.stderr);
    assert!(log.matches("/password-reset/…").count() >= 5, "{log}");
    assert!(log.contains("a password was set by a mailed link"), "{log}");
    for secret in [path.rsplit('/').next().unwrap(), NEW_PASSWORD] {
        assert!(!log.contains(secret), "{log}");
    }
}
