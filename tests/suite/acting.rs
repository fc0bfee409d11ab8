//! Who acts is asked twice: the body of a form takes its time, and its sender may have been thrown out meanwhile.

use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::Duration as StdDuration;

use actix_web::http::StatusCode;
use actix_web::web;
use perennial::{CurrentUser, SubmittedForm, WebError};
use time::Duration;

use crate::support::client::{Client, PASSWORD};
use crate::support::patience::{let_pass, until};
use crate::support::server::{Launch, empty_folder};
use crate::support::{Answer, Browser, Rows, TestApp, on_postgres};

/// Longer than an access token lives.
const EXPIRED: Duration = Duration::minutes(15);

/// How a sender is thrown out while the form is under way.
#[derive(Debug, Clone, Copy)]
enum ThrownOut {
    /// From another device, by the process that reads the form.
    Here,
    /// From another device, by another process; what it did has not been heard of here.
    Elsewhere,
    /// By a hand on SQL.
    ByHand,
    /// With the row of the sign-in deleted.
    Deleted,
    /// With the account deactivated.
    Deactivated,
}

use ThrownOut::{ByHand, Deactivated, Deleted, Elsewhere, Here};

/// Throws the sender out whose sign-in is `session`; `owner` is somebody who may.
async fn throw_out(how: ThrownOut, owner: Browser, mut rows: Rows, session: String) {
    match how {
        Here | Elsewhere => {
            let token = owner.token("/devices", "/logout").await;
            let answer = owner.post(&format!("/devices/{session}/revoke"), &[("form_token", &token)]).await;
            assert_eq!(answer.location(), "/devices");
        }
        ByHand => rows.execute(&format!(
            "UPDATE sessions SET revoked_at = 1, revoked_because = 'revoked' WHERE id = '{session}'"
        )),
        Deleted => rows.execute(&format!("DELETE FROM sessions WHERE id = '{session}'")),
        Deactivated => rows.execute("UPDATE users SET is_active = FALSE"),
    }
}

/// An owner at two devices, and somebody at a third who sends a form.
struct Household {
    app: TestApp,
    owner: Browser,
    phone: Browser,
    sender: Browser,
}

impl Household {
    async fn at_home() -> Self {
        let app = TestApp::start().await;
        let (owner, phone, sender) = (app.signed_in().await, app.browser(), app.browser());
        phone.sign_in().await;
        sender.sign_in().await;
        assert!(sender.is_signed_in().await);
        Self { app, owner, phone, sender }
    }

    /// Sends a form to `path`, and throws its sender out before it has arrived.
    async fn send(&self, path: &str, how: ThrownOut) -> Answer {
        let token = self.sender.token("/devices", "/logout").await;
        let mut owner = self.owner.clone();
        let other = self.app.another_process().await;
        if matches!(how, Elsewhere) {
            owner.connect(&other);
        }
        let meanwhile = throw_out(how, owner, self.app.rows(), self.sender.session());
        self.sender.post_while(path, &[("form_token", &token)], meanwhile).await
    }

    /// Returns how many sign-ins live besides one.
    fn besides(&self, session: &str) -> i64 {
        let others = format!("SELECT count(*) FROM sessions WHERE revoked_at IS NULL AND id <> '{session}'");
        self.app.rows().number(&others)
    }
}

/// Asserts that an answer leads to the sign-in page, and from there perhaps on to a form that was kept.
fn assert_led_to_sign_in(answer: &Answer, what: &str) {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{what}");
    let next = answer.location().strip_prefix("/login").unwrap_or_else(|| panic!("{what}: {answer:?}"));
    assert!(next.is_empty() || next.starts_with("?next=%2Frescue%2F"), "{what}: {answer:?}");
}

