//! Mail leaves once: whatever ends the server, whatever the mail server does, and without keeping a page waiting.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mailparse::{MailHeaderMap, parse_mail};
use perennial::domain::clock::Clock;

use crate::support::client::{ACCESS, Client};
use crate::support::patience::{DEADLINE, Stopwatch, let_pass, random_below, until};
use crate::support::server::{Launch, Server, empty_folder, files, free_port};
use crate::support::small_disk::SmallDisk;
use crate::support::smtp_double::{Answer, SmtpDouble};
use crate::support::{EMAIL, PASSWORD, Rows, TestApp};

/// How often the server is killed, unless the environment variable `KILLS` says otherwise.
const KILLS: u32 = 15;

/// The longest that a server lives after the theft was on its way, in milliseconds.
const LIFE: u64 = 40;

/// What the contract promises: waiting mail is tried at the start, then within this.
const PROMISE: Duration = Duration::from_secs(10);

fn launch_in(folder: &Path) -> Launch {
    let launch = Launch::in_folder(folder).on_port(free_port());
    launch.set("REUSE_GRACE", "0s").set("ACCESS_TOKEN_TTL", "1s")
}

/// Makes an account, and returns a copy of its first jar that is too old by now: to use it is a theft.
///
/// Each has an address of its own, since few mails an hour go to one.
fn stolen(server: &Server) -> Client {
    copied(registered(server))
}

fn registered(server: &Server) -> Client {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut owner = Client::of(server);
    owner.register(&format!("ada{}", NEXT.fetch_add(1, Ordering::SeqCst)));
    owner
}

fn copied(mut owner: Client) -> Client {
    let mut thief = owner.clone();
    thief.jar.remove(ACCESS);
    for _ in 0..2 {
        owner.jar.remove(ACCESS);
        assert!(owner.is_signed_in());
    }
    thief
}

/// Begins a sign-in and has it found out that it was copied.
fn steal(server: &Server) {
    assert!(!stolen(server).is_signed_in());
}

/// Accounts that were made while there was no mail server, so that no mail went out for them.
struct Owners(Mutex<Vec<Client>>);

impl Owners {
    /// Makes so many, and starts the server that mail leaves by.
    fn beside(launch: &Launch, count: usize) -> (Self, Server) {
        let server = start(&launch.clone().without("SMTP_URL"));
        let owners = (0..count).map(|_| registered(&server)).collect();
        assert_eq!(server.stop().code(), Some(0));
        (Self(Mutex::new(owners)), launch.start())
    }

    /// Returns a copy of a jar that is too old by now.
    fn stolen(&self, server: &Server) -> Client {
        let mut owner = self.0.lock().unwrap().pop().unwrap();
        owner.address = server.address;
        copied(owner)
    }

    /// Has a sign-in found out that was copied.
    fn steal(&self, server: &Server) {
        assert!(!self.stolen(server).is_signed_in());
    }
}

fn start(launch: &Launch) -> Server {
    let server = launch.start();
    Client::of(&server).register("ada");
    Rows::of(launch.folder()).age_every_rotation();
    server
}

/// Waits until nothing waits to be sent.
fn until_empty(rows: &mut Rows) {
    until("an empty outbox", || (rows.count("outbox") == 0).then_some(()));
}

fn message_id(message: &str) -> String {
    parse_mail(message.as_bytes()).unwrap().headers.get_first_value("Message-ID").unwrap()
}

#[test]
fn a_theft_becomes_a_mail_and_no_row_stays() {
    let folder = empty_folder();
    let server = start(&launch_in(folder.path()));
    steal(&server);
    until_empty(&mut Rows::of(folder.path()));
    let [file] = files(&folder.path().join("mail")).try_into().unwrap();
    let mail = std::fs::read(folder.path().join("mail").join(&file)).unwrap();
    let id = message_id(std::str::from_utf8(&mail).unwrap());
    assert!(file.ends_with(&format!("{}.eml", &id[1..33])), "{file} {id}");
    // Another process that starts finds nothing to send.
    assert_eq!(server.stop().code(), Some(0));
    assert_eq!(files(&folder.path().join("mail")), [file]);
}

