//! `perennial user import`: everybody in a file, or nobody.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use rustix::fs::{CWD, Mode, mkfifoat};

use crate::support::Rows;
use crate::support::client::{Client, PASSWORD};
use crate::support::server::{Begun, Finished, Launch, empty_folder, free_port};

fn import_file(folder: &Path, csv: &str) -> Finished {
    import(folder, "users.csv", csv, &[])
}

fn import(folder: &Path, file: &str, text: impl AsRef<[u8]>, more: &[&str]) -> Finished {
    fs::write(folder.join(file), text).unwrap();
    let launch = Launch::in_folder(folder).argument("user").argument("import").argument(file);
    more.iter().fold(launch, |launch, argument| launch.argument(argument)).finish()
}

fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).unwrap()
}

/// Tells whether somebody gets in.
fn signs_in(client: &mut Client, email: &str, password: &str) -> bool {
    let answer = client.submit("/login", "/login", &[("email", email), ("password", password)]);
    assert!([303, 401].contains(&answer.status), "{answer:?}");
    answer.status == 303
}

#[test]
fn everybody_in_a_file_can_sign_in_and_gets_a_new_hash() {
    let folder = empty_folder();
    let versions = ["$2a$", "$2b$", "$2y$"].map(|version| hash(PASSWORD).replacen("$2b$", version, 1));
    let [a, b, y] = &versions;
    let csv = format!(
        "full_name,is_active,email,password_hash\r\nAda Lovelace,true,Ada@Example.org,{a}\r\n\
         \"Hopper, \"\"Grace\"\"\",1,grace@example.org,{b}\r\nAlan,0,alan@example.org,{y}\r\n"
    );
    let finished = import(folder.path(), "users.csv", csv, &[]);
    assert_eq!((finished.code(), &*finished.stdout, &*finished.stderr), (Some(0), "Imported 3 users\n", ""));
    let json = format!(
        "{{\"email\":\"b@example.org\",\"full_name\":\"Bébé\",\"password_hash\":\"{b}\"}}\n\n\
         {{\"email\":\"c@example.org\",\"full_name\":\"C\",\"password_hash\":\"{y}\",\"is_active\":false}}\n\
         {{\"email\":\"d@example.org\",\"full_name\":\"D\",\"password_hash\":\"{a}\",\"is_active\":1}}"
    );
    let finished = import(folder.path(), "users.jsonl", json, &[]);
    assert_eq!((finished.code(), &*finished.stdout, &*finished.stderr), (Some(0), "Imported 3 users\n", ""));

    let mut rows = Rows::of(folder.path());
    let columns = "email || ' ' || full_name || ' ' || role || CASE WHEN is_active THEN ' active' ELSE '' END";
    assert_eq!(
        rows.text(&format!("SELECT string_agg({columns}, '; ' ORDER BY id) FROM users")),
        "ada@example.org Ada Lovelace user active; grace@example.org Hopper, \"Grace\" user active; \
         alan@example.org Alan user; b@example.org Bébé user active; c@example.org C user; d@example.org D user active"
    );
    let events = rows.events();
    assert_eq!(events.iter().map(|event| event.user_id).collect::<Vec<_>>(), (1..=6).map(Some).collect::<Vec<_>>());
    assert!(events.iter().all(|event| event.event_type == "registered" && event.detail("by") == "command line"));

    let server = Launch::in_folder(folder.path()).start();
    for (email, gets_in) in
        [("ada@example.org", true), ("grace@example.org", true), ("d@example.org", true), ("alan@example.org", false)]
    {
        let mut client = Client::of(&server);
        assert!(!signs_in(&mut client, email, "three other words"), "{email}");
        assert_eq!(signs_in(&mut client, email, PASSWORD), gets_in, "{email}");
        let stored = rows.text(&format!("SELECT password_hash FROM users WHERE email = '{email}'"));
        assert_eq!(stored.starts_with("hmac-sha384:1:$2b$04$"), gets_in, "{email}: {stored}");
        if gets_in {
            let page = client.get("/activity").unwrap().body;
            assert!(page.contains("This account was made for you") && page.contains("Done by whoever runs this site"));
        }
    }
    server.stop();
}

