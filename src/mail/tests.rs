//! What is sent arrives, with both parts and the right headers; what is not taken says whether it is worth another try.

pub(crate) mod smtp_double;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use mailparse::{MailHeaderMap, ParsedMail, parse_mail};
use secrecy::SecretString;
use time::OffsetDateTime;
use time::macros::datetime;

use super::compose::compose;
use super::messages::{TheftNotice, TimeWords};
use super::{Email, Folder, MailTemplates, Memory, OutgoingEmail, SendError, Sender, Smtp, Transport};
use smtp_double::{Answer, Heard, SmtpDouble};

const NOW: OffsetDateTime = datetime!(2026-11-21 8:30 UTC);

/// Longer than any of these tests takes when it passes.
const DEADLINE: Duration = Duration::from_secs(20);

fn sender() -> Sender {
    Sender::new("example.org", "Perennial", None).unwrap()
}

fn email(subject: &str) -> Email {
    Email {
        to: "ada@example.net".parse().unwrap(),
        subject: subject.to_owned(),
        text: "Grüße,\nhere it is: https://example.org/x?y=1\n.\nPerennial".to_owned(),
        html: "<p>Grüße, <a href=\"https://example.org/x?y=1\">here</a></p>".to_owned(),
    }
}

fn outgoing(id: &str, subject: &str) -> OutgoingEmail {
    OutgoingEmail { id: id.to_owned(), queued_at: NOW, email: email(subject) }
}

fn header(mail: &ParsedMail<'_>, name: &str) -> String {
    let values = mail.headers.get_all_values(name);
    assert_eq!(values.len(), 1, "{name}: {values:?}");
    values[0].clone()
}

/// Returns what lies in a folder of mails, drafts included.
fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_mail_becomes_a_private_file_that_mail_programs_read() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("deep/mail");
    let transport = Folder::new(&folder, sender());
    assert!(!folder.exists(), "made when first needed");
    transport.send(&outgoing("a1", "Grüße")).unwrap();
    let [file] = files(&folder).try_into().unwrap();
    assert_eq!(file.file_name().unwrap(), "2026-11-21T08-30-00Z-a1.eml");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);

    let bytes = fs::read(&file).unwrap();
    let mail = parse_mail(&bytes).unwrap();
    assert_eq!(header(&mail, "From"), "Perennial <no-reply@example.org>");
    assert_eq!(header(&mail, "To"), "ada@example.net");
    assert_eq!(header(&mail, "Subject"), "Grüße");
    assert_eq!(header(&mail, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(&mail, "Date"), "Sat, 21 Nov 2026 08:30:00 +0000");
    assert_eq!(header(&mail, "Message-ID"), "<a1@example.org>");
    assert_eq!(mail.ctype.mimetype, "multipart/alternative");
    // The richest form comes last (RFC 2046 section 5.1.4).
    let types: Vec<&str> = mail.subparts.iter().map(|part| part.ctype.mimetype.as_str()).collect();
    assert_eq!(types, ["text/plain", "text/html"]);
    let body = |index: usize| mail.subparts[index].get_body().unwrap().replace("\r\n", "\n");
    assert_eq!(body(0).trim_end(), email("").text);
    assert_eq!(body(1).trim_end(), email("").html);
}

#[test]
fn a_repeat_replaces_its_file_and_another_mail_of_that_second_does_not() {
    let place = tempfile::tempdir().unwrap();
    let transport = Folder::new(place.path(), sender());
    // A process that was killed may have left a draft behind.
    fs::write(place.path().join(".2026-11-21T08-30-00Z-a1.draft"), "half a mail").unwrap();
    for (id, subject) in [("a1", "a"), ("b2", "b"), ("a1", "a")] {
        transport.send(&outgoing(id, subject)).unwrap();
    }
    let mut names: Vec<_> = files(place.path()).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["2026-11-21T08-30-00Z-a1.eml", "2026-11-21T08-30-00Z-b2.eml"]);
}

#[test]
fn a_folder_that_takes_no_file_is_no_fault_of_the_mail() {
    let place = tempfile::tempdir().unwrap();
    let occupied = place.path().join("mail");
    fs::write(&occupied, "this is a file").unwrap();
    let transport = Folder::new(&occupied, sender());
    let refused = transport.send(&outgoing("a1", "a"));
    assert!(matches!(refused, Err(SendError::Unavailable(_))), "{refused:?}");
    fs::remove_file(&occupied).unwrap();
    transport.send(&outgoing("a1", "a")).unwrap();
    assert_eq!(files(&occupied).len(), 1);
}

#[test]
fn nobody_writes_headers_of_their_own() {
    for subject in
        ["a\r\nBcc: eve@example.com", "a\nBcc: eve@example.com", "a\r\n\r\n<script>", "ü\r\nBcc: eve@example.com"]
    {
        let message = compose(&sender(), &outgoing("a1", subject)).unwrap();
        let bytes = message.formatted();
        let mail = parse_mail(&bytes).unwrap();
        assert!(mail.headers.get_first_value("Bcc").is_none(), "{subject:?}");
        assert!(!header(&mail, "Subject").contains(['\r', '\n']));
        assert_eq!(message.envelope().to().len(), 1);
        assert_eq!(mail.subparts.len(), 2);
    }
}

