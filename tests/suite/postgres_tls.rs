//! TLS to PostgreSQL, in a build that has it: `cargo test --features postgres-tls`.

use std::path::Path;
use std::process::Command;

use crate::support::Rows;
use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::server::{Launch, empty_folder};

/// Makes a certificate for this machine, which is its own authority, and its key.
fn certify(folder: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-keyout", "server.key", "-out", "server.crt"])
        .current_dir(folder)
        .output()
        .expect("this test needs the command openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
#[ignore = "needs PostgreSQL"]
fn what_goes_to_the_server_is_encrypted_and_goes_to_the_right_one() {
    let folder = empty_folder();
    certify(folder.path());
    let postgres = Postgres::start_with_certificate(folder.path());
    let url = postgres.database("encrypted").replace("127.0.0.1", "localhost");
    let launch = Launch::in_folder(folder.path()).set("JWT_SECRET_KEY", &"k".repeat(32));
    let with = |parameters: &str| launch.clone().set("DATABASE_URL", &format!("{url}?{parameters}"));
    let certificate = folder.path().join("server.crt");

    let server = with(&format!("sslmode=verify-full&sslrootcert={}", certificate.display())).start();
    let mut client = Client::of(&server);
    client.register("ada");
    assert!(client.is_signed_in());
    let mut rows = Rows::at(&url);
    let of_server = "FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name LIKE 'perennial%'";
    assert!(rows.number(&format!("SELECT count(*) {of_server} AND ssl")) >= 2);
    assert_eq!(rows.number(&format!("SELECT count(*) {of_server} AND NOT ssl")), 0);

    // Another authority, another name, and no encryption at all where the server wants it.
    let stranger = empty_folder();
    certify(stranger.path());
    let foreign = format!("sslmode=verify-full&sslrootcert={}", stranger.path().join("server.crt").display());
    let misnamed =
        format!("hostaddr=127.0.0.1&host=db.example.org&sslmode=verify-full&sslrootcert={}", certificate.display());
    for (parameters, words) in [(&foreign, "certificate verify failed"), (&misnamed, "does not match host name")] {
        let refused = with(parameters).argument("serve").finish();
        assert_eq!(refused.code(), Some(1), "{refused:?}");
        assert!(refused.complaint().contains(words), "{refused:?}");
    }
    assert_eq!(with("sslmode=disable").argument("serve").finish().code(), Some(1));
}