/// Sends each form that ends sign-ins, from a sender who is thrown out in one way or another while it is under way.
async fn assert_forms_do_nothing(prepare: impl Fn(&Household)) {
    for how in [Here, Elsewhere, ByHand, Deleted, Deactivated] {
        for act in ["/devices/others/revoke", "/devices/phone/revoke", "/logout/everywhere", "/logout"] {
            let home = Household::at_home().await;
            prepare(&home);
            let sender = home.sender.session();
            let path = act.replace("phone", &home.phone.session());
            let answer = home.send(&path, how).await;
            assert_led_to_sign_in(&answer, &format!("{how:?} {act}"));
            assert_eq!(home.besides(&sender), 2, "{how:?} {act}");
            let revoked = i64::from(matches!(how, Here | Elsewhere));
            assert_eq!(home.app.rows().count_events("session_revoked"), revoked, "{how:?} {act}");
            if act != "/logout" {
                assert_eq!(home.app.rows().count_events("signed_out"), 0, "{how:?} {act}");
                assert_eq!(answer.header("clear-site-data"), "", "{how:?} {act}");
                assert!(home.sender.holds("keep_signed_in"), "{how:?} {act}");
            }
            home.app.catch_up();
            assert!(!home.sender.is_signed_in().await, "{how:?} {act}");
        }
    }
}

#[actix_web::test]
async fn a_form_whose_sender_is_thrown_out_before_it_has_arrived_does_nothing() {
    assert_forms_do_nothing(|_| {}).await;
}

#[actix_web::test]
async fn nor_does_one_that_the_refresh_token_signs_in() {
    assert_forms_do_nothing(|home| {
        home.app.advance(EXPIRED);
        home.sender.forget("access_token");
    })
    .await;
}

#[actix_web::test]
async fn a_form_whose_sender_stays_does_what_it_says_however_long_it_takes() {
    let home = Household::at_home().await;
    let token = home.sender.token("/devices", "/logout").await;
    let clock = std::sync::Arc::clone(&home.app.clock);
    let meanwhile = async move { clock.advance(Duration::seconds(9)) };
    let answer = home.sender.post_while("/devices/others/revoke", &[("form_token", &token)], meanwhile).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/devices"));
    assert_eq!(home.besides(&home.sender.session()), 0);
    assert!(home.sender.is_signed_in().await);
}

#[actix_web::test]
async fn a_handler_of_an_embedding_application_can_ask_for_the_same() {
    let bought = Rc::new(Cell::new(0));
    let counted = Rc::clone(&bought);
    let routes = move |config: &mut web::ServiceConfig| {
        let counted = Rc::clone(&counted);
        let buy = move |user: CurrentUser, _form: SubmittedForm| {
            let counted = Rc::clone(&counted);
            async move {
                user.confirm().await?;
                counted.set(counted.get() + 1);
                Ok::<_, WebError>("bought")
            }
        };
        config.route("/buy", web::post().to(buy));
    };
    for how in [Here, ByHand, Deleted, Deactivated] {
        let app = TestApp::embedded(|_| {}, routes.clone()).await;
        let (owner, sender) = (app.signed_in().await, app.browser());
        sender.sign_in().await;
        let token = sender.token("/dashboard", "/logout").await;
        let fields = [("form_token", token.as_str())];
        assert_eq!(sender.post("/buy", &fields).await.body(), "bought");
        let before = bought.get();
        let meanwhile = throw_out(how, owner, app.rows(), sender.session());
        let answer = sender.post_while("/buy", &fields, meanwhile).await;
        assert_led_to_sign_in(&answer, &format!("{how:?}"));
        assert_eq!(bought.get(), before, "{how:?}");
    }
}

/// Opens a form, sends its head and four bytes of its body, lets `meanwhile` happen, and sends the rest.
fn send_in_two(client: &mut Client, path: &str, meanwhile: impl FnOnce()) -> crate::support::client::Answer {
    use std::io::Write;

    use crate::support::client::{connect, read_answer};
    let form = format!("form_token={}", client.form_token("/devices"));
    let (first, rest) = form.split_at(4);
    let kind = "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n";
    let head = client.head("POST", path, &format!("{kind}Content-Length: {}\r\n", form.len()));
    let mut connection = connect(client.address).unwrap();
    connection.write_all(format!("{head}{first}").as_bytes()).unwrap();
    // Whatever is asked now is answered by a server that has taken the form up.
    assert!(client.clone().is_signed_in());
    meanwhile();
    connection.write_all(rest.as_bytes()).unwrap();
    read_answer(&mut connection).unwrap()
}

