//! Several processes, and their ends.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use secrecy::SecretString;

use super::scene::{DEADLINE, Does, Holding, NOW, Scene, Scripted, WOKEN, insert, new_mail, open, until};
use crate::domain::clock::{Clock, SystemClock};
use crate::jobs::outbox::delivery::{Force, OutboxParts, Pace};
use crate::jobs::outbox::{CLOSING_TIMEOUT, OutboxWorker, POLL_EVERY};
use crate::mail::tests::smtp_double::{Answer, SmtpDouble};
use crate::mail::{Memory, Sender, Smtp};
use crate::store::outbox::{self, LEASE, LONGEST_PAUSE};
use crate::store::users::{self, Inserted};

#[test]
fn two_processes_on_one_file_send_each_mail_once() {
    const EACH: usize = 25;
    let folder = tempfile::tempdir().unwrap();
    let (transport, sent) = Memory::new();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let processes: Vec<_> = (0..2)
        .map(|_| {
            let database = open(folder.path());
            let parts = OutboxParts {
                database: database.clone(),
                transport: Arc::new(transport.clone()),
                clock: Arc::clone(&clock),
                queue_untold: Box::new(|| Ok(0)),
            };
            (database, OutboxWorker::with_pace(parts, WOKEN).unwrap())
        })
        .collect();
    thread::scope(|scope| {
        for (database, _) in &processes {
            scope.spawn(|| {
                for number in 0..EACH {
                    insert(database, &number.to_string(), clock.now());
                    database.wake_outbox();
                }
            });
        }
    });
    until("every mail to leave", || sent.ids().len() >= 2 * EACH);
    for (_, process) in &processes {
        process.deliver_due().unwrap();
    }
    let mut ids = sent.ids();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), sent.ids().len()), (2 * EACH, 2 * EACH), "each once");
}

#[test]
fn a_mail_under_way_is_nobody_elses_however_long_it_takes() {
    let scene = Scene::new();
    scene.insert("held");
    let (memory, sent) = Memory::new();
    let (holding, held, release) = Holding::new(memory.clone());
    let (first, second) = (scene.hasty_process(holding), scene.process(memory));
    thread::scope(|scope| {
        let sending = scope.spawn(|| first.round(Force::No).unwrap());
        held.recv_timeout(DEADLINE).unwrap();
        for _ in 0..10 {
            scene.clock.advance(time::Duration::seconds(3));
            let lease = scene.clock.now() + LEASE;
            until("the lease to be renewed", || {
                let database = open(scene.folder.path());
                let due = move |rows: &mut _| outbox::next_due(rows, &[], lease - time::Duration::SECOND);
                database.read_blocking(due).unwrap().is_none()
            });
            second.round(Force::Yes).unwrap();
        }
        assert_eq!(sent.ids().len(), 0, "three leases long");
        release.send(()).unwrap();
        sending.join().unwrap();
    });
    second.round(Force::Yes).unwrap();
    assert_eq!((sent.ids().len(), scene.waiting()), (1, 0));
}

#[test]
fn what_a_killed_process_was_sending_is_sent_by_another_as_the_same_mail() {
    let scene = Scene::new();
    scene.insert("a");
    // The process takes the mail and is gone, before or after the mail server took it: nobody can tell.
    let now = scene.clock.now();
    let taken = scene.rows(move |rows| outbox::take(rows, 1, now)).unwrap();
    let (memory, sent) = Memory::new();
    let other = scene.process(memory);
    scene.clock.advance(LEASE - time::Duration::SECOND);
    other.round(Force::Yes).unwrap();
    assert_eq!(sent.ids().len(), 0, "it may still be at it");
    scene.clock.advance(time::Duration::SECOND);
    other.round(Force::Yes).unwrap();
    other.round(Force::Yes).unwrap();
    assert_eq!(sent.ids(), [taken.message_id]);
    assert_eq!(scene.waiting(), 0);
}

#[test]
fn an_overdue_notice_is_queued_by_one_process_alone() {
    let scene = Scene::new();
    let user = scene.rows(|rows| {
        let (email, name) = ("ada@example.net".parse().unwrap(), "Ada".parse().unwrap());
        let Inserted::User(user) = users::insert(rows, &email, &name, "", NOW)? else { unreachable!() };
        users::theft_noticed(rows, user.id, NOW)?;
        Ok(user.id)
    });
    let during = NOW..NOW + LONGEST_PAUSE;
    let [(found, noticed)] = scene.rows(move |rows| users::untold_of_theft(rows, during, 10)).try_into().unwrap();
    assert_eq!((found.id, noticed), (user, NOW));
    let queue = || {
        let notice = new_mail("notice", NOW);
        scene.rows(move |rows| outbox::insert_overdue_theft_notice(rows, user, NOW, &notice, NOW))
    };
    assert_eq!(([queue(), queue()], scene.waiting()), ([true, false], 1));
    let later = NOW + LONGEST_PAUSE;
    let notice = new_mail("the next theft", later);
    scene.rows(move |rows| {
        users::theft_noticed(rows, user, later)?;
        outbox::insert_theft_notice(rows, user, &notice, later)
    });
    let during = NOW..later + LONGEST_PAUSE;
    assert_eq!(scene.rows(move |rows| users::untold_of_theft(rows, during, 10)), [], "version 1 finds nobody to tell");
    assert_eq!(scene.waiting(), 2);
}