#[test]
fn after_an_import_into_an_empty_database_nobody_is_an_administrator() {
    let folder = empty_folder();
    let launch =
        Launch::in_folder(folder.path()).set("PUBLIC_URL", "https://sign-in.example.org").set("BCRYPT_COST", "10");
    let launch = launch.on_port(free_port());
    let server = launch.start();
    let (_, link) = server.banner.split_once("https://sign-in.example.org/register?first=").unwrap();
    let first = link.split_whitespace().next().unwrap().to_owned();
    let csv = format!(
        "email,full_name,password_hash
ada@example.org,Ada,{}
",
        hash(PASSWORD)
    );
    assert_eq!(import_file(folder.path(), &csv).code(), Some(0));

    let mut client = Client::of(&server);
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", PASSWORD), ("first", &first)];
    assert_eq!(client.submit("/register", "/register", &fields).status, 303, "an ordinary account");
    assert_eq!(Rows::of(folder.path()).number("SELECT count(*) FROM users WHERE role <> 'user'"), 0);
    server.stop();
    let server = launch.start();
    assert!(!server.banner.contains("first="), "{}", server.banner);
    server.stop();
}

#[test]
fn each_bad_line_is_told_of_by_its_number_and_nobody_is_imported() {
    let folder = empty_folder();
    let good = hash(PASSWORD);
    assert_eq!(
        import(folder.path(), "first.csv", format!("email,full_name,password_hash\nada@example.org,Ada,{good}\n"), &[])
            .code(),
        Some(0)
    );
    let mut csv = "email,full_name,password_hash,is_active\n".to_owned();
    for line in [
        format!("new@example.org,New,{good},true"),
        "plain@example.org,Plain,hunter2-the-secret,1".to_owned(),
        format!("nobody,N,{good},1"),
        format!("ADA@example.org,Ada,{good},1"),
        format!("new@EXAMPLE.org,New,{good},1"),
        format!("b@example.org,,{good},1"),
        format!("c@example.org,\"two\nlines\",{good},1"),
        format!("d@example.org,D,{good},yes"),
        "e@example.org,E".to_owned(),
        format!("f@example.org,F,{},1", good.replacen("$04$", "$24$", 1)),
        format!("g@example.org,\u{3164},{good},1"),
        format!("other@example.org,Other,{good},0"),
    ] {
        writeln!(csv, "{line}").unwrap();
    }
    let complaints = "line 3: password_hash is no bcrypt hash: that has 60 characters and begins with $2a$, $2b$ or $2y$\n\
         line 4: email is no address in the form name@example.com\n\
         line 5: ada@example.org has an account already\n\
         line 6: new@example.org is on line 2 already\n\
         line 7: full_name is empty\n\
         line 8: full_name has control characters\n\
         line 10: is_active takes true, false, 1 or 0\n\
         line 11: has 2 fields, and the header has 4\n\
         line 12: password_hash has the cost 24, and each sign-in would take minutes or days: the highest is 16\n\
         line 13: full_name has no character that can be seen\n";
    let refused = import(folder.path(), "users.csv", &csv, &[]);
    assert_eq!((refused.code(), &*refused.stdout), (Some(1), ""), "{refused:?}");
    let end = "perennial: users.csv: 10 lines cannot be imported, so nobody was; correct them, or leave them out with --skip-invalid\n";
    assert_eq!(refused.stderr, format!("{complaints}{end}"));
    let mut rows = Rows::of(folder.path());
    assert_eq!((rows.count("users"), rows.count("auth_events")), (1, 1));

    let skipped = import(folder.path(), "users.csv", &csv, &["--skip-invalid"]);
    assert_eq!(
        (skipped.code(), &*skipped.stdout),
        (Some(0), "Imported 2 users; 10 lines were left out\n"),
        "{skipped:?}"
    );
    assert_eq!(skipped.stderr, complaints);
    assert_eq!(
        rows.text("SELECT string_agg(email, ' ' ORDER BY id) FROM users"),
        "ada@example.org new@example.org other@example.org"
    );
    assert_eq!(rows.count("auth_events"), 3);
}