#[test]
fn four_bytes_on_the_wire_reserve_no_right_to_act() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).start();
    let mut owner = Client::of(&server);
    owner.register("ada");
    let mut rows = Rows::of(folder.path());
    for path in ["/devices/others/revoke", "/logout/everywhere"] {
        let mut sender = Client::of(&server);
        assert_eq!(sender.sign_in("ada").status, 303);
        let answer = send_in_two(&mut sender, path, || {
            assert_eq!(owner.submit("/devices", "/devices/others/revoke", &[]).status, 303);
        });
        assert!(
            answer.header("location").is_some_and(|to| to.starts_with("/login?next=%2Frescue%2F")),
            "{path} {answer:?}"
        );
        assert_eq!(answer.header("set-cookie"), None, "{path}");
        assert!(!sender.is_signed_in() && owner.is_signed_in(), "{path}");
    }
    let mut sender = Client::of(&server);
    assert_eq!(sender.sign_in("ada").status, 303);
    let deactivate = || Rows::of(folder.path()).execute("UPDATE users SET is_active = FALSE");
    let answer = send_in_two(&mut sender, "/devices/others/revoke", deactivate);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/login")), "{answer:?}");
    rows.execute("UPDATE users SET is_active = TRUE");
    until("the owner to be in again", || owner.is_signed_in().then_some(()));
}

/// Lets somebody sign in whose account `change` changes after the password was looked up and before the sign-in is
/// recorded; returns the answer and what the audit trail says.
fn sign_in_while(folder: &std::path::Path, client: &Client, change: &str, pause: StdDuration) -> (u16, String) {
    let mut browser = client.clone();
    let token = browser.form_token("/login");
    let mut rows = Rows::of(folder);
    // Who holds the lock keeps the sign-in from being recorded, and nobody from reading what was there before.
    rows.execute(if on_postgres() { "BEGIN" } else { "BEGIN IMMEDIATE" });
    rows.execute(change);
    let status = thread::scope(|scope| {
        let fields = [("email", "ada@example.org"), ("password", PASSWORD), ("form_token", token.as_str())];
        let answer = scope.spawn(move || browser.post("/login", &fields).unwrap().status);
        let_pass(pause);
        rows.execute("COMMIT");
        answer.join().unwrap()
    });
    let reason = rows.events().last().map(|event| event.detail("reason")).unwrap_or_default();
    (status, reason)
}

#[test]
fn a_sign_in_with_a_password_that_was_changed_meanwhile_is_none() {
    for change in ["UPDATE users SET password_hash = 'another'", "UPDATE users SET is_active = FALSE"] {
        let folder = empty_folder();
        let server = Launch::in_folder(folder.path()).start();
        Client::of(&server).register("ada");
        let mut rows = Rows::of(folder.path());
        let hash = rows.text("SELECT password_hash FROM users");
        let mut pause = StdDuration::from_millis(100);
        until("a sign-in that was overtaken", || {
            let (status, reason) = sign_in_while(folder.path(), &Client::of(&server), change, pause);
            assert_eq!(status, 401, "{change}");
            assert_eq!(rows.count("sessions"), 1, "{change}");
            rows.execute(&format!("UPDATE users SET password_hash = '{hash}', is_active = TRUE"));
            // On a busy machine it may not even have been looked up by then.
            pause = (pause * 2).min(StdDuration::from_millis(1500));
            (reason == "changed_meanwhile").then_some(())
        });
        assert_eq!(Client::of(&server).sign_in("ada").status, 303, "{change}");
    }
}
