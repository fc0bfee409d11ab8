//! Keys over the life of an installation, and everything else that is secret: never in a log.

use std::fs;

use perennial::crypto::KeyRing;

use crate::support::client::{ACCESS, Client, PASSWORD, REFRESH};
use crate::support::server::{Launch, empty_folder, free_port};
use crate::support::{Rows, everything_stored};

/// Returns the name of the key that is made of one letter.
fn id(letter: char) -> String {
    KeyRing::new(key(letter).into(), []).key_ids()[0].to_string()
}

fn key(letter: char) -> String {
    letter.to_string().repeat(40)
}

#[test]
fn a_key_put_first_signs_nobody_out_and_one_taken_away_signs_everybody_out() {
    let folder = empty_folder();
    let launch = Launch::in_folder(folder.path()).on_port(free_port());
    let start = |keys: &str| launch.clone().set("JWT_SECRET_KEY", keys).start();
    let server = start(&key('a'));
    let mut daily = Client::of(&server);
    daily.register("ada");
    let mut rare = Client::of(&server);
    assert_eq!(rare.sign_in("ada").status, 303);
    server.stop();
    let mut rows = Rows::of(folder.path());
    rows.age_rotations();

    let server = start(&format!("{},{}", key('b'), key('a')));
    let before = daily.jar.clone();
    assert!(daily.is_signed_in(), "by an access token of the old key");
    assert_eq!(daily.jar, before);
    daily.jar.remove(ACCESS);
    assert!(daily.is_signed_in(), "by a refresh token of the old key");
    assert_ne!(daily.jar.get(REFRESH), before.get(REFRESH), "which is renewed with the new one");
    server.stop();

    let server = start(&key('b'));
    let before = daily.jar.clone();
    assert!(daily.is_signed_in(), "what was renewed is of the new key");
    assert_eq!(daily.jar, before);
    daily.jar.remove(ACCESS);
    assert!(daily.is_signed_in());
    let unrenewed = rare.jar.clone();
    assert!(!rare.is_signed_in(), "what was not renewed went with its key");
    assert_eq!(rare.jar, unrenewed, "and stays in the browser");
    server.stop();

    let refused = launch.clone().set("JWT_SECRET_KEY", &key('c')).finish();
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    let line = refused.complaint();
    let signing = id('b');
    assert!(line.contains(&format!("are signed with the key {signing}")) && line.contains(&id('c')), "{line}");
    assert!(line.contains(&format!("perennial secret drop {signing}")), "{line}");
    let dropped =
        launch.clone().argument("secret").argument("drop").argument(&signing).set("JWT_SECRET_KEY", &key('c'));
    assert_eq!(dropped.finish().code(), Some(0));

    let server = start(&key('c'));
    let before = daily.jar.clone();
    let mut other = daily.clone();
    assert!(!daily.is_signed_in(), "at once, access token or not");
    assert_eq!(daily.jar, before, "nothing is taken away");
    assert_eq!(daily.sign_in("ada").status, 303, "the password does not depend on the key");
    assert!(daily.is_signed_in());
    drop(server);

    let server = start(&format!("{},{}", key('c'), key('b')));
    assert!(!other.is_signed_in(), "a key that was dropped stays so");
    assert!(daily.is_signed_in());
    drop(server);
    assert_eq!(rows.count_events("refresh_token_replayed"), 0);
    assert_eq!(rows.number("SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL"), 0);
}

/// Everything secret that a jar holds: whole values, and of each the parts that are more than an id.
fn collect(secrets: &mut Vec<String>, client: &Client) {
    for value in client.jar.values() {
        secrets.push(value.to_owned());
        secrets.extend(value.split('.').filter(|part| part.len() >= 30).map(str::to_owned));
    }
}

/// Does everything that has to do with a secret, once, and returns all of them.
fn live_through(client: &mut Client, rows: &mut Rows) -> Vec<String> {
    let mut secrets = vec![PASSWORD.to_owned(), "orchard".to_owned(), "lantern".to_owned()];
    client.register("ada");
    collect(&mut secrets, client);
    let stolen = client.jar.clone();
    for _ in 0..3 {
        rows.age_rotations();
        client.jar.remove(ACCESS);
        assert!(client.is_signed_in());
        collect(&mut secrets, client);
    }
    let mut thief = client.clone();
    thief.jar = stolen;
    thief.jar.remove(ACCESS);
    assert!(!thief.is_signed_in(), "a replay");
    assert!(!client.is_signed_in());
    let wrong = [("email", "ada@example.org"), ("password", "lantern lantern lantern"), ("keep_signed_in", "on")];
    assert_eq!(client.submit("/login", "/login", &wrong).status, 401);
    collect(&mut secrets, client);
    let missing = [("email", PASSWORD), ("password", PASSWORD)];
    assert_eq!(client.submit("/login", "/login", &missing).status, 401, "the password in the wrong field");
    secrets.push(client.form_token("/login"));
    assert_eq!(client.post("/login", &[("password", PASSWORD), ("form_token", "x")]).unwrap().status, 403);
    assert_eq!(client.get("/no-such-page").unwrap().status, 404);
    assert_eq!(client.sign_in("ada").status, 303);
    collect(&mut secrets, client);
    secrets.push(client.form_token("/dashboard"));
    for cookie in [ACCESS, REFRESH] {
        let mut forger = client.clone();
        let forged = format!("{}x", client.jar.get(cookie).unwrap());
        forger.jar.remove(ACCESS);
        forger.jar.remove(REFRESH);
        forger.jar.set(cookie, &forged);
        secrets.push(forged);
        assert!(!forger.is_signed_in());
    }
    client.sign_out();
    secrets
}

fn assert_absent(secrets: &[String], place: &str, text: &str) {
    for secret in secrets {
        assert!(!text.contains(secret.as_str()), "{place} holds {secret}");
    }
}

#[test]
fn no_secret_is_ever_logged_or_stored() {
    for format in ["text", "json"] {
        let folder = empty_folder();
        let server = Launch::in_folder(folder.path()).set("LOG_FORMAT", format).set("DEBUG_AUTH", "true").start();
        let mut client = Client::of(&server);
        let mut secrets = live_through(&mut client, &mut Rows::of(folder.path()));
        // Where the key comes from a variable, there is no file.
        secrets.extend(fs::read_to_string(folder.path().join("perennial.key")).map(|key| key.trim_end().to_owned()));
        let finished = server.stop();
        assert_absent(&secrets, "standard output", &finished.stdout);
        assert_absent(&secrets, "the log", &finished.stderr);
        // The log was worth looking at: each kind of decision is in it.
        for told in ["remembered", "Rotate", "Replayed", "none of the keys signed it", "no refresh token"] {
            assert!(finished.stderr.contains(told), "{told}: {}", finished.stderr);
        }
        for line in finished.stderr.lines().filter(|_| format == "json") {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(object["level"].is_string() && object["timestamp"].is_string(), "{line}");
        }
        let kept = String::from_utf8_lossy(&everything_stored(folder.path())).into_owned();
        assert!(kept.contains("refresh_token_replayed"), "the whole file is here");
        assert_absent(&secrets, "the database", &kept);
    }
}
