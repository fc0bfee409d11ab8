//! `perennial backup` and `perennial restore`, and the server's own backups.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::Rows;
use crate::support::client::Client;
use crate::support::commands::{by_command, done, refused, run};
use crate::support::patience::until;
use crate::support::postgres::Postgres;
use crate::support::server::{Launch, Server, empty_folder, files};
use crate::support::small_disk::SmallDisk;

/// Opens a database of a folder by the name of its file.
fn rows(folder: &Path, name: &str) -> Rows {
    Rows::at(&format!("sqlite://{}", folder.join(name).display()))
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

fn server_with(folder: &Path, names: &[&str]) -> Server {
    let server = Launch::in_folder(folder).start();
    for name in names {
        Client::of(&server).register(name);
    }
    server
}

#[test]
fn a_backup_of_a_live_database_is_whole_and_for_its_owner_alone() {
    let folder = empty_folder();
    let folder = folder.path();
    let server = server_with(folder, &["ada"]);
    fs::write(folder.join("b.db"), "an older backup").unwrap();
    fs::set_permissions(folder.join("b.db"), fs::Permissions::from_mode(0o644)).unwrap();
    let before = files(folder);
    std::thread::scope(|scope| {
        // The log holds what the file does not, and grows meanwhile.
        let writing = scope.spawn(|| (0..20).for_each(|_| drop(Client::of(&server).sign_in("ada"))));
        for _ in 0..5 {
            let said = done(folder, "backup b.db");
            assert!(said.starts_with("Backed ") && said.contains("checked it"), "{said}");
            assert_eq!((rows(folder, "b.db").integrity().as_str(), mode(&folder.join("b.db"))), ("ok", 0o600));
        }
        writing.join().unwrap();
    });
    let left = files(folder).into_iter().filter(|name| name != "mail");
    assert_eq!(left.collect::<Vec<_>>(), before, "nothing is left beside it");
    done(folder, "backup b.db");
    assert_eq!(rows(folder, "b.db").count("sessions"), 21);
    assert_eq!(rows(folder, "b.db").number("SELECT count(*) FROM auth_events"), Rows::of(folder).count("auth_events"));
    for (name, quoted) in [("it's a backup.db", true), ("file:b.db?mode=memory", true), ("b.db", false)] {
        let finished = Launch::in_folder(folder).argument("backup").argument(name).finish();
        assert_eq!(finished.code(), Some(0), "{finished:?}");
        assert!(!quoted || folder.join(name).exists(), "{name}");
    }
    assert!(server.stop().code() == Some(0));
}

#[test]
fn a_backup_never_takes_the_place_of_what_is_in_use() {
    let folder = empty_folder();
    let folder = folder.path();
    assert!(refused(folder, "backup b.db", 1).contains("there is no database"));
    assert_eq!(files(folder), [""; 0]);
    let server = server_with(folder, &["ada"]);
    let key = fs::read(folder.join("perennial.key")).unwrap();
    fs::create_dir(folder.join("d")).unwrap();
    std::os::unix::fs::symlink("perennial.db", folder.join("link.db")).unwrap();
    for name in
        ["perennial.db", "./perennial.db", "d/../perennial.db", "link.db", "perennial.key", "perennial.db-wal", "d"]
    {
        let line = refused(folder, &format!("backup {name}"), 2);
        assert!(line.contains("FILE: takes"), "{name}: {line}");
    }
    let line = refused(folder, "backup nowhere/b.db", 1);
    assert!(line.contains("nowhere") && line.contains("cannot write"), "{line}");
    assert_eq!(run(folder, "backup").code(), Some(2));
    assert_eq!(fs::read(folder.join("perennial.key")).unwrap(), key);
    assert!(Client::of(&server).sign_in("ada").status == 303);
}

#[test]
fn a_damaged_database_is_no_backup_and_costs_no_older_one() {
    let folder = empty_folder();
    let folder = folder.path();
    drop(server_with(folder, &["ada"]).stop());
    done(folder, "backup b.db");
    let older = fs::read(folder.join("b.db")).unwrap();
    let mut content = fs::read(folder.join("perennial.db")).unwrap();
    content[8192..16384].fill(0xa5);
    fs::write(folder.join("perennial.db"), content).unwrap();
    refused(folder, "backup b.db", 1);
    assert_eq!(fs::read(folder.join("b.db")).unwrap(), older);
    assert_eq!(files(folder), ["b.db", "perennial.db", "perennial.key"]);
}

#[test]
#[ignore = "needs root, to mount a small file system"]
fn a_backup_onto_a_full_disk_leaves_the_old_one() {
    let folder = empty_folder();
    let folder = folder.path();
    drop(server_with(folder, &["ada"]).stop());
    let disk = SmallDisk::mount(4);
    let file = disk.path().join("b.db");
    let line = format!("backup {}", file.display());
    done(folder, &line);
    let older = fs::read(&file).unwrap();
    disk.fill();
    let said = refused(folder, &line, 1);
    assert!(said.contains("cannot write a backup"), "{said}");
    assert_eq!(fs::read(&file).unwrap(), older);
}

#[test]
fn a_restore_brings_the_data_back_and_no_sign_in() {
    let folder = empty_folder();
    let folder = folder.path();
    let server = server_with(folder, &["ada"]);
    let mut ada = Client::of(&server);
    ada.sign_in("ada");
    done(folder, "backup b.db");
    Client::of(&server).register("eve");
    assert_eq!(ada.submit("/dashboard", "/logout/everywhere", &[]).status, 303);
    assert_eq!(server.stop().code(), Some(0));
    let said = done(folder, "restore b.db");
    assert!(said.contains("Restored 1 account") && said.contains("2 sign-ins were ended"), "{said}");
    let kept = files(folder).into_iter().find(|name| name.starts_with("perennial.db.replaced-")).unwrap();
    assert!(said.contains(&kept), "{said}");
    assert_eq!((rows(folder, &kept).count("users"), rows(folder, &kept).integrity().as_str()), (2, "ok"));
    assert_eq!((Rows::of(folder).count("users"), mode(&folder.join("perennial.db"))), (1, 0o600));
    assert_eq!(Rows::of(folder).count("nodes"), 0, "whoever ran then does not run now");
    let server = Launch::in_folder(folder).start();
    ada.address = server.address;
    assert!(!ada.is_signed_in());
    assert_eq!(Client::of(&server).sign_in("ada").status, 303);
    assert_eq!(by_command(folder, "session_revoked"), 2);
    assert!(Rows::of(folder).events_of("session_revoked").iter().all(|event| event.detail("reason") == "restored"));
}

#[test]
fn a_sign_in_that_was_revoked_lives_again_where_that_is_asked_for_and_ends_by_command() {
    let folder = empty_folder();
    let folder = folder.path();
    let server = server_with(folder, &["ada"]);
    let mut thief = Client::of(&server);
    thief.sign_in("ada");
    done(folder, "backup b.db");
    done(folder, "session revoke --all");
    until("the end of the sign-in", || (!thief.is_signed_in()).then_some(()));
    let mut jar = Client::of(&server);
    jar.jar = thief.jar.clone();
    assert_eq!(server.stop().code(), Some(0));
    let said = done(folder, "restore b.db --keep-sign-ins");
    assert!(said.contains("perennial session revoke --all"), "{said}");
    let server = Launch::in_folder(folder).start();
    thief.address = server.address;
    assert!(thief.is_signed_in(), "this is why a restore ends sign-ins");
    done(folder, "session revoke --all");
    until("the end of the sign-in", || (!thief.is_signed_in()).then_some(()));
}

#[test]
fn a_restore_over_a_running_server_is_refused() {
    let folder = empty_folder();
    let folder = folder.path();
    let server = server_with(folder, &["ada"]);
    done(folder, "backup b.db");
    Client::of(&server).register("eve");
    let line = refused(folder, "restore b.db", 1);
    assert!(line.contains(&format!("in use by process {}", server.id())) && line.contains("stop"), "{line}");
    assert_eq!(Rows::of(folder).count("users"), 2);
    // A crash leaves a log and a lease, and nobody who runs.
    let log = folder.join("perennial.db-wal");
    assert!(log.exists());
    server.kill();
    assert!(done(folder, "restore b.db").contains("Restored 1 account"));
    assert!(!log.exists(), "the log of the old database is not that of the new one");
    let kept = files(folder).into_iter().find(|name| name.starts_with("perennial.db.replaced-")).unwrap();
    assert_eq!(rows(folder, &kept).count("users"), 2, "what was in its log is in it");
    let server = Launch::in_folder(folder).start();
    assert_eq!(Client::of(&server).sign_in("eve").status, 401);
}

#[test]
fn a_damaged_database_can_be_replaced() {
    let folder = empty_folder();
    let folder = folder.path();
    drop(server_with(folder, &["ada"]).stop());
    done(folder, "backup b.db");
    let damaged = "no database at all\n".repeat(1000);
    fs::write(folder.join("perennial.db"), &damaged).unwrap();
    let said = done(folder, "restore b.db");
    assert_eq!((Rows::of(folder).count("users"), Rows::of(folder).integrity().as_str()), (1, "ok"), "{said}");
    let kept: Vec<_> = files(folder).into_iter().filter(|name| name.starts_with("perennial.db.replaced-")).collect();
    assert_eq!(fs::read_to_string(folder.join(&kept[0])).unwrap(), damaged);
    assert_eq!(Launch::in_folder(folder).start().stop().code(), Some(0));
}

#[test]
fn what_is_no_backup_is_refused_and_changes_nothing() {
    let folder = empty_folder();
    let folder = folder.path();
    drop(server_with(folder, &["ada"]).stop());
    done(folder, "backup b.db");
    fs::copy(folder.join("b.db"), folder.join("newer.db")).unwrap();
    rows(folder, "newer.db").execute("INSERT INTO perennial_migrations (version) VALUES ('20991231000001')");
    rows(folder, "other.db").execute("CREATE TABLE users (id INTEGER PRIMARY KEY)");
    fs::write(folder.join("notes.db"), "somebody's notes, and no database\n".repeat(100)).unwrap();
    fs::write(folder.join("empty.db"), "").unwrap();
    fs::create_dir(folder.join("d.db")).unwrap();
    let mut damaged = fs::read(folder.join("b.db")).unwrap();
    damaged[4096..12288].fill(0xa5);
    fs::write(folder.join("damaged.db"), damaged).unwrap();
    let before = (files(folder), fs::read(folder.join("perennial.db")).unwrap());
    for (name, words) in [
        ("nowhere.db", "there is no backup"),
        ("d.db", "there is no backup"),
        ("empty.db", "of another program"),
        ("other.db", "of another program"),
        ("notes.db", "notes.db"),
        ("newer.db", "newer version"),
        ("damaged.db", ""),
    ] {
        let line = refused(folder, &format!("restore {name}"), 1);
        assert!(line.contains(words), "{name}: {line}");
        assert!(before == (files(folder), fs::read(folder.join("perennial.db")).unwrap()), "{name}");
    }
    assert!(refused(folder, "restore perennial.db", 2).contains("itself"));
    assert_eq!(run(folder, "restore").code(), Some(2));
}

#[test]
fn an_older_backup_is_brought_up_to_date_and_a_dropped_key_stays_dropped() {
    let folder = empty_folder();
    let folder = folder.path();
    drop(server_with(folder, &["ada"]).stop());
    done(folder, "backup b.db");
    rows(folder, "b.db").execute(
        "DROP TABLE throttle_counters; DELETE FROM tolerated_migrations WHERE version = '20261121000005'; \
         DELETE FROM perennial_migrations WHERE version = '20261121000005'",
    );
    Rows::of(folder).execute("INSERT INTO dropped_keys VALUES ('AAAAAAAAAAAAAAAA', 1)");
    done(folder, "restore b.db");
    let mut restored = Rows::of(folder);
    assert_eq!((restored.count("throttle_counters"), restored.count("dropped_keys")), (0, 1));
    drop(restored);
    let first = empty_folder();
    fs::copy(folder.join("b.db"), first.path().join("b.db")).unwrap();
    let said = done(first.path(), "restore b.db");
    assert!(said.contains("Restored 1 account") && !said.contains("What was there"), "{said}");
    assert_eq!(files(first.path()), ["b.db", "perennial.db"]);
}

#[test]
fn the_server_backs_up_by_itself_and_a_failure_costs_nothing_else() {
    let folder = empty_folder();
    let folder = folder.path();
    let launch = Launch::in_folder(folder).set("BACKUP_EVERY", "1s").set("BACKUP_KEEP", "2");
    let server = launch.start();
    Client::of(&server).register("ada");
    let backups = folder.join("backups");
    let first = until("a backup", || backups.exists().then(|| files(&backups)).filter(|all| !all.is_empty()));
    until("another in the place of the first", || {
        let all = files(&backups);
        (all.len() == 2 && !all.contains(&first[0]) && all.iter().all(|name| name.ends_with(".db"))).then_some(())
    });
    assert_eq!(mode(&backups), 0o700);
    let doctor = launch.clone().argument("doctor").finish();
    assert!(doctor.stdout.contains("ok    backups: 2 in backups, the newest was made just now"), "{doctor:?}");
    fs::remove_dir_all(&backups).or_else(|_| fs::remove_dir_all(&backups)).unwrap();
    fs::write(&backups, "no folder").unwrap();
    until("a word in the log", || server.log().contains("no backup was made").then_some(()));
    assert_eq!(Client::of(&server).get("/readyz").unwrap().status, 200);
    assert_eq!(Client::of(&server).sign_in("ada").status, 303);
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn housekeeping_measures_the_tables() {
    let folder = empty_folder();
    drop(server_with(folder.path(), &["ada"]).stop());
    let url = format!("sqlite://{}", folder.path().join("perennial.db").display());
    let (database, _) = perennial::store::Database::open(&url.parse().unwrap()).unwrap();
    database.optimize().unwrap();
    assert!(Rows::of(folder.path()).number("SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'sessions'") > 0);
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_server_is_backed_up_with_its_own_tools() {
    let server = Postgres::start();
    let folder = empty_folder();
    fs::write(folder.path().join("b.db"), "a backup").unwrap();
    let launch = Launch::in_folder(folder.path()).set("JWT_SECRET_KEY", &"k".repeat(32));
    let launch = launch.set("DATABASE_URL", &server.database("backups"));
    for (command, tool) in [("backup", "pg_dump"), ("restore", "pg_restore")] {
        let finished = launch.clone().argument(command).argument("b.db").finish();
        assert_eq!(finished.code(), Some(1), "{finished:?}");
        assert!(finished.complaint().contains(tool), "{finished:?}");
    }
    let finished = launch.set("BACKUP_EVERY", "1d").finish();
    assert_eq!(finished.code(), Some(2), "{finished:?}");
    assert!(finished.complaint().contains("BACKUP_EVERY: is for a SQLite database alone"), "{finished:?}");
    assert_eq!(fs::read_to_string(folder.path().join("b.db")).unwrap(), "a backup");
}