#[test]
fn the_sender_is_the_settings_or_the_hosts() {
    let named = |site_name: &str, host: &str, from: Option<&str>| {
        let sender = Sender::new(host, site_name, from.map(|from| from.parse().unwrap())).unwrap();
        let bytes = compose(&sender, &outgoing("a1", "x")).unwrap().formatted();
        let mail = parse_mail(&bytes).unwrap();
        (header(&mail, "From"), header(&mail, "Message-ID").split_once('@').unwrap().1.to_owned())
    };
    let from = |host: &str, from: Option<&str>| named("Perennial", host, from);
    let pair = |from: &str, id: &str| (from.to_owned(), id.to_owned());
    for site_name in ["Ada, \"L.\"", "Grüße & Söhne", "Example Ltd. <x@y.org>"] {
        let (from, _) = named(site_name, "example.org", None);
        assert_eq!(from.rsplit_once(' ').unwrap().1, "<no-reply@example.org>", "{from}");
    }
    assert_eq!(from("localhost", None), pair("Perennial <no-reply@localhost>", "localhost>"));
    assert_eq!(from("192.0.2.1", None), pair("Perennial <no-reply@192.0.2.1>", "[192.0.2.1]>"));
    assert_eq!(from("[::1]", None), pair("Perennial <no-reply@localhost>", "[IPv6:::1]>"));
    assert_eq!(from("mail_relay", None), pair("Perennial <no-reply@mail_relay>", "mail_relay>"));
    assert_eq!(
        from("example.org", Some("\"Ada, L.\" <ada@example.com>")),
        pair("Ada, L. <ada@example.com>", "example.org>")
    );
}

#[test]
fn every_attempt_composes_the_same_headers() {
    let headers = || {
        let bytes = compose(&sender(), &outgoing("a1", "x")).unwrap().formatted();
        let mail = parse_mail(&bytes).unwrap();
        ["Message-ID", "Date", "From", "To", "Subject"].map(|name| header(&mail, name))
    };
    assert_eq!(headers(), headers());
}

#[test]
fn a_clock_before_1970_still_dates_a_mail() {
    let early = OutgoingEmail { queued_at: datetime!(1901-01-01 0:00 UTC), ..outgoing("a1", "x") };
    let bytes = compose(&sender(), &early).unwrap().formatted();
    assert!(String::from_utf8(bytes).unwrap().contains("Date: Thu, 01 Jan 1970 00:00:00 +0000"));
}

#[test]
fn tests_read_what_was_sent_and_logs_do_not() {
    let (transport, outbox) = Memory::new();
    transport.send(&outgoing("a1", "a")).unwrap();
    transport.send(&outgoing("b2", "b")).unwrap();
    assert_eq!(outbox.messages(), [email("a"), email("b")]);
    assert_eq!(outbox.ids(), ["a1", "b2"]);
    assert_eq!(format!("{:?}", outbox.messages()), "[Email, Email]");
    assert!(!format!("{outbox:?} {transport:?}").contains("example.net"));
}

fn smtp(double: &SmtpDouble) -> Smtp {
    Smtp::new(&SecretString::from(format!("smtp://ada:hunter2@{}", double.address)), sender()).unwrap()
}

fn next(heard: &Receiver<Heard>) -> Heard {
    heard.recv_timeout(DEADLINE).unwrap()
}

fn message_id(heard: &Heard) -> String {
    let id = header(&parse_mail(heard.message.as_bytes()).unwrap(), "Message-ID");
    id.strip_prefix('<').unwrap().strip_suffix("@example.org>").unwrap().to_owned()
}

#[test]
fn a_mail_server_gets_the_mail() {
    let double = SmtpDouble::start(&[Answer::Take]);
    smtp(&double).send(&outgoing("a1", "Grüße")).unwrap();
    let heard = next(&double.heard);
    let said: Vec<&str> = heard.commands.iter().map(String::as_str).collect();
    // \0ada\0hunter2 (RFC 4616)
    let auth = "AUTH PLAIN AGFkYQBodW50ZXIy";
    let (from, to) = ("MAIL FROM:<no-reply@example.org>", "RCPT TO:<ada@example.net>");
    assert_eq!(said, ["EHLO example.org", auth, from, to, "DATA"]);
    let mail = parse_mail(heard.message.as_bytes()).unwrap();
    assert_eq!(header(&mail, "Subject"), "Grüße");
    assert_eq!(mail.subparts[0].get_body().unwrap().replace("\r\n", "\n").trim_end(), email("").text);
}

#[test]
fn mails_share_a_connection_until_nothing_is_left() {
    let double = SmtpDouble::start(&[Answer::Take, Answer::Take, Answer::Take]);
    let smtp = smtp(&double);
    let greeted = |subject: &str| {
        smtp.send(&outgoing("a1", subject)).unwrap();
        next(&double.heard).commands.iter().any(|command| command.starts_with("EHLO"))
    };
    assert!(greeted("a"));
    assert!(!greeted("b"));
    smtp.idle();
    assert!(greeted("c"));
}

