//! Pauses, expiry, and clocks that jump.

use super::scene::{Does, Scene, Scripted, USEFUL};
use crate::domain::clock::Clock;
use crate::jobs::outbox::delivery::{Force, pause};
use crate::store::outbox::{self, LONGEST_PAUSE};

#[test]
fn a_clock_that_jumps_loses_no_mail_and_sends_none_twice() {
    let scene = Scene::new();
    let transport = Scripted::new(&[Does::Defer]);
    let process = scene.process(transport.clone());
    scene.insert("a");
    process.round(Force::Yes).unwrap();
    assert_eq!(transport.tried(), ["a"]);
    for year in [time::Duration::days(365), time::Duration::days(-365)] {
        // Ahead, the mail looks expired; behind, its pause looks a year long.
        scene.clock.jump(year);
        transport.then(&[Does::Defer]);
        for _ in 0..3 {
            process.round(Force::Yes).unwrap();
        }
        assert!(transport.tried().len() <= 1, "no storm");
        scene.clock.jump(-year);
        assert_eq!(scene.waiting(), 1, "it is still there");
        transport.forget();
    }
    scene.clock.advance(LONGEST_PAUSE);
    process.round(Force::Yes).unwrap();
    assert_eq!((transport.tried().len(), scene.waiting()), (1, 0));
}

#[test]
fn a_clock_that_was_ahead_keeps_no_lease_and_no_pause() {
    let scene = Scene::new();
    scene.clock.jump(time::Duration::days(365));
    scene.insert("leased");
    scene.insert("put off");
    let now = scene.clock.now();
    scene.rows(move |rows| outbox::take(rows, 1, now)).unwrap();
    let transport = Scripted::new(&[Does::Defer]);
    let process = scene.process(transport.clone());
    process.round(Force::Yes).unwrap();
    assert_eq!(transport.tried(), ["put off"]);
    scene.clock.jump(time::Duration::days(-365));
    process.round(Force::Yes).unwrap();
    assert_eq!((transport.tried().len(), scene.waiting()), (2, 0));
}

#[test]
fn an_expired_mail_is_not_sent_and_goes_with_what_is_over() {
    let scene = Scene::new();
    scene.insert("a");
    scene.clock.advance(USEFUL);
    let transport = Scripted::default();
    scene.process(transport.clone()).round(Force::Yes).unwrap();
    assert_eq!((transport.tried().len(), scene.waiting()), (0, 0));
    let now = scene.clock.now();
    assert_eq!(scene.rows(move |rows| outbox::delete_expired(rows, now, 10)), 0, "not at its very end");
    assert_eq!(scene.rows(move |rows| outbox::delete_expired(rows, now + time::Duration::SECOND, 10)), 1);
}

#[test]
fn pauses_double_up_to_an_hour_and_fill_two_days() {
    let pauses: Vec<i64> = (0..10).map(|deferrals| pause(deferrals).whole_seconds()).collect();
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560]);
    assert_eq!((pause(10), pause(i64::MAX)), (LONGEST_PAUSE, LONGEST_PAUSE));
    let tries = (0..).scan(time::Duration::ZERO, |at, deferrals| {
        *at += pause(deferrals);
        (*at < USEFUL).then_some(())
    });
    assert!((30..80).contains(&tries.count()), "a server that is away for two days is asked some dozens of times");
}