#[test]
fn a_kill_at_any_moment_loses_no_mail() {
    let kills = std::env::var("KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let folder = empty_folder();
    let launch = launch_in(folder.path());
    let mut server = start(&launch);
    for _ in 0..kills {
        let mut thief = stolen(&server);
        let theft = std::thread::spawn(move || thief.get("/dashboard").is_ok());
        let_pass(Duration::from_millis(random_below(LIFE)));
        server.kill();
        theft.join().unwrap();
        server = launch.start();
    }
    steal(&server);
    let mut rows = Rows::of(folder.path());
    until_empty(&mut rows);
    let (thefts, mails) = (rows.count_events("refresh_token_replayed"), files(&folder.path().join("mail")));
    println!("{kills} kills, {thefts} thefts that were noticed, {} mails", mails.len());
    assert_eq!(i64::try_from(mails.len()).unwrap(), thefts, "{mails:?}");
    assert!(mails.iter().all(|name| name.ends_with(".eml")), "no draft stays: {mails:?}");
    assert_eq!(rows.integrity(), "ok");
}

#[test]
fn a_dead_mail_server_delays_no_page_and_gets_the_mail_when_it_is_back() {
    let (folder, port) = (empty_folder(), free_port());
    let launch = launch_in(folder.path()).set("SMTP_URL", &format!("smtp://127.0.0.1:{port}"));
    let (owners, server) = Owners::beside(&launch, 1);
    let mut thief = owners.stolen(&server);
    let stopwatch = Stopwatch::start();
    assert!(!thief.is_signed_in());
    assert!(stopwatch.elapsed() < Duration::from_secs(2), "{:?}", stopwatch.elapsed());
    let mut rows = Rows::of(folder.path());
    assert_eq!(rows.count("outbox"), 1);
    let doctor = launch.clone().argument("doctor").finish();
    assert!(doctor.stdout.contains("ok    mail: 1 is waiting, the oldest was written just now"), "{doctor:?}");

    let double = SmtpDouble::start_on(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap(), &[Answer::Take]);
    let heard = double.heard.recv_timeout(PROMISE).unwrap();
    assert!(heard.message.contains("Subject: One of your sign-ins was used from two places"), "{heard:?}");
    until_empty(&mut rows);
    let doctor = launch.argument("doctor").finish();
    assert!(doctor.stdout.contains("ok    mail: none is waiting\n"), "{doctor:?}");
}

#[test]
fn a_mail_server_that_never_answers_delays_neither_a_page_nor_the_end() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = empty_folder();
    let launch = launch_in(folder.path()).set("SMTP_URL", &format!("smtp://{}", silent.local_addr().unwrap()));
    let (owners, server) = Owners::beside(&launch, 1);
    let mut thief = owners.stolen(&server);
    let stopwatch = Stopwatch::start();
    assert!(!thief.is_signed_in());
    assert!(stopwatch.elapsed() < Duration::from_secs(2), "{:?}", stopwatch.elapsed());
    let stopwatch = Stopwatch::start();
    let finished = server.stop();
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    // A second in which readiness says so, ten for the mail, and what a loaded machine takes.
    assert!(stopwatch.elapsed() < Duration::from_secs(15), "{:?}", stopwatch.elapsed());
    assert!(!finished.stderr.contains("could not be closed"), "{finished:?}");
    assert_eq!(Rows::of(folder.path()).count("outbox"), 1, "it waits for the next start");
}

#[test]
fn a_mail_that_was_under_way_at_a_kill_is_sent_as_the_same_mail_and_one_that_was_taken_is_not() {
    let double = SmtpDouble::start(&[Answer::Take, Answer::Hold, Answer::Take, Answer::Take]);
    let folder = empty_folder();
    let launch = launch_in(folder.path()).set("SMTP_URL", &format!("smtp://{}", double.address));
    let (owners, server) = Owners::beside(&launch, 3);
    let next = || message_id(&double.heard.recv_timeout(DEADLINE).unwrap().message);
    let mut rows = Rows::of(folder.path());
    owners.steal(&server);
    let first = next();
    until_empty(&mut rows);
    owners.steal(&server);
    let second = next();
    server.kill();
    assert_eq!(rows.count("outbox"), 1);

    let server = launch.start();
    let stopwatch = Stopwatch::start();
    assert_eq!(next(), second, "nobody knows whether the mail server has it");
    assert!(stopwatch.elapsed() < PROMISE, "{:?}", stopwatch.elapsed());
    until_empty(&mut rows);
    server.kill();

    let server = launch.start();
    owners.steal(&server);
    let third = next();
    assert!(third != first && third != second, "what the mail server took is not sent again");
    until_empty(&mut rows);
}

#[test]
fn what_the_mail_server_puts_off_comes_soon_and_what_it_refuses_is_reported() {
    let double = SmtpDouble::start(&[Answer::Defer, Answer::Take, Answer::Refuse, Answer::Take]);
    let folder = empty_folder();
    let launch = launch_in(folder.path()).set("SMTP_URL", &format!("smtp://{}", double.address));
    let (owners, server) = Owners::beside(&launch, 3);
    let mut rows = Rows::of(folder.path());
    owners.steal(&server);
    assert_eq!(double.heard.recv_timeout(DEADLINE).unwrap().message, "", "put off");
    assert_ne!(double.heard.recv_timeout(PROMISE).unwrap().message, "");
    until_empty(&mut rows);
    owners.steal(&server);
    assert_eq!(double.heard.recv_timeout(DEADLINE).unwrap().message, "", "refused");
    until("a refusal", || (rows.count("outbox WHERE refused_at IS NOT NULL") == 1).then_some(()));
    assert_eq!(rows.count("outbox WHERE text = '' AND html = ''"), 1);
    let doctor = launch.argument("doctor").finish();
    assert!(doctor.stdout.contains("ok    mail: none is waiting; 1 refused in the last month"), "{doctor:?}");
    owners.steal(&server);
    assert_ne!(double.heard.recv_timeout(DEADLINE).unwrap().message, "", "others go on");
}

