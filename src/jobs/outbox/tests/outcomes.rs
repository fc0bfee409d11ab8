//! What comes of an attempt.

use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;

use super::scene::{DEADLINE, Does, Holding, NOW, Scene, Scripted, until};
use crate::domain::clock::Clock;
use crate::jobs::outbox::delivery::{Force, server_pause};
use crate::mail::Memory;
use crate::store::outbox::{self, LONGEST_PAUSE, Waiting};

#[test]
fn mails_leave_in_order_and_no_row_stays() {
    let scene = Scene::new();
    for subject in ["a", "b", "c"] {
        scene.insert(subject);
    }
    let transport = Scripted::default();
    scene.process(transport.clone()).round(Force::No).unwrap();
    assert_eq!(transport.tried(), ["a", "b", "c"]);
    assert_eq!(scene.health(), Waiting::default());
}

#[test]
fn a_dead_server_is_asked_seldom_and_gets_everything_when_it_is_back() {
    let scene = Scene::new();
    for number in 0..5 {
        scene.insert(&number.to_string());
    }
    let transport = Scripted::new(&[Does::Fail; 5]);
    let process = scene.process(transport.clone());
    for seconds in [1, 2, 4, 6, 6] {
        process.round(Force::No).unwrap();
        assert_eq!(transport.tried(), ["0"], "one mail asks for all");
        scene.clock.advance(time::Duration::seconds(seconds - 1));
        process.round(Force::No).unwrap();
        assert_eq!(transport.tried().len(), 0, "not before {seconds} seconds");
        scene.clock.advance(time::Duration::SECOND);
    }
    assert_eq!((scene.waiting(), scene.health().oldest), (5, Some(NOW)));
    process.round(Force::No).unwrap();
    assert_eq!(transport.tried().len(), 5, "no mail was blamed");
    assert_eq!(scene.waiting(), 0);
    assert_eq!(server_pause(0), Duration::from_secs(1));
    assert_eq!(server_pause(u32::MAX), Duration::from_secs(6));
}

#[test]
fn a_mail_that_was_put_off_waits_and_holds_up_no_other() {
    let scene = Scene::new();
    scene.insert("early");
    scene.insert("late");
    let transport = Scripted::new(&[Does::Defer]);
    let process = scene.process(transport.clone());
    process.round(Force::No).unwrap();
    assert_eq!(transport.tried(), ["early", "late"]);
    for seconds in [5, 10, 20, 40] {
        scene.clock.advance(time::Duration::seconds(seconds - 1));
        process.round(Force::Yes).unwrap();
        assert_eq!(transport.tried().len(), 0, "not before {seconds} seconds");
        scene.clock.advance(time::Duration::SECOND);
        transport.then(&[Does::Defer]);
        process.round(Force::Yes).unwrap();
        assert_eq!(transport.tried(), ["early"]);
    }
    scene.clock.advance(LONGEST_PAUSE);
    process.round(Force::Yes).unwrap();
    assert_eq!((transport.tried().len(), scene.waiting()), (1, 0));
}

#[test]
fn a_refused_mail_is_given_up_without_its_body() {
    let scene = Scene::new();
    scene.insert("refused");
    scene.insert("next");
    let transport = Scripted::new(&[Does::Refuse]);
    let process = scene.process(transport.clone());
    process.round(Force::No).unwrap();
    assert_eq!(transport.tried(), ["refused", "next"]);
    scene.clock.advance(time::Duration::days(1));
    scene.rows(outbox::hasten);
    process.round(Force::Yes).unwrap();
    assert_eq!(transport.tried().len(), 0, "it is not tried again");
    let refusal = Some("550 nobody here".to_owned());
    assert_eq!(scene.health(), Waiting { count: 0, oldest: None, refused: 1, refusal });
    // The table itself refuses a body beside a refusal.
    scene.rows(|rows| {
        rows.batch_execute("UPDATE outbox SET text = 'a secret link'").unwrap_err();
        Ok(())
    });
    let before = scene.clock.now() + time::Duration::days(28);
    assert_eq!(scene.rows(move |rows| outbox::delete_expired(rows, before, 10)), 0);
    let after = scene.clock.now() + time::Duration::days(30);
    assert_eq!(scene.rows(move |rows| outbox::delete_expired(rows, after, 10)), 1);
}

#[test]
fn a_row_that_no_mail_can_be_made_of_is_given_up() {
    let scene = Scene::new();
    scene.insert("a");
    scene.insert("b");
    scene.rows(|rows| Ok(rows.batch_execute("UPDATE outbox SET recipient = 'nobody' WHERE id = 1")?));
    let transport = Scripted::default();
    scene.process(transport.clone()).round(Force::No).unwrap();
    assert_eq!((transport.tried(), scene.health().refused), (vec!["b".to_owned()], 1));
}

#[test]
fn a_transport_that_panics_loses_nothing() {
    let scene = Scene::new();
    scene.insert("a");
    scene.insert("b");
    let transport = Scripted::new(&[Does::Panic]);
    let process = scene.process(transport.clone());
    process.round(Force::No).unwrap();
    assert_eq!((transport.tried().len(), scene.waiting()), (2, 1));
    scene.clock.advance(time::Duration::seconds(5));
    process.round(Force::No).unwrap();
    assert_eq!(scene.waiting(), 0);
}

#[test]
fn a_mail_that_hangs_holds_up_no_other() {
    let scene = Scene::new();
    scene.insert("held");
    scene.insert("b");
    scene.insert("c");
    let (memory, sent) = Memory::new();
    let (holding, held, release) = Holding::new(memory);
    let process = scene.hasty_process(holding);
    thread::scope(|scope| {
        let sending = scope.spawn(|| process.round(Force::No).unwrap());
        held.recv_timeout(DEADLINE).unwrap();
        until("the others to leave", || sent.ids().len() == 2);
        release.send(()).unwrap();
        sending.join().unwrap();
    });
    assert_eq!((sent.ids().len(), scene.waiting()), (3, 0));
}
