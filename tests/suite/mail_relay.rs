//! Mail is no relay for strangers: whoever registers somebody else's address decides neither what a mail says nor how
//! many go.

use std::thread;

use perennial::mail::Email;
use perennial::store::{Database, mail_limits};
use time::Duration;

use crate::support::{Browser, EMAIL, PASSWORD, START, TestApp, url_in};

/// What somebody would like to have sent from here.
const NAME: &str = "Your account is locked, confirm at http://evil.example/?x";

/// The same, where a program names itself.
const USER_AGENT: &str = "Firefox/140.0 (call +1 555 0100 at once) http://evil.example";

/// Mails that may go to one address within an hour.
const LIMIT: usize = 5;

/// Lets every browser be copied, and every copy be caught at the same time.
async fn stolen(app: &TestApp, owners: &[Browser]) {
    let thieves: Vec<_> = owners.to_vec();
    for browsers in [&thieves[..], owners] {
        app.advance(Duration::minutes(16));
        for browser in browsers {
            assert!(browser.is_signed_in().await);
        }
    }
    app.advance(Duration::minutes(16));
    for thief in &thieves {
        assert!(!thief.is_signed_in().await);
    }
}

/// Returns everything of a mail that somebody may read.
fn readable(mail: &Email) -> String {
    [mail.to.as_str(), &mail.subject, &mail.text, &mail.html].join("\n")
}

/// Signs in to one account with so many browsers.
async fn signed_in(app: &TestApp, count: usize) -> Vec<Browser> {
    let browsers: Vec<_> = (0..count).map(|_| app.browser()).collect();
    for browser in &browsers {
        browser.sign_in().await;
    }
    browsers
}

#[actix_web::test]
async fn nothing_that_a_registrant_wrote_is_in_a_mail() {
    let app = TestApp::start().await;
    let mut registrant = app.browser();
    registrant.user_agent = USER_AGENT.to_owned();
    let fields = [("full_name", NAME), ("email", "victim@example.com"), ("password", PASSWORD)];
    registrant.submit("/register", "/register", &[&fields[..], &[("keep_signed_in", "on")]].concat()).await;
    stolen(&app, &[registrant]).await;
    let [mail] = app.mail().try_into().unwrap();
    assert_eq!(mail.to.as_str(), "victim@example.com");
    let said = readable(&mail);
    for word in ["locked", "evil", "Firefox", "call", "555"] {
        assert!(!said.contains(word), "{word}: {said}");
    }
    assert!(said.contains("192.0.2.1") && said.contains("If you have no account here"), "{said}");
    assert!(app.rows().text("SELECT full_name FROM users").contains("locked"), "it is theirs all the same");
}

#[actix_web::test]
async fn five_mails_an_hour_go_to_one_address_and_no_more() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let owners = signed_in(&app, LIMIT + 2).await;
    let other = app.browser();
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", PASSWORD)];
    other.submit("/register", "/register", &[&fields[..], &[("keep_signed_in", "on")]].concat()).await;
    let all = [&owners[..], &[other]].concat();
    stolen(&app, &all).await;
    // A new device is told to its owner, and no stranger can cause that.
    let to = |address: &str| {
        let mails = app.mail();
        mails.iter().filter(|mail| mail.to.as_str() == address && mail.subject.contains("two places")).count()
    };
    assert_eq!((to(EMAIL), to("grace@example.org")), (LIMIT, 1));
    assert_eq!(app.rows().count_events("refresh_token_replayed"), 8, "the others are found out all the same");
    assert_eq!(app.rows().number("SELECT count(*) FROM sessions WHERE revoked_because = 'replayed'"), 8);
    for owner in &owners {
        let login = owner.get("/login").await;
        assert!(login.says("This sign-in was ended to keep you safe"), "and everybody is told where they sign in");
    }
    // It takes 48 minutes to be found out: by then, the hour is not over.
    stolen(&app, &signed_in(&app, 1).await).await;
    assert_eq!(to(EMAIL), LIMIT);
    stolen(&app, &signed_in(&app, 1).await).await;
    assert_eq!(to(EMAIL), LIMIT + 1, "an hour later another may go");
}

fn take(database: &Database, to: &str, seconds: i64) -> bool {
    let (to, now) = (to.parse().unwrap(), START + Duration::seconds(seconds));
    database.write_blocking(move |connection| mail_limits::take(connection, &to, now)).unwrap()
}

#[test]
fn any_hour_has_five_wherever_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = Database::open(&url_in(folder.path()).parse().unwrap()).unwrap();
    let taken = |seconds| take(&database, EMAIL, seconds);
    let minute = 60;
    for at in [0, 10, 20, 30, 40] {
        assert!(taken(at * minute), "{at}");
    }
    for (seconds, allowed) in [(3599, false), (3600, true), (3601, false), (4199, false), (4200, true), (4201, false)] {
        assert_eq!(taken(seconds), allowed, "{seconds}");
    }
    assert!(take(&database, "grace@example.org", 4201));
    // A clock that was a day ahead, and is put right, keeps nobody waiting for a day; one that is a little behind is no
    // way around the limit.
    (0..LIMIT).for_each(|_| assert!(take(&database, "fast@example.org", 86_400)));
    assert!(!take(&database, "fast@example.org", 86_400 - 30));
    assert!(take(&database, "fast@example.org", 0));
}

#[test]
fn of_many_at_once_five_go() {
    let folder = tempfile::tempdir().unwrap();
    let url = url_in(folder.path()).parse().unwrap();
    let processes = [(); 2].map(|()| Database::open(&url).unwrap().0);
    let allowed = thread::scope(|scope| {
        let threads: Vec<_> = (0..12)
            .map(|number| {
                let database = processes[number % 2].clone();
                scope.spawn(move || (0..3).filter(|_| take(&database, EMAIL, 0)).count())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
    });
    assert_eq!(allowed, LIMIT);
}

#[actix_web::test]
async fn an_address_is_forgotten_once_its_last_mail_is_history() {
    let app = TestApp::start().await;
    app.signed_in().await;
    stolen(&app, &signed_in(&app, 1).await).await;
    let rows = "SELECT count(*) FROM mail_limits";
    assert_eq!(app.rows().number(rows), 1);
    let sweep = || app.retention().sweep(|_| perennial::jobs::Continue::Yes).unwrap();
    sweep();
    assert_eq!(app.rows().number(rows), 1);
    for _ in 0..5 {
        app.advance(Duration::hours(12));
        sweep();
    }
    assert_eq!(app.rows().number(rows), 0);
}