#[test]
fn a_kill_costs_less_than_ten_seconds() {
    assert!(LEASE.unsigned_abs() + POLL_EVERY < Duration::from_secs(10));
}

#[test]
fn a_mail_that_was_sent_and_can_not_be_deleted_is_not_sent_again() {
    let scene = Scene::new();
    scene.insert("a");
    let seal = "CREATE TRIGGER full BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'no room'); END";
    scene.rows(move |rows| Ok(rows.batch_execute(seal)?));
    let (memory, sent) = Memory::new();
    let process = scene.process(memory);
    process.round(Force::Yes).unwrap();
    for _ in 0..3 {
        scene.clock.advance(time::Duration::hours(2));
        process.round(Force::Yes).unwrap_err();
    }
    scene.rows(|rows| Ok(rows.batch_execute("DROP TRIGGER full")?));
    scene.insert("b");
    process.round(Force::Yes).unwrap();
    let subjects: Vec<_> = sent.messages().into_iter().map(|email| email.subject).collect();
    assert_eq!((subjects, scene.waiting()), (vec!["a".to_owned(), "b".to_owned()], 0));
}

#[test]
fn a_start_tries_everything_that_waits() {
    let scene = Scene::new();
    scene.insert("a");
    let transport = Scripted::new(&[Does::Defer; 12]);
    let process = scene.process(transport.clone());
    for _ in 0..12 {
        process.round(Force::Yes).unwrap();
        scene.clock.advance(LONGEST_PAUSE);
    }
    drop(process);
    scene.clock.advance(-LONGEST_PAUSE / 2);
    transport.then(&[Does::Take]);
    assert_eq!((transport.tried().len(), scene.waiting()), (12, 1));
    let worker = OutboxWorker::with_pace(scene.parts(transport.clone()), WOKEN).unwrap();
    until("the mail to leave", || scene.waiting() == 0);
    drop(worker);
}

#[test]
fn a_commit_wakes_the_worker_and_the_mail_server_gets_the_mail() {
    let scene = Scene::new();
    let double = SmtpDouble::start(&[Answer::Take, Answer::Defer, Answer::Take]);
    let sender = Sender::new("example.org", "Perennial", None).unwrap();
    let smtp = Smtp::new(&SecretString::from(format!("smtp://ada:hunter2@{}", double.address)), sender).unwrap();
    let parts = scene.parts(smtp);
    let database = parts.database.clone();
    let worker = OutboxWorker::with_pace(parts, WOKEN).unwrap();
    let next = || double.heard.recv_timeout(DEADLINE).unwrap().message;
    insert(&database, "first", NOW);
    database.wake_outbox();
    assert!(next().contains("Subject: first"));
    insert(&database, "second", NOW);
    database.wake_outbox();
    assert_eq!(next(), "", "put off");
    until("that to be written down", || {
        let later = NOW + time::Duration::seconds(5);
        let due = |now| open(scene.folder.path()).read_blocking(move |rows| outbox::next_due(rows, &[], now)).unwrap();
        due(NOW).is_none() && due(later).is_some()
    });
    scene.clock.advance(time::Duration::seconds(5));
    database.wake_outbox();
    assert!(next().contains("Subject: second"));
    until("no row to stay", || scene.waiting() == 0);
    drop(worker);
}

#[test]
fn the_end_sends_what_is_due_and_waits_for_no_server_that_hangs() {
    let scene = Scene::new();
    let (memory, sent) = Memory::new();
    let (holding, held, release) = Holding::new(memory);
    let mut parts = scene.parts(holding);
    parts.clock = Arc::new(SystemClock::start());
    let (database, clock) = (parts.database.clone(), Arc::clone(&parts.clock));
    let pace = Pace { closing_timeout: Duration::from_millis(1500), ..WOKEN };
    let worker = OutboxWorker::with_pace(parts, pace).unwrap();
    insert(&database, "in time", clock.now());
    insert(&database, "held", clock.now());
    let begun = clock.elapsed();
    worker.close();
    let took = clock.elapsed() - begun;
    assert!(took < DEADLINE, "{took:?}");
    assert_eq!(held.try_iter().count(), 1);
    let subjects: Vec<_> = sent.messages().into_iter().map(|email| email.subject).collect();
    assert_eq!(subjects, ["in time"]);
    let now = clock.now();
    let left = database.read_blocking(move |rows| outbox::health(rows, now)).unwrap();
    assert_eq!(left.count, 1, "it waits for the next start");
    // Nothing of the worker holds the database any more, although the mail server still does not answer.
    let closing = database.closing();
    drop((worker, database));
    assert!(closing.wait(DEADLINE));
    drop(release);
    assert_eq!(CLOSING_TIMEOUT, Duration::from_secs(10));
}
