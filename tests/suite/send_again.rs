//! A form that is sent while the database is away: the page that says so carries it, and sends it again.

use std::cell::RefCell;
use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::web::{self, Html, ServiceConfig};
use perennial::{CurrentUser, FormToken, SubmittedForm, WebError};
use time::Duration;

use crate::support::kept::{PageForm, sign_in_after};
use crate::support::{Answer, EMAIL, PASSWORD, TestApp};

const AGAIN: &str = "/rescue/again";

/// Starts an application with a notebook of its own; returns it with what was written.
async fn notebook() -> (TestApp, Rc<RefCell<Vec<String>>>) {
    let notes = Rc::new(RefCell::new(Vec::new()));
    let written = Rc::clone(&notes);
    let routes = move |config: &mut ServiceConfig| {
        let page = |_: CurrentUser, token: FormToken| async move {
            Html::new(format!("<form action=\"/notes\"><input name=\"form_token\" value=\"{token}\"></form>"))
        };
        let written = Rc::clone(&written);
        let write = move |user: CurrentUser, form: SubmittedForm| {
            let written = Rc::clone(&written);
            async move {
                user.confirm().await?;
                written.borrow_mut().push(format!("{} {}", form.get("note"), form.get("password")));
                Ok::<_, WebError>("written")
            }
        };
        config.service(web::resource("/notes").route(web::get().to(page)).route(web::post().to(write)));
    };
    (TestApp::embedded(|_| {}, routes).await, notes)
}

/// Finds the form in the page of an outage.
fn carried(answer: &Answer) -> PageForm {
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "5"), "{answer:?}");
    assert!(answer.cookies().is_empty(), "every cookie is left alone");
    let form = PageForm::with_button(&answer.body(), "Send it again");
    form.unwrap_or_else(|| panic!("nothing is carried: {}", answer.body()))
}

#[actix_web::test]
async fn a_form_outlives_one_outage_after_another() {
    for access_token_expired in [false, true] {
        let (app, notes) = notebook().await;
        let browser = app.signed_in().await;
        let token = browser.token("/notes", "/notes").await;
        if access_token_expired {
            app.advance(Duration::minutes(16));
        }
        app.set_stopped(true);
        let note = "a <note> & \"more\"\r\nof it";
        let answer = browser.post("/notes?page=2", &[("note", note), ("form_token", &token)]).await;
        let mut form = carried(&answer);
        assert_eq!(form.action, AGAIN);
        assert!(!answer.says("more"), "it is sealed");
        for _ in 0..3 {
            form = carried(&form.send(&browser, &[]).await);
        }
        app.set_stopped(false);
        assert_eq!(form.send(&browser, &[]).await.body(), "written", "{access_token_expired}");
        assert_eq!(*notes.borrow(), [format!("{note} ")], "{access_token_expired}");
    }
}

#[actix_web::test]
async fn passwords_are_never_carried_and_are_typed_again() {
    let (app, notes) = notebook().await;
    let browser = app.signed_in().await;
    let token = browser.token("/notes", "/notes").await;
    app.set_stopped(true);
    let fields = [("password", "secret words"), ("note", "hello"), ("form_token", token.as_str())];
    let answer = browser.post("/notes", &fields).await;
    let form = carried(&answer);
    assert!(!answer.says("secret words") && answer.says("Passwords are never kept"));
    assert_eq!(form.passwords, ["password"]);
    let form = carried(&form.send(&browser, &[("password", "typed in vain")]).await);
    assert_eq!(form.passwords, ["password"]);
    app.set_stopped(false);
    assert_eq!(form.send(&browser, &[("password", "typed again")]).await.status, StatusCode::OK);
    assert_eq!(*notes.borrow(), ["hello typed again"]);
}

