//! The same suite on PostgreSQL, on a server of its own.

use std::path::Path;
use std::process::Command;

use perennial::store::Database;

use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::server::{Launch, empty_folder, files};
use crate::support::{POSTGRES, Rows};

/// The subjects that say nothing of where the data are; what they leave out is about a file, or about no data at all.
const SUBJECTS: [&str; 78] = [
    "access_coverage::",
    "account::",
    "account_data::",
    "account_deletion::",
    "account_password::",
    "acting::",
    "activity::",
    "admin::",
    "api::",
    "attacks_cookies::",
    "attacks_forms::",
    "attacks_input::",
    "attacks_next::",
    "attacks_reset::",
    "attacks_tokens::",
    "audit::",
    "clocks::",
    "device_binding::",
    "device_pages::",
    "device_proofs::",
    "device_thief::",
    "device_walks::",
    "devices::",
    "double_click::",
    "enumeration::",
    "event_follow::",
    "email_change::",
    "fields::",
    "first_account::",
    "floods::",
    "form_rescue::",
    "hands_on_sql::",
    "hang_up::",
    "hooks::",
    "json::",
    "keep::",
    "keys::",
    "kill::",
    "known_device::",
    "lockout::",
    "losses::",
    "mail_relay::",
    "model::on_disk::",
    "new_device::",
    "node_commands::",
    "node_keys::",
    "notices::",
    "old_hashes::",
    "operator_commands::",
    "other_keys::",
    "outages::",
    "outbox::",
    "pages::",
    "password_cost::",
    "password_quality::",
    "password_reset::",
    "places::",
    "promise_http::",
    "reauthentication::",
    "retention::",
    "revocation::",
    "rotation::",
    "rough_requests::",
    "send_again::",
    "session_commands::",
    "several_cookies::",
    "shared_computer::",
    "sign_in_life::",
    "slow_answers::",
    "stopped::",
    "theft::",
    "throttling::",
    "unlock::",
    "upgrade::",
    "user_import::",
    "user_commands::",
    "verify_email::",
    "welcome::",
];

/// Runs the suite's own program again, with every database on the server.
#[test]
#[ignore = "needs PostgreSQL"]
fn the_suite_passes_on_postgresql() {
    let server = Postgres::start();
    let template = server.database("template");
    drop(Database::open(&template.parse().unwrap()).unwrap());
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(SUBJECTS).env(POSTGRES, &template).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for subject in SUBJECTS {
        assert!(said.contains(&format!("test {subject}")), "nothing of {subject} was run");
    }
}

/// Returns the versions of the migrations, in their order.
fn migrations() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut versions: Vec<_> = names.map(|name| name.split('_').next().unwrap().replace('-', "")).collect();
    versions.sort();
    versions
}

#[test]
#[ignore = "needs PostgreSQL"]
fn the_command_line_works_on_a_server() {
    let server = Postgres::start();
    let url = server.database("commands");
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).set("JWT_SECRET_KEY", &"k".repeat(32));
    let run = |url: &str, command: &str| launch.clone().set("DATABASE_URL", url).argument(command).finish();

    let fresh = run(&url, "doctor");
    assert_eq!((fresh.code(), fresh.stderr.as_str()), (Some(0), ""), "{fresh:?}");
    assert!(
        fresh.stdout.contains(&format!(
            "ok    database: PostgreSQL on 127.0.0.1, commands is sound; {} migrations",
            migrations().len()
        )),
        "{fresh:?}"
    );
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(Rows::at(&url).number(tables), 0, "doctor changes nothing");
    let applied = migrations().iter().map(|version| format!("Applied {version}\n")).collect::<String>();
    assert_eq!(run(&url, "migrate").stdout, applied);
    assert_eq!(run(&url, "migrate").stdout, "The database is up to date.\n");
    assert!(run(&url, "doctor").stdout.contains("commands is sound and up to date"));
    assert!(run(&url, "cleanup").stdout.starts_with("Deleted 0 sign-ins"));
    Rows::at(&url).execute("INSERT INTO perennial_migrations (version) VALUES ('20991231000001')");
    for command in ["serve", "migrate"] {
        let finished = run(&url, command);
        assert_eq!(finished.code(), Some(1), "{finished:?}");
        assert!(finished.complaint().contains("newer version"), "{finished:?}");
    }
    let missing = run(&server.url("nowhere"), "serve");
    assert_eq!(missing.code(), Some(1), "{missing:?}");
    assert!(missing.complaint().contains(r#"database "nowhere" does not exist"#), "{missing:?}");
    let keyless = Launch::in_folder(folder.path()).set("DATABASE_URL", &url).finish();
    assert_eq!(keyless.code(), Some(2), "{keyless:?}");
    assert!(keyless.complaint().contains("JWT_SECRET_KEY: is required with PostgreSQL"), "{keyless:?}");
    assert_eq!(files(folder.path()), [""; 0]);
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_url_without_a_host_finds_the_socket_of_debian() {
    let server = Postgres::start_with_debians_socket();
    server.database("local");
    let folder = empty_folder();
    let url = format!("postgres:///local?user=perennial&port={}", server.address().port());
    let launch = Launch::in_folder(folder.path()).set("JWT_SECRET_KEY", &"k".repeat(32)).set("DATABASE_URL", &url);
    let migrated = launch.argument("migrate").finish();
    assert!(migrated.stdout.starts_with("Applied "), "{migrated:?}");
}

#[test]
#[ignore = "needs PostgreSQL"]
fn doctor_sees_a_server_that_takes_no_writes_or_lacks_a_column() {
    let server = Postgres::start();
    let url = server.database("broken");
    drop(Database::open(&url.parse().unwrap()).unwrap());
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).set("JWT_SECRET_KEY", &"k".repeat(32)).set("DATABASE_URL", &url);
    let doctor = launch.argument("doctor");
    let mend = |what: &str| {
        let found = doctor.finish();
        assert_eq!(found.code(), Some(1), "{found:?}");
        assert!(found.stdout.contains("mend  database: ") && found.stdout.contains(what), "{found:?}");
    };
    Rows::at(&url).execute("ALTER DATABASE broken SET default_transaction_read_only = on");
    mend("session is read-only; name the server that takes writes");
    let mut prompt = server.prompt("postgres");
    prompt.execute("ALTER DATABASE broken RESET default_transaction_read_only");
    assert_eq!(doctor.finish().code(), Some(0));
    Rows::at(&url).execute("ALTER TABLE sessions DROP COLUMN welcomed_at");
    mend("column sessions.welcomed_at does not exist");
    Rows::at(&url).execute("DROP TABLE outbox");
    mend("relation \"outbox\" does not exist");
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_user_who_may_not_change_the_tables_can_serve() {
    let server = Postgres::start();
    let url = server.database("restricted");
    drop(Database::open(&url.parse().unwrap()).unwrap());
    Rows::at(&url).execute(
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE ROLE clerk LOGIN; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk",
    );
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).set("JWT_SECRET_KEY", &"k".repeat(32));
    let program = launch.set("DATABASE_URL", &url.replace("//perennial@", "//clerk@")).start();
    let mut client = Client::of(&program);
    client.register("ada");
    assert!(client.is_signed_in());
    client.sign_out();
    assert!(!client.is_signed_in());
}
