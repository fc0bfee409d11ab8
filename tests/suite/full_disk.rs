//! A full disk under a SQLite file: what is there can be read, what would be written is refused and changes nothing, and
//! room is all it takes to go on.

use std::time::Duration;

use crate::support::Rows;
use crate::support::client::{ACCESS, Answer, Client, PASSWORD, REFRESH};
use crate::support::patience::{let_pass, random_below, until};
use crate::support::server::{Launch, free_port};
use crate::support::small_disk::SmallDisk;
use crate::support::traffic::while_browsing;

/// Megabytes of the disk: room for a server that runs, and soon filled.
const SIZE: u32 = 8;

/// How often the disk fills up under traffic.
const FILLS: u32 = 20;

fn launch_on(disk: &SmallDisk) -> Launch {
    let url = format!("sqlite://{}", disk.path().join("perennial.db").display());
    Launch::in_folder(disk.path()).set("DATABASE_URL", &url).set("REUSE_GRACE", "0s").set("ACCESS_TOKEN_TTL", "1h")
}

/// Opens the database on the disk.
fn rows_on(disk: &SmallDisk) -> Rows {
    Rows::at(&format!("sqlite://{}", disk.path().join("perennial.db").display()))
}

/// Asserts that an answer says to come back later, and takes and gives no cookie.
fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!((answer.header("retry-after"), answer.header("set-cookie")), (Some("5"), None), "{answer:?}");
}

/// Sends a form that the disk has no room for, and sends it again once there is.
fn assert_form_waits_for_room(disk: &SmallDisk, client: &mut Client, path: &str, fields: &[(&str, &str)]) {
    disk.fill();
    let held = client.jar.clone();
    for _ in 0..3 {
        assert_unavailable(&client.post(path, fields).unwrap());
    }
    assert_eq!(client.jar, held);
    disk.free();
    assert_eq!(client.post(path, fields).unwrap().status, 303, "{path}");
}

#[test]
#[ignore = "needs root, to mount a small file system"]
fn a_full_disk_costs_writes_and_no_sign_in() {
    let disk = SmallDisk::mount(SIZE);
    let server = launch_on(&disk).start();
    let mut remembered = Client::of(&server);
    remembered.register("ada");
    assert!(remembered.is_signed_in());
    let mut renewing = Client::of(&server);
    assert_eq!(renewing.sign_in("ada").status, 303);
    renewing.jar.remove(ACCESS);
    let mut rows = rows_on(&disk);
    rows.age_rotations();

    disk.fill();
    for _ in 0..3 {
        assert!(remembered.is_signed_in());
        for page in ["/dashboard", "/devices", "/activity", "/healthz"] {
            let answer = renewing.get(page).unwrap();
            assert_eq!((answer.status, answer.header("set-cookie")), (200, None), "{page}: {answer:?}");
        }
    }
    assert_eq!(rows.number("SELECT sum(generation) FROM sessions"), 0);
    let refused =
        until("readiness to turn", || Some(renewing.get("/readyz").unwrap()).filter(|answer| answer.status != 200));
    assert_unavailable(&refused);
    disk.free();
    until("readiness to return", || (renewing.get("/readyz").unwrap().status == 200).then_some(()));
    let answer = renewing.get("/dashboard").unwrap();
    assert!(answer.status == 200 && answer.sets(REFRESH), "{answer:?}");

    let mut stranger = Client::of(&server);
    let form_token = stranger.form_token("/login");
    let fields = [("email", "ada@example.org"), ("password", PASSWORD), ("form_token", &form_token)];
    assert_form_waits_for_room(&disk, &mut stranger, "/login", &fields);
    let form_token = stranger.form_token("/dashboard");
    assert_form_waits_for_room(&disk, &mut stranger, "/logout", &[("form_token", &form_token)]);
    assert!(!stranger.is_signed_in() && renewing.is_signed_in());
    let mut newcomer = Client::of(&server);
    let form_token = newcomer.form_token("/register");
    let fields = [
        ("full_name", "Ada Lovelace"),
        ("email", "new@example.org"),
        ("password", PASSWORD),
        ("form_token", &form_token),
    ];
    assert_form_waits_for_room(&disk, &mut newcomer, "/register", &fields);
    assert_eq!(rows.count("sessions"), 4, "what was refused left nothing");
    assert_eq!(rows.count_events("refresh_token_replayed"), 0);
    assert_eq!(rows.integrity(), "ok");
}

#[test]
#[ignore = "needs root, to mount a small file system"]
fn a_disk_that_fills_up_under_traffic_signs_nobody_out() {
    let disk = SmallDisk::mount(SIZE);
    let launch = launch_on(&disk).set("ACCESS_TOKEN_TTL", "1s");
    let server = launch.start();
    Client::of(&server).register("ada");
    let mut clients = [(); 4].map(|()| Client::of(&server));
    for client in &mut clients {
        assert_eq!(client.sign_in("ada").status, 303);
    }
    rows_on(&disk).age_every_rotation();
    while_browsing(&mut clients, |traffic| {
        for _ in 0..FILLS {
            let_pass(Duration::from_millis(random_below(50)));
            disk.fill();
            let_pass(Duration::from_millis(random_below(100)));
            disk.free();
        }
        traffic.renewed_by_all(2);
        assert_eq!(traffic.broken(), 0);
    });
    // Every answer was right, so what began is that renewals found no room.
    assert!(server.log().contains("a fault begins"), "the disk was never full at the right moment");
    assert_eq!(server.stop().code(), Some(0));
    let server = launch.on_port(clients[0].address.port()).start();
    for client in &mut clients {
        client.jar.remove(ACCESS);
        assert!(client.is_signed_in());
    }
    drop(server);
    let mut rows = rows_on(&disk);
    assert_eq!((rows.count("sessions"), rows.count_events("refresh_token_replayed")), (5, 0));
    assert_eq!(rows.integrity(), "ok");
}

#[test]
#[ignore = "needs root, to mount a small file system"]
fn a_full_disk_does_not_keep_a_killed_server_from_starting() {
    let disk = SmallDisk::mount(SIZE);
    let launch = launch_on(&disk).on_port(free_port());
    let server = launch.start();
    let mut client = Client::of(&server);
    client.register("ada");
    rows_on(&disk).age_rotations();
    client.jar.remove(ACCESS);
    disk.fill();
    server.kill();
    let server = launch.start();
    assert!(client.is_signed_in());

    // An orderly stop takes away what SQLite works with, and there may be no room to make that anew.
    assert_eq!(server.stop().code(), Some(0));
    disk.fill();
    let refused = launch.finish();
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    println!("{}", refused.complaint());
    disk.free();
    let _server = launch.start();
    client.jar.remove(ACCESS);
    let answer = client.get("/dashboard").unwrap();
    assert!(answer.status == 200 && answer.sets(REFRESH), "{answer:?}");
    assert_eq!(rows_on(&disk).integrity(), "ok");
}
