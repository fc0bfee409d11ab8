//! `perennial session`, `event list` and `token`: what whoever runs the site sees of sign-ins, and ends.

use crate::support::Rows;
use crate::support::client::Client;
use crate::support::commands::{by_command, done, is_signed_out_soon, json, server_with_admin, signed_in_again};
use crate::support::patience::until;
use crate::support::server::empty_folder;

#[test]
fn sign_ins_are_listed_and_ended_beside_a_running_server() {
    let folder = empty_folder();
    let folder = folder.path();
    let (server, mut root) = server_with_admin(folder);
    let mut ada = Client::of(&server);
    ada.register("ada");
    let mut phone = signed_in_again(&server, "ada");
    let rows = json(folder, "session list --user ada@example.org --json");
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!(
            (&row["email"], &row["user_id"], &row["kept"]),
            (&"ada@example.org".into(), &2.into(), &true.into())
        );
        assert!(row["id"].is_string() && row["expires_at"].is_string() && row["last_seen_at"].is_string(), "{row}");
        assert!(row.get("token_hash").is_none() && row.get("previous_hash").is_none(), "{row}");
    }
    assert_eq!(json(folder, "session list --json").as_array().unwrap().len(), 3);
    assert_eq!(done(folder, "session list").lines().count(), 4);
    let mut live = ["0", "1"].map(|_| String::new());
    live.iter_mut().zip(rows).for_each(|(id, row)| *id = row["id"].as_str().unwrap().to_owned());
    assert_eq!(done(folder, &format!("session revoke {}", live[0])), format!("Ended {}\n", live[0]));
    assert!(done(folder, &format!("session revoke {}", live[0])).contains("had ended already"));
    until("one of them to end", || (ada.is_signed_in() != phone.is_signed_in()).then_some(()));
    assert_eq!(done(folder, "session revoke --user 2"), "Ended 1 sign-in of ada@example.org\n");
    is_signed_out_soon(&mut ada);
    is_signed_out_soon(&mut phone);
    assert!(ada.get("/login").unwrap().body.contains("ended by whoever runs this site"));
    assert!(root.is_signed_in());
    let mut again = signed_in_again(&server, "ada");
    assert_eq!(done(folder, "session revoke --all"), "Ended 2 sign-ins\n");
    is_signed_out_soon(&mut again);
    is_signed_out_soon(&mut root);
    assert_eq!(done(folder, "session revoke --all"), "Ended 0 sign-ins\n");
    assert_eq!(
        (by_command(folder, "session_revoked"), done(folder, "session list").as_str()),
        (4, "Nobody is signed in\n")
    );
}

#[test]
fn the_end_of_all_sign_ins_reaches_every_user() {
    let folder = empty_folder();
    let folder = folder.path();
    let (_server, _) = server_with_admin(folder);
    let mut rows = Rows::of(folder);
    let columns = "generation, token_hash, rotated_at, created_at, authenticated_at, last_seen_at, expires_at, kept, user_agent, address";
    for user in 2..=100 {
        rows.execute(&format!(
            "INSERT INTO users (id, email, full_name, password_hash, created_at) VALUES ({user}, 'u{user}', 'U', '', 0); \
             INSERT INTO sessions (id, user_id, {columns}) SELECT '00000000-0000-7000-8000-{user:012}', {user}, {columns} \
             FROM sessions WHERE user_id = 1"
        ));
    }
    assert_eq!(done(folder, "session revoke --all"), "Ended 100 sign-ins\n");
    assert_eq!(rows.number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"), 0);
}

#[test]
fn events_are_listed_newest_first() {
    let folder = empty_folder();
    let folder = folder.path();
    let (server, _) = server_with_admin(folder);
    Client::of(&server).register("ada");
    signed_in_again(&server, "ada");
    let all = json(folder, "event list --json");
    let all = all.as_array().unwrap();
    let ids: Vec<_> = all.iter().map(|event| event["id"].as_i64().unwrap()).collect();
    assert!(ids.len() >= 3 && ids.is_sorted_by(|a, b| a > b), "{ids:?}");
    assert_eq!(all[0]["event_type"], "signed_in");
    assert!(all[0]["details"]["session"].is_string() && all[0]["created_at"].is_string(), "{}", all[0]);
    let count = |line: &str| json(folder, line).as_array().unwrap().len();
    assert_eq!(count("event list --json --type registered"), 2);
    assert_eq!(count("event list --json --type registered --user ada@example.org"), 1);
    assert_eq!(count("event list --json --limit 1"), 1);
    assert_eq!(count("event list --json --type no_such_thing"), 0);
    assert_eq!(done(folder, "event list --type no_such_thing"), "No event\n");
    let table = done(folder, "event list --user 2");
    assert!(table.lines().nth(1).unwrap().contains("ada@example.org"), "{table}");
}

#[test]
fn tokens_are_counted_by_their_state_and_day() {
    let folder = empty_folder();
    let folder = folder.path();
    let (server, _) = server_with_admin(folder);
    for _ in 0..5 {
        signed_in_again(&server, "root");
    }
    let mut rows = Rows::of(folder);
    let ids = json(folder, "session list --json");
    let ids: Vec<_> = ids.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    let mut change = |index: usize, change: &str| {
        rows.execute(&format!("UPDATE sessions SET {change} WHERE id = '{}'", ids[index]));
    };
    // Signed out, expired, idle, expiring soon, begun long ago; one is left as it is.
    change(0, "revoked_at = created_at, revoked_because = 'signed_out'");
    change(1, "expires_at = created_at - 1");
    change(2, "last_seen_at = last_seen_at - 15 * 86400");
    change(3, "expires_at = created_at + 3600");
    change(4, "created_at = created_at - 2 * 86400");
    let counted = json(folder, "token stats --json");
    assert_eq!(
        (&counted["active"], &counted["expired"], &counted["expiring_soon"]),
        (&3.into(), &3.into(), &1.into()),
        "{counted}"
    );
    let days = counted["per_day"].as_array().unwrap();
    assert_eq!(days.len(), 2, "{counted}");
    assert_eq!((&days[0]["active"], &days[0]["expired"]), (&1.into(), &0.into()), "{counted}");
    assert_eq!((&days[1]["active"], &days[1]["expired"], &days[1]["expiring_soon"]), (&2.into(), &3.into(), &1.into()));
    assert!(days[0]["day"].as_str() < days[1]["day"].as_str(), "{counted}");
    assert_eq!(done(folder, "token stats").lines().count(), 4);
}