#[test]
fn a_kept_connection_that_died_costs_no_mail() {
    let double = SmtpDouble::start(&[Answer::TakeAndHangUp, Answer::Take]);
    let smtp = smtp(&double);
    smtp.send(&outgoing("a1", "a")).unwrap();
    smtp.send(&outgoing("b2", "b")).unwrap();
    assert_eq!([next(&double.heard), next(&double.heard)].map(|heard| message_id(&heard)), ["a1", "b2"]);
}

#[test]
fn a_mail_that_may_have_been_taken_is_sent_again_as_the_same_mail() {
    let double = SmtpDouble::start(&[Answer::TakeInSilence, Answer::Take]);
    let smtp = smtp(&double);
    let broken = smtp.send(&outgoing("a1", "a"));
    assert!(matches!(broken, Err(SendError::Deferred(_))), "nobody knows whether it was taken: {broken:?}");
    smtp.send(&outgoing("a1", "a")).unwrap();
    assert_eq!([next(&double.heard), next(&double.heard)].map(|heard| message_id(&heard)), ["a1", "a1"]);
}

#[test]
fn a_mail_is_sent_once_the_server_has_confirmed_it_and_not_before() {
    let double = SmtpDouble::start(&[Answer::Hold]);
    let smtp = smtp(&double);
    let (sent, done) = channel();
    std::thread::scope(|scope| {
        scope.spawn(|| sent.send(smtp.send(&outgoing("a1", "a"))).unwrap());
        next(&double.heard);
        assert!(done.try_recv().is_err(), "the server has the content, and has not said so");
        double.release();
        done.recv_timeout(DEADLINE).unwrap().unwrap();
    });
}

#[test]
fn an_answer_about_one_mail_is_told_from_one_about_all() {
    let kind = |answer: Answer| {
        let double = SmtpDouble::start(&[answer]);
        match smtp(&double).send(&outgoing("a1", "a")) {
            Ok(()) => "taken",
            Err(SendError::Unavailable(_)) => "unavailable",
            Err(SendError::Deferred(_)) => "deferred",
            Err(SendError::Refused(_)) => "refused",
        }
    };
    for (answer, expected) in [
        (Answer::Take, "taken"),
        (Answer::Defer, "deferred"),
        (Answer::TakeInSilence, "deferred"),
        (Answer::Refuse, "refused"),
        (Answer::TurnAway, "unavailable"),
        (Answer::RejectPassword, "unavailable"),
        (Answer::RefuseSender, "unavailable"),
    ] {
        assert_eq!(kind(answer), expected, "{answer:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = Smtp::new(&SecretString::from(url), sender()).unwrap().send(&outgoing("a1", "a"));
    assert!(matches!(outcome, Err(SendError::Unavailable(_))), "{outcome:?}");
}

#[test]
fn the_url_says_how_to_reach_the_server() {
    let works = |url: &str| Smtp::new(&SecretString::from(url), sender()).is_ok();
    for url in [
        "smtp://mail.example.org",
        "smtp://ada:s%20e@mail.example.org:2525/me.example.org?tls=required",
        "smtp://mail.example.org?tls=opportunistic",
        "smtps://ada:secret@mail.example.org",
    ] {
        assert!(works(url), "{url}");
    }
    for url in ["", "mail.example.org", "http://mail.example.org", "smtp://mail.example.org?tls=maybe", "smtp://"] {
        assert!(!works(url), "{url}");
    }
}

#[test]
fn what_a_server_answers_can_not_write_the_log() {
    let double = SmtpDouble::start(&[Answer::Refuse]);
    let error = smtp(&double).send(&outgoing("a1", "x")).unwrap_err();
    let line = error.to_string();
    assert!(matches!(error, SendError::Refused(_)));
    assert!(line.contains("550") && !line.contains('\u{1b}') && !line.contains("hunter2"), "{line}");
}

#[test]
fn a_theft_is_told_in_both_forms() {
    let notice = TheftNotice {
        at: TimeWords { iso: "2026-11-21T08:30:00Z", words: "21 November 2026, 08:30 UTC" },
        address: "192.0.2.1",
        other_address: "<unknown address>",
        devices_url: "https://example.org/devices",
    };
    let templates = MailTemplates::load(None, "Perennial").unwrap();
    let Email { to, subject, text, html } = templates.write("ada@example.net".parse().unwrap(), &notice).unwrap();
    assert_eq!((to.as_str(), subject.as_str()), ("ada@example.net", "One of your sign-ins was used from two places"));
    assert!(text.contains("The other place: <unknown address>\n"), "{text}");
    assert!(html.contains("<td>&lt;unknown address&gt;</td>"), "{html}");
    assert!(html.contains("datetime=\"2026-11-21T08:30:00Z\""), "{html}");
    for words in ["21 November 2026, 08:30 UTC", "192.0.2.1", "https://example.org/devices"] {
        assert!(text.contains(words) && html.contains(words), "{words}");
    }
}
