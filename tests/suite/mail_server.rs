//! Links and notices through a real mail server: one that takes mail, refuses it, takes its time and dies.

use std::time::Duration;

use crate::support::Rows;
use crate::support::client::{Client, PASSWORD};
use crate::support::mail_server::MailServer;
use crate::support::patience::{Stopwatch, until};
use crate::support::server::{Launch, empty_folder};

/// Asks for an account, as the page does; the answer is there at once, whatever becomes of the mail.
fn ask(client: &mut Client, email: &str) {
    let stopwatch = Stopwatch::start();
    let fields = [("full_name", "Ada Lovelace"), ("email", email), ("password", PASSWORD), ("keep_signed_in", "on")];
    let answer = client.submit("/register", "/register", &fields);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/register/check-mail")), "{answer:?}");
    assert!(stopwatch.elapsed() < Duration::from_secs(3), "{:?}", stopwatch.elapsed());
}

/// Opens the link in a mail and presses the button behind it.
fn confirm(client: &mut Client, origin: &str, text: &str) {
    let link = text.lines().find(|line| line.contains("/verify-email/")).unwrap();
    let path = link.strip_prefix(origin).unwrap();
    assert_eq!(client.get(path).unwrap().header("location"), Some("/verify-email"));
    let answer = client.submit("/verify-email", "/verify-email", &[]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/dashboard")), "{answer:?}");
}

#[test]
#[ignore = "needs aiosmtpd"]
fn a_real_mail_server_takes_refuses_waits_and_dies() {
    let mail = MailServer::start();
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).set("SMTP_URL", &mail.url()).start();
    let origin = format!("http://localhost:{}", server.address.port());
    let mut ada = Client::of(&server);
    for email in ["slow@example.org", "refused@example.org", "dying@example.org", "ada@example.org"] {
        ask(&mut Client::of(&server), email);
    }
    ask(&mut ada, "ada2@example.org");
    // Each arrives, once, whatever becomes of the others.
    for email in ["ada@example.org", "dying@example.org", "slow@example.org"] {
        assert_eq!(mail.first(email).subject, "Confirm your email address", "{email}");
    }
    let arrived = mail.first("ada2@example.org");
    assert_eq!(arrived.to, "ada2@example.org");
    confirm(&mut ada, &origin, &arrived.text);
    assert!(ada.is_signed_in());

    let mut rows = Rows::of(folder.path());
    until("an outbox of refused mail alone", || (rows.count("outbox WHERE refused_at IS NULL") == 0).then_some(()));
    assert_eq!(rows.count("outbox"), 1);
    for email in ["ada@example.org", "dying@example.org", "slow@example.org", "ada2@example.org"] {
        assert_eq!(mail.taken(email).len(), 1, "{email}");
    }
    assert!(server.log().contains("550"), "the log tells of the refusal");

    // The account page tells of an address that bounced, the new one and the old one.
    let answer = ada.submit("/account", "/account/email", &[("email", "refused-too@example.org")]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/account")), "{answer:?}");
    until("the account page to tell of it", || {
        let page = ada.get("/account").unwrap().body;
        page.contains("Mail to refused-too@example.org bounced").then_some(())
    });
    let mut elsewhere = Client::of(&server);
    assert_eq!(elsewhere.sign_in("ada2").status, 303);
    let notice = until("the notice of a new device", || mail.taken("ada2@example.org").into_iter().nth(1));
    assert_eq!(notice.subject, "You signed in on a new device");
    assert_eq!(server.stop().code(), Some(0));
}
