//! Events that are delivered to the code of an application.

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration as Wait;

use futures_util::StreamExt;
use perennial::domain::clock::Clock;
use perennial::jobs::Continue;
use perennial::{
    AccountEvent, AccountEvents, Application, EventCursor, EventType, HookError, NewAccount, StartError, UserId,
};
use time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::support::patience::until;
use crate::support::postgres::Postgres;
use crate::support::{Rows, TestApp, url_in};

/// How long an event is waited for at most: many times what it takes, and longer than a lease.
const AT_MOST: Wait = Wait::from_secs(30);

/// How long nothing must come for a test to believe that nothing does: several looks into the trail.
const QUIET: Wait = Wait::from_millis(1_200);

/// What a hook told of the events that it got.
struct Told(UnboundedReceiver<AccountEvent>);

impl Told {
    async fn next(&mut self) -> AccountEvent {
        timeout(AT_MOST, self.0.recv()).await.expect("an event is delivered").expect("the hook is there")
    }

    /// Returns the names of the next events.
    async fn names(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(self.next().await.name);
        }
        names
    }

    async fn assert_nothing_more(&mut self) {
        let more = timeout(QUIET, self.0.recv()).await;
        assert!(more.is_err(), "{more:?}");
    }
}

/// Registers a hook that tells of each event and then does what `deal` says.
fn hook(
    perennial: &Application,
    cursor: impl Into<EventCursor>,
    deal: impl AsyncFn(&AccountEvent) -> Result<(), HookError> + Send + 'static,
) -> Told {
    let (tell, told): (UnboundedSender<AccountEvent>, _) = unbounded_channel();
    let hook = async move |event: AccountEvent| {
        tell.send(event.clone())?;
        deal(&event).await
    };
    perennial.on_event(cursor, hook).unwrap();
    Told(told)
}

/// Registers a hook that tells of each event.
fn listen(app: &TestApp, cursor: impl Into<EventCursor>) -> Told {
    hook(app.application(), cursor, async |_| Ok(()))
}

/// Has something happen: two events.
async fn register(app: &TestApp) {
    app.browser().register().await;
}

/// Commits an event of this name in a transaction of its own.
fn insert(rows: &mut Rows, name: &str) {
    rows.execute(&format!("INSERT INTO auth_events (event_type, details, created_at) VALUES ('{name}', '{{}}', 0)"));
}

#[actix_web::test]
async fn a_hook_is_told_of_everything_after_its_commit_and_in_order() {
    let app = TestApp::start().await;
    register(&app).await;
    let mut told = listen(&app, "everything");
    let browser = app.browser();
    browser.sign_in().await;
    let session = browser.session();
    let event = told.next().await;
    assert_eq!((event.kind, event.name.as_str()), (Some(EventType::SignedIn), "signed_in"), "and nothing from before");
    assert_eq!((event.user, event.email.as_deref()), (Some(UserId(1)), Some("ada@example.org")));
    assert_eq!(event.session.map(|session| session.to_string()), Some(session));
    assert_eq!((event.address.is_some(), event.by), (true, None));
    browser.sign_out().await;
    assert_eq!(told.next().await.kind, Some(EventType::SignedOut));
    let accounts = app.application().accounts();
    let grace = accounts.create(NewAccount::new("grace@example.org", "Grace").role("editor")).await.unwrap().id;
    let event = told.next().await;
    assert_eq!((event.kind, event.user), (Some(EventType::Registered), Some(grace)));
    assert_eq!((event.role.as_deref(), event.by.as_deref()), (Some("editor"), Some("application")));
    assert_eq!(told.next().await.kind, Some(EventType::PasswordResetRequested));
    accounts.delete(grace).await.unwrap();
    let event = told.next().await;
    assert_eq!((event.kind, event.user, event.email), (Some(EventType::UserDeleted), Some(grace), None));
    insert(&mut app.rows(), "of_a_later_version");
    let event = told.next().await;
    assert_eq!((event.kind, event.name.as_str(), event.user), (None, "of_a_later_version", None));
    told.assert_nothing_more().await;
}

#[test]
fn a_hook_of_the_builder_is_told_of_the_first_event_of_all_without_a_runtime_around_it() {
    let folder = tempfile::tempdir().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let builder = Application::builder().settings(|arguments| {
        arguments.jwt_secret_key = Some("a key of the test suite with 32 bytes or more".to_owned());
        arguments.database_url = Some(url_in(folder.path()));
        arguments.mail_dir = folder.path().join("mail").to_str().map(str::to_owned);
        arguments.bcrypt_cost = Some("4".to_owned());
    });
    let application = builder.on_event("first", async move |event| Ok(tell.send(event.name)?)).build().unwrap();
    let ada = NewAccount::new("ada@example.org", "Ada").without_mail();
    actix_web::rt::System::new().block_on(application.accounts().create(ada)).unwrap();
    assert_eq!(told.recv_timeout(AT_MOST).unwrap(), "registered");
}