#[test]
fn a_file_that_is_none_is_refused_in_one_line() {
    let folder = empty_folder();
    for (file, text, code, words) in [
        ("users.txt", "", 2, "FILE: takes a file whose name ends in .csv or .jsonl"),
        ("users.csv", "", 1, "users.csv: line 1: the header is missing"),
        ("users.csv", "email,full_name,password_hash,role\n", 1, "users.csv: line 1: the column \"role\" is unknown"),
        ("users.csv", "email;full_name;password_hash\n", 1, "users.csv: line 1: the column"),
    ] {
        let refused = import(folder.path(), file, text, &[]);
        assert_eq!(refused.code(), Some(code), "{refused:?}");
        assert!(refused.complaint().starts_with(&format!("perennial: {words}")), "{refused:?}");
    }
    let missing = Launch::in_folder(folder.path()).argument("user").argument("import").argument("no.csv").finish();
    assert_eq!(missing.code(), Some(1));
    assert!(missing.complaint().starts_with("perennial: cannot read no.csv: "), "{missing:?}");
    let nothing = Launch::in_folder(folder.path()).argument("user").argument("import").finish();
    assert_eq!(nothing.code(), Some(2), "{nothing:?}");
    let empty = import(folder.path(), "users.csv", "email,full_name,password_hash\n", &["--skip-invalid"]);
    assert_eq!((empty.code(), &*empty.stdout), (Some(0), "Imported 0 users\n"), "{empty:?}");
}

/// Returns a file of this many users, whose names begin with `name`.
fn many(name: &str, count: usize) -> String {
    let (mut csv, hash) = ("email,full_name,password_hash\n".to_owned(), hash(PASSWORD));
    for number in 0..count {
        writeln!(csv, "{name}{number}@example.org,User {number},{hash}").unwrap();
    }
    csv
}

/// Makes a pipe that programs open like a file.
fn pipe(path: &Path) {
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
}

/// Opens a pipe once a program reads from it.
fn writer(path: &Path) -> File {
    OpenOptions::new().write(true).open(path).unwrap()
}

/// Imports from two pipes, one for each pass, and holds the second pass up half way: what was written so far is in the
/// transaction, for a pipe takes no more than 64 KB before it is read.
fn half_way(folder: &Path, csv: &str) -> (Begun, File) {
    let (file, next) = (folder.join("users.csv"), folder.join("next.csv"));
    pipe(&file);
    pipe(&next);
    let import = Launch::in_folder(folder).argument("user").argument("import").argument("users.csv").begin();
    let mut first = writer(&file);
    fs::rename(&next, &file).unwrap();
    first.write_all(csv.as_bytes()).unwrap();
    drop(first);
    let mut second = writer(&file);
    second.write_all(&csv.as_bytes()[..csv.len() / 2]).unwrap();
    (import, second)
}

#[test]
fn an_import_that_is_killed_leaves_nobody_behind() {
    let folder = empty_folder();
    let csv = many("user", 10_000);
    let (import, rest) = half_way(folder.path(), &csv);
    import.kill();
    drop(rest);
    let mut rows = Rows::of(folder.path());
    assert_eq!((rows.count("users"), rows.count("auth_events")), (0, 0));

    fs::remove_file(folder.path().join("users.csv")).unwrap();
    let again = import_file(folder.path(), &csv);
    assert_eq!((again.code(), &*again.stdout), (Some(0), "Imported 10000 users\n"), "{again:?}");
    assert_eq!((rows.count("users"), rows.count("auth_events")), (10_000, 10_000));
}

#[test]
fn a_file_that_changes_between_the_passes_imports_nobody() {
    let folder = empty_folder();
    let csv = many("user", 4_000);
    let (import, mut rest) = half_way(folder.path(), &csv);
    rest.write_all(b"\nnobody,No,thing\n").unwrap();
    drop(rest);
    let finished = import.finish();
    assert_eq!(finished.code(), Some(1), "{finished:?}");
    let line = "perennial: users.csv: the file was changed meanwhile, so nobody was imported: run it again";
    assert_eq!(finished.complaint(), line);
    assert_eq!(Rows::of(folder.path()).count("users"), 0);
}

