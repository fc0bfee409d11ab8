//! `perennial user`: what is done to accounts on the command line, beside a server that runs.

use crate::support::client::{Client, PASSWORD};
use crate::support::reset::{DEAD, NEW, NEW_PASSWORD};
use crate::support::server::{Finished, Launch, empty_folder, files};
use crate::support::{Rows, on_postgres};

fn reset_link(launch: &Launch, user: &str) -> Finished {
    ["user", "reset-link", user].iter().fold(launch.clone(), |launch, word| launch.argument(word)).finish()
}

#[test]
fn a_link_on_the_command_line_sets_a_password_where_there_is_no_mail() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).start();
    let public_url = format!("http://localhost:{}", server.address.port());
    let launch = Launch::in_folder(folder.path()).set("PUBLIC_URL", &public_url);
    let mut owner = Client::of(&server);
    owner.register("ada");
    let old = reset_link(&launch, "1");
    let made = reset_link(&launch, "Ada@example.org");
    for made in [&old, &made] {
        assert_eq!((made.code(), made.stderr.as_str()), (Some(0), ""), "{made:?}");
        let token = made.stdout.strip_prefix(&format!("{public_url}/password-reset/")).unwrap().trim_end();
        assert_eq!((token.len(), made.stdout.lines().count()), (43, 1), "{made:?}");
    }
    let path = |made: &Finished| made.stdout.trim_end().strip_prefix(&public_url).unwrap().to_owned();
    let mut visitor = Client::of(&server);
    assert_eq!(visitor.get(&path(&old)).unwrap().header("location"), Some(NEW));
    assert!(visitor.get(NEW).unwrap().body.contains(DEAD), "only the newest works");
    visitor.get(&path(&made)).unwrap();
    let done = visitor.submit(NEW, NEW, &[("password", NEW_PASSWORD)]);
    assert_eq!((done.status, done.header("location")), (303, Some("/login")), "{done:?}");
    assert!(!owner.is_signed_in());
    let sign_in = |password| {
        let fields = [("email", "ada@example.org"), ("password", password)];
        Client::of(&server).submit("/login", "/login", &fields).status
    };
    assert_eq!((sign_in(PASSWORD), sign_in(NEW_PASSWORD)), (401, 303));
    let asked = Rows::of(folder.path()).events_of("password_reset_requested");
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|event| event.user_id == Some(1) && event.detail("by") == "command line"), "{asked:?}");
    owner.submit("/login", "/login", &[("email", "ada@example.org"), ("password", NEW_PASSWORD)]);
    let activity = owner.get("/activity").unwrap().body;
    assert!(activity.contains("A link for a new password was made"), "{activity}");
    assert!(activity.contains("Done by whoever runs this site"), "{activity}");
}

#[test]
fn a_link_for_nobody_fails_with_one_line() {
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path());
    if !on_postgres() {
        let missing = reset_link(&launch, "ada@example.org");
        assert_eq!((missing.code(), missing.stdout.as_str()), (Some(1), ""), "{missing:?}");
        assert!(missing.complaint().contains("there is no database"), "{missing:?}");
        assert_eq!(files(folder.path()), [""; 0], "none is made");
    }
    let server = launch.start();
    Client::of(&server).register("ada");
    for user in ["2", "-1", "0", "grace@example.org", "ada", "", "\x1b[2J", "99999999999999999999"] {
        let failed = reset_link(&launch, user);
        let code = if user == "-1" { 2 } else { 1 };
        assert_eq!((failed.code(), failed.stdout.as_str()), (Some(code), ""), "{user:?} {failed:?}");
        assert!(code == 2 || failed.complaint().contains("there is no user"), "{failed:?}");
        assert!(!failed.stderr.contains('\x1b'), "{failed:?}");
    }
    Rows::of(folder.path()).execute("UPDATE users SET is_active = FALSE");
    let failed = reset_link(&launch, "1");
    assert_eq!((failed.code(), failed.stdout.as_str()), (Some(1), ""), "{failed:?}");
    assert!(failed.complaint().contains("is deactivated"), "{failed:?}");
    assert_eq!(Rows::of(folder.path()).count("auth_tokens"), 0);
}