#[actix_web::test]
async fn what_was_rolled_back_is_never_told() {
    let app = TestApp::start().await;
    register(&app).await;
    let mut told = listen(&app, "rolled back");
    let mut rows = app.rows();
    rows.execute("BEGIN");
    insert(&mut rows, "undone");
    rows.execute("ROLLBACK");
    app.browser().sign_in().await;
    assert_eq!(told.next().await.name, "signed_in");
    told.assert_nothing_more().await;
}

#[actix_web::test]
async fn what_happens_while_no_process_has_the_hook_is_told_later_and_nothing_twice() {
    let app = TestApp::start().await;
    let mut told = listen(&app, "mail list");
    register(&app).await;
    assert_eq!(told.names(2).await, ["registered", "signed_in"]);
    let app = app.restart().await;
    // Committed by a process that ends before anybody tells of it.
    app.browser().sign_in().await;
    let app = app.restart().await;
    let mut told = listen(&app, "mail list");
    let mut new = listen(&app, "another name");
    let mut all = listen(&app, EventCursor::new("from the first").from_oldest());
    assert_eq!(told.next().await.name, "signed_in");
    assert_eq!(all.names(3).await, ["registered", "signed_in", "signed_in"]);
    for told in [&mut told, &mut new, &mut all] {
        told.assert_nothing_more().await;
    }
}

#[actix_web::test]
async fn a_hook_that_fails_is_called_again_before_anything_else_and_holds_up_no_other() {
    let app = TestApp::start().await;
    let failures = Cell::new(2);
    let mut told = hook(app.application(), "fails twice", async move |_| {
        failures.set(failures.get() - 1);
        if failures.get() >= 0 { Err("not now".into()) } else { Ok(()) }
    });
    let mut panics = hook(app.application(), "panics", async |_| panic!("a fault of the application"));
    let mut other = listen(&app, "other");
    register(&app).await;
    assert_eq!(other.names(2).await, ["registered", "signed_in"]);
    for pause in [1, 2] {
        assert_eq!(told.names(1).await, ["registered"]);
        told.assert_nothing_more().await;
        app.clock.advance(Duration::seconds(pause) - Duration::seconds(1));
        told.assert_nothing_more().await;
        app.clock.advance(Duration::seconds(1));
    }
    assert_eq!(told.names(2).await, ["registered", "signed_in"]);
    told.assert_nothing_more().await;
    assert_eq!(panics.names(2).await, ["registered", "registered"]);
    other.assert_nothing_more().await;
}

#[actix_web::test]
async fn whoever_starts_a_process_has_what_failed_tried_at_once() {
    let app = TestApp::start().await;
    let mut told = hook(app.application(), "broken", async |_| Err("a mistake of the application".into()));
    register(&app).await;
    told.next().await;
    drop(told);
    let app = app.restart().await;
    let mut told = listen(&app, "broken");
    assert_eq!(told.names(2).await, ["registered", "signed_in"]);
}

#[actix_web::test]
async fn what_a_process_was_delivering_when_it_ended_is_told_by_the_next() {
    let app = TestApp::start().await;
    let mut begun = hook(app.application(), "slow", async |event| {
        if event.kind == Some(EventType::SignedIn) { std::future::pending().await } else { Ok(()) }
    });
    register(&app).await;
    assert_eq!(begun.next().await.name, "registered");
    let begun = begun.next().await;
    let app = app.restart().await;
    let mut told = listen(&app, "slow");
    assert_eq!(told.next().await, begun, "under the same number");
    told.assert_nothing_more().await;
}

#[actix_web::test]
async fn of_several_processes_one_tells_of_each_event() {
    let app = TestApp::start().await;
    let other = app.another_process().await;
    // One list for both: what each has told waits in a queue of its own, so those say nothing of the order.
    let dealt_with = Arc::new(Mutex::new(Vec::new()));
    let dealing = || {
        let dealt_with = Arc::clone(&dealt_with);
        async move |event: &AccountEvent| {
            dealt_with.lock().unwrap().push(event.id);
            Ok(())
        }
    };
    let mut here = hook(app.application(), "shared", dealing());
    let mut there = hook(other.application(), "shared", dealing());
    register(&app).await;
    for _ in 0..5 {
        other.browser().sign_in().await;
    }
    for _ in 0..7 {
        tokio::select! { _ = here.next() => {}, _ = there.next() => {} }
    }
    here.assert_nothing_more().await;
    there.assert_nothing_more().await;
    let ids = dealt_with.lock().unwrap();
    assert!(ids.len() == 7 && ids.is_sorted_by(|earlier, later| earlier < later), "{ids:?}");
}

