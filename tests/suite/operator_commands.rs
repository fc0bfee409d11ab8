//! `perennial user`: what whoever runs the site does beside a server that runs.

use std::process::{Command, Stdio};
use std::thread;

use diesel::Connection as _;
use perennial::accounts::{Administered, give_role};
use perennial::domain::event::Event;
use perennial::domain::id::UserId;
use perennial::domain::user::Role;
use perennial::store::{Connection, Database, StoreError};
use serde_json::Value;
use time::OffsetDateTime;

use crate::support::client::{Client, PASSWORD, REFRESH};
use crate::support::commands::{
    add, by_command, done, is_signed_out_soon, json, refused, run, server_with_admin, signed_in_again,
};
use crate::support::patience::until;
use crate::support::postgres::Postgres;
use crate::support::server::{Launch, empty_folder, files};
use crate::support::{Rows, on_postgres};

#[test]
fn an_account_is_added_with_a_password_and_signs_in_at_once() {
    let folder = empty_folder();
    let folder = folder.path();
    let (server, _) = server_with_admin(folder);
    let added = add(folder, "Ada@Example.org --name Ada_Lovelace --role editor", &format!("{PASSWORD}\n"));
    assert_eq!((added.code(), added.stderr.as_str()), (Some(0), ""), "{added:?}");
    assert_eq!(added.stdout, "Added ada@example.org as number 2, with the role editor\n");
    assert_eq!(signed_in_again(&server, "ada").get("/dashboard").unwrap().status, 200);
    let shown = json(folder, "user show ADA@example.org --json");
    assert_eq!(
        (&shown["id"], &shown["email"], &shown["role"]),
        (&2.into(), &"ada@example.org".into(), &"editor".into())
    );
    assert_eq!((&shown["is_active"], &shown["live_sessions"]), (&true.into(), &1.into()), "{shown}");
    assert!(shown["last_login_at"].is_string() && shown["created_at"].is_string(), "{shown}");
    assert_eq!(by_command(folder, "registered"), 1);
    for (line, password, words) in [
        ("ada@example.org --name Ada", PASSWORD, "has an account already"),
        ("eve@example.org --name Eve", "short", "at least 15 characters"),
        ("eve@example.org --name Eve", "", "Enter your password"),
        ("eve@example.org --name Eve", "passwordpassword", "common and leaked passwords"),
        ("eve@example.org --name Eve", "two lines of it\nand a second", "more than one line"),
    ] {
        let failed = add(folder, line, password);
        assert_eq!(failed.code(), Some(1), "{failed:?}");
        assert!(failed.complaint().contains(words), "{failed:?}");
    }
    for line in [
        "eve --name Eve",
        "eve@example.org --name \u{202e}",
        "eve@example.org",
        "eve@example.org --name Eve --role Admin",
    ] {
        assert_eq!(add(folder, line, PASSWORD).code(), Some(2), "{line}");
    }
    assert_eq!(Rows::of(folder).count("users"), 2);
}

#[test]
fn whoever_is_added_without_a_password_sets_one_by_a_mailed_link() {
    let folder = empty_folder();
    let folder = folder.path();
    let (server, _) = server_with_admin(folder);
    let public_url = format!("http://localhost:{}", server.address.port());
    let launch = Launch::in_folder(folder).set("PUBLIC_URL", &public_url);
    let added = launch.clone().words("user add ada@example.org --name Ada").finish();
    assert_eq!((added.code(), added.stderr.as_str()), (Some(0), ""), "{added:?}");
    assert!(added.stdout.contains("is mailed within seconds") && !added.stdout.contains("http"), "{added:?}");
    let mail = until("a mail", || {
        let names = if folder.join("mail").exists() { files(&folder.join("mail")) } else { Vec::new() };
        names
            .iter()
            .find(|name| name.ends_with(".eml"))
            .map(|name| std::fs::read(folder.join("mail").join(name)).unwrap())
    });
    let mail = mailparse::parse_mail(&mail).unwrap();
    let text = mail.subparts[0].get_body().unwrap();
    let link = text.lines().find(|line| line.contains("/password-reset/")).unwrap().trim();
    let mut ada = Client::of(&server);
    ada.get(link.strip_prefix(&public_url).unwrap()).unwrap();
    assert_eq!(ada.submit("/password-reset/new", "/password-reset/new", &[("password", PASSWORD)]).status, 303);
    assert_eq!(ada.sign_in("ada").status, 303);
    assert_eq!((by_command(folder, "registered"), by_command(folder, "password_reset_requested")), (1, 1));
    let stopped = server.stop();
    assert_eq!(stopped.code(), Some(0));
    let said = launch.words("user add eve@example.org --name Eve").finish().stdout;
    assert!(said.contains("No server runs") && said.contains("perennial user reset-link 3"), "{said}");
}

#[test]
fn the_first_account_of_all_is_an_administrators_unless_somebody_says_otherwise() {
    for (role, expected) in [("", "admin"), (" --role user", "user")] {
        let folder = empty_folder();
        let added = add(folder.path(), &format!("ada@example.org --name Ada{role}"), PASSWORD);
        assert_eq!(added.stdout, format!("Added ada@example.org as number 1, with the role {expected}\n"), "{added:?}");
    }
}