#[test]
fn two_processes_on_one_database_send_each_mail_once() {
    const THEFTS: usize = 8;
    let double = SmtpDouble::start(&[Answer::Take; 2 * THEFTS + 2]);
    let folder = empty_folder();
    let launch = launch_in(folder.path()).set("SMTP_URL", &format!("smtp://{}", double.address));
    let launch = launch.set("PUBLIC_URL", "http://localhost:8080");
    let (owners, first) = Owners::beside(&launch, 2 * THEFTS);
    let servers = [first, launch.clone().on_port(free_port()).start()];
    std::thread::scope(|scope| {
        for server in &servers {
            scope.spawn(|| (0..THEFTS).for_each(|_| owners.steal(server)));
        }
    });
    until_empty(&mut Rows::of(folder.path()));
    for server in servers {
        assert_eq!(server.stop().code(), Some(0));
    }
    let ids: Vec<String> = double.heard.try_iter().map(|heard| message_id(&heard.message)).collect();
    assert_eq!(ids.len(), 2 * THEFTS);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 2 * THEFTS);
}

#[test]
#[ignore = "needs root, to mount a small file system"]
fn a_full_disk_under_the_mail_folder_costs_no_mail() {
    let (folder, disk) = (empty_folder(), SmallDisk::mount(1));
    let launch = launch_in(folder.path()).set("MAIL_DIR", disk.path().to_str().unwrap());
    let server = start(&launch);
    disk.fill();
    steal(&server);
    until("a complaint", || server.log().contains("no mail leaves until this is over").then_some(()));
    let mut rows = Rows::of(folder.path());
    assert_eq!((rows.count("outbox"), files(disk.path())), (1, vec!["filler".to_owned()]));
    disk.free();
    let stopwatch = Stopwatch::start();
    until_empty(&mut rows);
    assert!(stopwatch.elapsed() < PROMISE, "{:?}", stopwatch.elapsed());
    let [file] = files(disk.path()).try_into().unwrap();
    let mail = std::fs::read(disk.path().join(file)).unwrap();
    assert_eq!(parse_mail(&mail).unwrap().subparts.len(), 2, "a whole mail");
}

#[actix_web::test]
async fn a_theft_that_version_1_did_not_get_to_tell_of_is_told_once() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let noticed = app.clock.now() - time::Duration::minutes(11);
    app.rows().execute(&format!(
        "UPDATE users SET theft_noticed_at = {at};
         INSERT INTO auth_events (user_id, event_type, details, created_at)
         VALUES (1, 'refresh_token_replayed', '{{\"address\":\"192.0.2.66\"}}', {at})",
        at = noticed.unix_timestamp()
    ));
    let started = [app.another_process().await, app.another_process().await];
    let mails = || started.iter().flat_map(TestApp::mail).collect::<Vec<_>>();
    until("the mail", || (!mails().is_empty()).then_some(()));
    let mut rows = app.rows();
    until_empty(&mut rows);
    let [mail] = mails().into_iter().chain(app.mail()).collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(mail.to.as_str(), EMAIL);
    assert!(mail.text.contains("192.0.2.66") && !mail.text.contains(PASSWORD));
    assert_eq!(rows.number("SELECT theft_told_at FROM users"), noticed.unix_timestamp(), "version 1 sees that, too");
}

#[actix_web::test]
async fn a_theft_is_told_in_the_transaction_that_notices_it() {
    let app = TestApp::start().await;
    let mut thief = app.signed_in().await;
    let owner = thief.clone();
    thief.address = "203.0.113.66:6666".parse().unwrap();
    for browser in [&thief, &owner] {
        app.advance(time::Duration::minutes(16));
        assert!(browser.is_signed_in().await);
    }
    assert_eq!(app.mail(), []);
    app.advance(time::Duration::minutes(16));
    assert!(!thief.is_signed_in().await);
    let [mail] = app.mail().try_into().unwrap();
    assert!(mail.text.contains("203.0.113.66"), "{}", mail.text);
    assert_eq!(app.rows().number("SELECT count(*) FROM users WHERE theft_told_at = theft_noticed_at"), 1);
    assert_eq!(app.rows().count("outbox"), 0);
}