#[actix_web::test]
async fn whoever_signs_in_during_an_outage_types_the_password_alone() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let browser = app.browser();
    let token = browser.token("/login?next=%2Fdevices", "/login").await;
    app.set_stopped(true);
    let fields = [
        ("email", EMAIL),
        ("password", PASSWORD),
        ("keep_signed_in", "on"),
        ("next", "/devices"),
        ("form_token", token.as_str()),
    ];
    let answer = browser.post("/login", &fields).await;
    assert!(!answer.says("still signed in"), "they never were: {}", answer.body());
    let form = carried(&answer);
    app.set_stopped(false);
    let wrong = form.send(&browser, &[("password", "wrong")]).await;
    assert!(wrong.says("Invalid email or password.") && wrong.says("value=\"ada@example.org\""));
    let signed_in = form.send(&browser, &[("password", PASSWORD)]).await;
    assert_eq!((signed_in.status, signed_in.location()), (StatusCode::SEE_OTHER, "/devices"));
    assert!(browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_form_is_carried_for_its_own_sign_in_alone() {
    let (app, notes) = notebook().await;
    let browser = app.signed_in().await;
    let token = browser.token("/notes", "/notes").await;
    let other = app.browser();
    other.sign_in().await;
    let foreign = other.token("/notes", "/notes").await;
    // So that nobody can say who it is.
    app.advance(Duration::minutes(16));
    app.set_stopped(true);
    for token in ["", "x", foreign.as_str()] {
        let answer = browser.post("/notes", &[("note", "x"), ("form_token", token)]).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!answer.says("Send it again"), "{token}");
    }
    let form = carried(&browser.post("/notes", &[("note", "x"), ("form_token", &token)]).await);
    app.set_stopped(false);
    let sealed = form.get("sealed_form").unwrap().to_owned();
    let flipped = format!("{}{}", if sealed.starts_with('A') { 'B' } else { 'A' }, &sealed[1..]);
    let attempts = [
        (&browser, sealed.as_str(), "", "without a token"),
        (&browser, sealed.as_str(), foreign.as_str(), "with another's token"),
        (&other, sealed.as_str(), foreign.as_str(), "by another sign-in"),
        (&other, sealed.as_str(), token.as_str(), "by another sign-in, with the token"),
        (&browser, flipped.as_str(), token.as_str(), "changed"),
        (&browser, &sealed[..sealed.len() - 1], token.as_str(), "cut"),
        (&browser, "", token.as_str(), "empty"),
    ];
    for (sender, sealed, token, what) in attempts {
        let answer = sender.post(AGAIN, &[("sealed_form", sealed), ("form_token", token)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}");
        assert!(answer.says("This form is no longer valid"), "{what}");
    }
    for kind in ["multipart/form-data; boundary=x", "text/plain"] {
        let body = format!("sealed_form={sealed}&form_token={token}");
        assert_eq!(browser.post_body(AGAIN, kind, body).await.status, StatusCode::FORBIDDEN, "{kind}");
    }
    let planted = browser.with_header("sec-fetch-site", "cross-site");
    assert_eq!(form.send(&planted, &[]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.get(AGAIN).await.status, StatusCode::METHOD_NOT_ALLOWED);
    let huge = browser.post(AGAIN, &[("sealed_form", &"A".repeat(200 * 1024)), ("form_token", &token)]).await;
    assert_eq!(huge.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(notes.borrow().is_empty());
    app.advance(Duration::days(1) + Duration::SECOND);
    assert_eq!(form.send(&browser, &[]).await.status, StatusCode::FORBIDDEN, "after a day");
}

#[actix_web::test]
async fn a_form_whose_sign_in_ends_during_the_outage_is_kept_after_it() {
    let (app, notes) = notebook().await;
    let browser = app.signed_in().await;
    let token = browser.token("/notes", "/notes").await;
    app.set_stopped(true);
    let form = carried(&browser.post("/notes", &[("note", "late"), ("form_token", &token)]).await);
    app.set_stopped(false);
    app.rows().execute("UPDATE sessions SET revoked_at = created_at, revoked_because = 'password_changed'");
    app.catch_up();
    let page = sign_in_after(&browser, &form.send(&browser, &[]).await).await;
    let form = PageForm::with_button(&page.body(), "Send it now").unwrap();
    app.set_stopped(true);
    let form = carried(&form.send(&browser, &[]).await);
    app.set_stopped(false);
    assert_eq!(form.send(&browser, &[]).await.body(), "written");
    assert_eq!(*notes.borrow(), ["late "]);
}

#[actix_web::test]
async fn a_form_that_cannot_be_kept_because_the_database_goes_away_is_carried() {
    let (app, notes) = notebook().await;
    let browser = app.signed_in().await;
    let token = browser.token("/notes", "/notes").await;
    app.rows().execute("UPDATE sessions SET revoked_at = created_at, revoked_because = 'password_changed'");
    app.catch_up();
    // Its end is remembered, so nobody has to ask for it.
    assert!(!browser.is_signed_in().await);
    app.set_stopped(true);
    let form = carried(&browser.post("/notes", &[("note", "late"), ("form_token", &token)]).await);
    app.set_stopped(false);
    let page = sign_in_after(&browser, &form.send(&browser, &[]).await).await;
    assert!(PageForm::with_button(&page.body(), "Send it now").is_some() && notes.borrow().is_empty());
}