#[test]
fn accounts_are_listed_and_found() {
    let folder = empty_folder();
    let folder = folder.path();
    let (_server, _) = server_with_admin(folder);
    for name in ["ada", "100%", "under_score"] {
        add(folder, &format!("{}@example.org --name {name}_Name", name.trim_end_matches('%')), PASSWORD);
    }
    let emails = |line: &str| {
        let rows = json(folder, line);
        rows.as_array().unwrap().iter().map(|row| row["email"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = ["root@example.org", "ada@example.org", "100@example.org", "under_score@example.org"];
    assert_eq!(emails("user list --json"), all);
    assert_eq!(emails("user list --json --search LOVELACE"), ["root@example.org"]);
    assert_eq!(emails("user list --json --search ADA"), ["root@example.org", "ada@example.org"]);
    assert_eq!(emails("user list --json --search %"), ["100@example.org"]);
    assert_eq!(emails("user list --json --search r_s"), ["under_score@example.org"]);
    assert_eq!(emails("user list --json --search nobody"), [""; 0]);
    let some = run(folder, "user list --json --limit 2");
    assert_eq!(serde_json::from_str::<Value>(&some.stdout).unwrap().as_array().unwrap().len(), 2);
    assert!(some.stderr.contains("more than these 2"), "{some:?}");
    let table = done(folder, "user list");
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 5, "{table}");
    let column = lines[0].find("NAME").unwrap();
    assert!(lines[1][column..].starts_with("Ada Lovelace") && lines[2][column..].starts_with("ada_Name"), "{table}");
    assert!(!table.contains('\x1b'), "colours are for terminals");
    assert!(done(folder, "user show 2").contains("ada@example.org"));
}

#[test]
fn a_deactivated_account_is_out_within_a_second_and_its_sign_ins_never_live_again() {
    let folder = empty_folder();
    let folder = folder.path();
    let (server, mut root) = server_with_admin(folder);
    let mut ada = Client::of(&server);
    ada.register("ada");
    assert_eq!(done(folder, "user deactivate ada@example.org"), "Deactivated ada@example.org; 1 sign-in has ended\n");
    is_signed_out_soon(&mut ada);
    assert!(ada.get("/login").unwrap().body.contains("This account is deactivated"));
    assert_eq!(Client::of(&server).sign_in("ada").status, 401);
    assert!(done(folder, "user deactivate 2").contains("was deactivated already"));
    assert!(done(folder, "user activate 2").contains("Activated ada@example.org"));
    assert!(done(folder, "user activate 2").contains("was active already"));
    assert!(!ada.is_signed_in(), "what ended stays ended");
    assert_eq!(
        until("the account", || Some(Client::of(&server).sign_in("ada").status).filter(|status| *status == 303)),
        303
    );
    assert!(root.is_signed_in());
    for kind in ["user_deactivated", "user_activated", "session_revoked"] {
        assert_eq!(by_command(folder, kind), 1, "{kind}");
    }
}

#[test]
fn the_last_administrator_stays_one() {
    let folder = empty_folder();
    let folder = folder.path();
    let (_server, mut root) = server_with_admin(folder);
    add(folder, "ada@example.org --name Ada", PASSWORD);
    for line in ["user deactivate 1", "user role 1 user", "user role root@example.org editor"] {
        assert!(refused(folder, line, 1).contains("last active administrator"), "{line}");
    }
    assert!(done(folder, "user role 1 admin").contains("already"));
    done(folder, "user role 2 admin");
    done(folder, "user deactivate 2");
    assert!(refused(folder, "user role 1 user", 1).contains("last active"), "one who may not sign in does not count");
    done(folder, "user activate 2");
    assert_eq!(done(folder, "user role 1 user"), "root@example.org has the role user from now on\n");
    assert!(refused(folder, "user deactivate 2", 1).contains("last active"));
    assert!(root.is_signed_in(), "another role ends no sign-in");
    let roles: Vec<_> = Rows::of(folder).events_of("role_changed").iter().map(|event| event.detail("role")).collect();
    assert_eq!(roles, ["admin", "user"]);
}

#[test]
fn two_administrators_who_demote_each_other_at_once_leave_one() {
    let folder = empty_folder();
    let folder = folder.path();
    let (_server, _) = server_with_admin(folder);
    add(folder, "ada@example.org --name Ada --role admin", PASSWORD);
    for round in 0..6 {
        let line =
            if round % 2 == 0 { "user role 1 user/user role 2 user" } else { "user deactivate 1/user role 2 user" };
        let acts = line.split('/').map(|line| Launch::in_folder(folder).words(line).begin()).collect::<Vec<_>>();
        let codes: Vec<_> = acts.into_iter().map(|act| act.finish().code()).collect();
        assert!(codes.contains(&Some(0)) && codes.contains(&Some(1)), "{line}: {codes:?}");
        let mut rows = Rows::of(folder);
        assert_eq!(rows.number("SELECT count(*) FROM users WHERE role = 'admin' AND is_active"), 1, "{line}");
        rows.execute("UPDATE users SET role = 'admin', is_active = TRUE");
    }
}

#[test]
fn nothing_that_is_printed_opens_anything_or_moves_a_cursor() {
    let folder = empty_folder();
    let folder = folder.path();
    let (server, _) = server_with_admin(folder);
    let mut ada = Client::of(&server);
    ada.register("ada");
    Rows::of(folder).execute(
        "UPDATE users SET full_name = 'A\x1b[2J\u{9b}31m\u{202e}b' WHERE id = 2; \
         UPDATE sessions SET user_agent = 'x\x1b]0;y\u{7}', address = '\x1b[1m' WHERE user_id = 2",
    );
    let token = ada.jar.get(REFRESH).unwrap().to_owned();
    let hash = Rows::of(folder).text("SELECT password_hash FROM users WHERE id = 2");
    for line in ["user list", "user show 2", "session list", "event list", "token stats"] {
        for line in [line.to_owned(), format!("{line} --json")] {
            let said = done(folder, &line);
            assert!(said.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{line}: {said:?}");
            assert!(!said.contains(&token) && !said.contains(&hash) && !said.contains("$2b$"), "{line}: {said}");
        }
    }
    let shown = json(folder, "user show 2 --json");
    assert_eq!(shown["full_name"], "A\x1b[2J\u{9b}31m\u{202e}b", "a program reads what is there");
}

#[test]
fn what_is_unknown_fails_with_one_line_and_wrong_usage_with_two() {
    let folder = empty_folder();
    let folder = folder.path();
    if !on_postgres() {
        for line in ["user list", "user show 1", "session list", "event list", "event follow", "token stats --json"] {
            assert!(refused(folder, line, 1).contains("there is no database"), "{line}");
        }
        assert_eq!(files(folder), [""; 0], "none is made");
    }
    let (_server, _) = server_with_admin(folder);
    for user in ["2", "0", "eve@example.org", "eve", "\x1b[2J", "99999999999999999999"] {
        for line in [
            "user show {}",
            "user deactivate {}",
            "user activate {}",
            "user role {} admin",
            "session list --json --user {}",
            "session revoke --user {}",
            "event list --json --user {}",
        ] {
            let line = refused(folder, &line.replace("{}", user), 1);
            assert!(line.contains("there is no user") && !line.contains('\x1b'), "{line}");
        }
    }
    for id in ["x", "00000000-0000-7000-8000-000000000000", "-1", "AAAAAAAAAAAAAAAAAAAAAA"] {
        assert!(refused(folder, &format!("session revoke {id}"), 1).contains("there is no sign-in"), "{id}");
    }
    for line in [
        "session revoke",
        "session revoke --all --user 1",
        "session",
        "user list --limit 0",
        "user list --limit x",
        "user role 1",
        "user role 1 Admin",
        "event list --type Signed-In",
        "token",
    ] {
        assert_eq!(run(folder, line).code(), Some(2), "{line}");
    }
    assert_eq!(Rows::of(folder).number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"), 1);
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let folder = empty_folder();
    let (_server, _) = server_with_admin(folder.path());
    for line in ["user list", "event list --json", "man", "completions zsh"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_perennial"));
        let database = crate::support::url_in(folder.path());
        command.args(line.split(' ')).env_clear().current_dir(folder.path()).env("DATABASE_URL", database);
        command.env("JWT_SECRET_KEY", "a key of the test suite with 32 bytes or more");
        let output = command.stdin(Stdio::null()).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{line}");
    }
}

#[test]
#[ignore = "needs PostgreSQL"]
fn whoever_demotes_an_administrator_waits_for_whoever_else_does() {
    let server = Postgres::start();
    let url = server.database("admins");
    let (database, _) = Database::open(&url.parse().unwrap()).unwrap();
    let mut rows = Rows::at(&url);
    rows.execute(
        "INSERT INTO users (id, email, full_name, password_hash, role, created_at) \
         VALUES (1, 'a', 'A', '', 'admin', 0), (2, 'b', 'B', '', 'admin', 0)",
    );
    let now = OffsetDateTime::UNIX_EPOCH;
    let demote = move |connection: &mut Connection, user: i64| {
        let user = UserId(user);
        give_role(connection, user, &Role::USER, |kind| Event::of_command(kind, Some(user), now))
    };
    let mut first = database.connect().unwrap();
    let other = database.clone();
    let second = first.transaction(|connection| {
        assert!(matches!(demote(connection, 1)?, Administered::Done { .. }));
        let second = thread::spawn(move || other.write_blocking(move |connection| demote(connection, 2)));
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        until("somebody who waits", || (rows.number(waiting) == 1).then_some(()));
        Ok::<_, StoreError>(second)
    });
    let second = second.unwrap().join().unwrap().unwrap();
    assert!(matches!(second, Administered::LastAdmin(_)), "{second:?}");
    assert_eq!(Rows::at(&url).number("SELECT count(*) FROM users WHERE role = 'admin'"), 1);
}