#[actix_web::test]
async fn once_a_process_has_died_another_goes_on_with_what_it_was_delivering() {
    let app = TestApp::start().await;
    let mut begun = hook(app.application(), "shared", async |_| std::future::pending().await);
    register(&app).await;
    let begun = begun.next().await;
    let other = app.another_process().await;
    let mut told = listen(&other, "shared");
    told.assert_nothing_more().await;
    // From here on the first one renews nothing, as if it were gone; a server measures the lease by its own clock.
    app.set_stopped(true);
    app.clock.advance(Duration::seconds(9));
    assert_eq!(told.next().await, begun);
    assert_eq!(told.next().await.name, "signed_in");
    app.set_stopped(false);
    told.assert_nothing_more().await;
}

#[actix_web::test]
async fn a_stream_tells_the_same_and_what_was_not_dealt_with_comes_again() {
    let app = TestApp::start().await;
    let mut events = app.application().events("stream").unwrap();
    assert!(matches!(app.application().events("stream"), Err(StartError::Hook { .. })), "one reads");
    register(&app).await;
    let next = async |events: &mut AccountEvents| timeout(AT_MOST, events.next()).await.unwrap();
    let (first, second) = (next(&mut events).await.unwrap(), next(&mut events).await.unwrap());
    assert_eq!((first.name.as_str(), second.name.as_str()), ("registered", "signed_in"));
    drop(events);
    let mut again = app.application().events("stream").unwrap();
    assert_eq!(next(&mut again).await, Some(second), "nobody said that it was dealt with");
    drop(app);
    assert_eq!(next(&mut again).await, None);
}

#[actix_web::test]
async fn a_name_that_no_hook_can_have_is_refused() {
    let app = TestApp::start().await;
    let _told = listen(&app, "taken");
    for name in ["", &"x".repeat(101), "taken"] {
        let refused = app.application().on_event(name, async |_| Ok(())).unwrap_err();
        assert!(refused.to_string().starts_with(&format!("the hook {name:?} cannot be: ")), "{refused}");
    }
}

#[actix_web::test]
async fn a_hook_that_is_gone_keeps_no_event_and_leaves_nothing_behind() {
    let app = TestApp::with(|arguments| arguments.event_retention = Some("1d".to_owned())).await;
    let mut told = listen(&app, "removed");
    register(&app).await;
    told.names(2).await;
    let app = app.restart().await;
    let _told = listen(&app, "stays");
    let retention = app.retention();
    for _ in 0..5 {
        app.clock.advance(Duration::days(1));
        let today = app.clock.now().unix_timestamp();
        until("a hook that says that it is there", || {
            let said = format!("SELECT count(*) FROM event_cursors WHERE name = 'stays' AND used_at = {today}");
            (app.rows().number(&said) == 1).then_some(())
        });
        std::thread::scope(|scope| scope.spawn(|| retention.sweep(|_| Continue::Yes).unwrap()).join().unwrap());
    }
    assert_eq!(app.rows().count("auth_events"), 0);
    assert_eq!(app.rows().text("SELECT name FROM event_cursors"), "stays");
}

#[actix_web::test]
#[ignore = "needs PostgreSQL"]
async fn an_event_that_is_committed_late_is_told_too_and_by_the_next_process_as_well() {
    let server = Postgres::start();
    let url = server.database("hooks");
    let app = TestApp::with(|arguments| arguments.database_url = Some(url.clone())).await;
    let mut told = listen(&app, "late");
    let (mut slow, mut slower, mut quick) = (Rows::at(&url), Rows::at(&url), Rows::at(&url));
    for (rows, name) in [(&mut slow, "slow"), (&mut slower, "slower")] {
        rows.execute("BEGIN");
        insert(rows, name);
    }
    insert(&mut quick, "first");
    assert_eq!(told.next().await.name, "first");
    for _ in 0..3 {
        app.clock.advance(Duration::minutes(1));
        insert(&mut quick, "next");
        assert_eq!(told.next().await.name, "next");
    }
    slow.execute("COMMIT");
    assert_eq!(told.next().await.name, "slow");
    told.assert_nothing_more().await;
    let app = app.restart().await;
    let mut told = listen(&app, "late");
    insert(&mut quick, "last");
    assert_eq!(told.next().await.name, "last", "and nothing twice");
    slower.execute("COMMIT");
    assert_eq!(told.next().await.name, "slower");
    app.clock.advance(Duration::minutes(1));
    told.assert_nothing_more().await;
    // The transactions that left gaps are over: nothing is looked for any more.
    app.clock.advance(Duration::minutes(1));
    insert(&mut quick, "end");
    assert_eq!(told.next().await.name, "end");
    let missing = "SELECT missing FROM event_cursors";
    until("no gap", || quick.text(missing).is_empty().then_some(()));
}