#[test]
fn who_registers_between_the_passes_keeps_the_address_and_nobody_is_imported() {
    let folder = empty_folder();
    let csv = format!("{}ada@example.org,Ada,{}\n", many("user", 4_000), hash(PASSWORD));
    let (file, next) = (folder.path().join("users.csv"), folder.path().join("next.csv"));
    let server = Launch::in_folder(folder.path()).start();
    pipe(&file);
    pipe(&next);
    let import = Launch::in_folder(folder.path()).argument("user").argument("import").argument("users.csv").begin();
    let mut first = writer(&file);
    fs::rename(&next, &file).unwrap();
    first.write_all(csv.as_bytes()).unwrap();
    drop(first);
    // The second pass has begun, and waits for the header before it begins its transaction.
    let mut second = writer(&file);
    Client::of(&server).register("ada");
    second.write_all(csv.as_bytes()).unwrap();
    drop(second);
    let finished = import.finish();
    assert_eq!(finished.code(), Some(1), "{finished:?}");
    assert!(finished.complaint().contains("has registered with an address of the file meanwhile"), "{finished:?}");
    let mut rows = Rows::of(folder.path());
    assert_eq!(rows.text("SELECT string_agg(email, ' ') FROM users"), "ada@example.org");
    assert_eq!(rows.count_events("registered"), 1);
    server.stop();
}

#[test]
fn an_address_that_its_owner_may_take_back_is_nobody_elses() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).start();
    Client::of(&server).register("ada");
    let mut rows = Rows::of(folder.path());
    let csv = format!("email,full_name,password_hash,is_active\nold@example.org,Mallory,{},true\n", hash(PASSWORD));
    // Any hash will do for the link.
    let link = "INSERT INTO notice_links (token_hash, user_id, email, created_at, expires_at) SELECT token_hash, user_id, \
                'old@example.org', created_at, created_at + 604800 FROM sessions";
    rows.execute(link);
    let finished = import_file(folder.path(), &csv);
    assert_eq!(finished.code(), Some(1), "{finished:?}");
    assert!(finished.stderr.contains("old@example.org has an account already"), "{finished:?}");

    // The owner gives it up between the two passes.
    rows.execute("DELETE FROM notice_links");
    let (file, next) = (folder.path().join("users.csv"), folder.path().join("next.csv"));
    fs::remove_file(&file).unwrap();
    pipe(&file);
    pipe(&next);
    let import = Launch::in_folder(folder.path()).argument("user").argument("import").argument("users.csv").begin();
    let mut first = writer(&file);
    fs::rename(&next, &file).unwrap();
    first.write_all(csv.as_bytes()).unwrap();
    drop(first);
    let mut second = writer(&file);
    rows.execute(link);
    second.write_all(csv.as_bytes()).unwrap();
    drop(second);
    let finished = import.finish();
    assert_eq!(finished.code(), Some(1), "{finished:?}");
    assert!(finished.complaint().contains("an address of the file meanwhile"), "{finished:?}");
    assert_eq!(rows.text("SELECT string_agg(email, ' ') FROM users"), "ada@example.org");
    rows.execute("UPDATE notice_links SET expires_at = created_at - 1");
    fs::remove_file(&file).unwrap();
    assert_eq!(import_file(folder.path(), &csv).code(), Some(0), "once the link is over");
    server.stop();
}

#[test]
fn an_import_beside_a_server_is_seen_by_it_at_once() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).start();
    let mut ada = Client::of(&server);
    ada.register("ada");
    let mut stranger = Client::of(&server);
    assert!(!signs_in(&mut stranger, "user7@example.org", PASSWORD));
    assert_eq!(import_file(folder.path(), &many("user", 3_000)).code(), Some(0));
    assert!(signs_in(&mut stranger, "user7@example.org", PASSWORD));
    assert!(ada.is_signed_in());
    server.stop();
}
