//! The audit trail of everybody, and its files.

use actix_web::http::StatusCode;
use time::Duration;

use super::{act, two};
use crate::support::{Browser, TestApp};

/// Returns the numbers of the events on a page.
async fn shown(admin: &Browser, path: &str) -> Vec<i64> {
    let answer = admin.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body());
    let body = answer.body();
    let numbers = body.split("<dt>Event</dt><dd>").skip(1);
    numbers.map(|rest| rest.split(',').next().unwrap().parse().unwrap()).collect()
}

async fn older(admin: &Browser, path: &str) -> Option<String> {
    let body = admin.get(path).await.body();
    let (before, _) = body.split_once("\" rel=\"next\"")?;
    Some(before.rsplit_once("href=\"").unwrap().1.replace("&#38;", "&"))
}

fn ids(app: &TestApp, condition: &str) -> Vec<i64> {
    let count = app.rows().number(&format!("SELECT count(*) FROM auth_events WHERE {condition}"));
    let nth = |offset| {
        format!(
            "SELECT id FROM auth_events WHERE {condition} ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET {offset}"
        )
    };
    (0..count).map(|offset| app.rows().number(&nth(offset))).collect()
}

#[actix_web::test]
async fn events_are_filtered_by_account_kind_and_day() {
    let app = TestApp::start().await;
    let (admin, _) = two(&app).await;
    app.advance(Duration::days(1));
    let password = [("password", crate::support::PASSWORD)];
    assert_eq!(admin.submit("/reauthenticate", "/reauthenticate", &password).await.status, StatusCode::SEE_OTHER);
    assert_eq!(act(&admin, 2, "deactivate", &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(shown(&admin, "/admin/events").await, ids(&app, "id > 0"));
    assert_eq!(shown(&admin, "/admin/events?user=2").await, ids(&app, "user_id = 2"));
    assert_eq!(shown(&admin, "/admin/events?user=Grace%40example.org").await, ids(&app, "user_id = 2"));
    assert_eq!(shown(&admin, "/admin/events?type=registered").await, ids(&app, "event_type = 'registered'"));
    let both = "/admin/events?user=2&type=registered";
    assert_eq!(shown(&admin, both).await, ids(&app, "event_type = 'registered' AND user_id = 2"));
    assert_eq!(shown(&admin, "/admin/events?from=2060-03-02").await, ids(&app, "created_at >= 2845411200"));
    assert_eq!(shown(&admin, "/admin/events?to=2060-03-01").await, ids(&app, "created_at < 2845411200"));
    assert_eq!(shown(&admin, "/admin/events?from=2060-03-03").await, [0_i64; 0]);
    assert_eq!(shown(&admin, "/admin/events?type=%25").await, [0_i64; 0]);
    let page = admin.get("/admin/events?type=user_deactivated").await;
    assert!(page.says("Account deactivated") && page.says("by <a href=\"/admin/users/1\">administrator 1</a>"));
    assert!(page.says("<a href=\"/admin/users/2\">grace@example.org</a>"), "{}", page.body());
    assert!(admin.get("/admin/events?user=99").await.says("There is no such account."));
    for wrong in ["?from=yesterday", "?to=2060-02-30", "?user=grace", "?user=%27"] {
        let answer = admin.get(&format!("/admin/events{wrong}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(answer.says("There is a problem"), "{wrong}");
    }
    for odd in ["?before=x", "?before=1.", "?before=99999999999999999999.1", "?type=&user=&from=&to="] {
        assert_eq!(admin.get(&format!("/admin/events{odd}")).await.status, StatusCode::OK, "{odd}");
    }
}

#[actix_web::test]
async fn events_of_one_second_are_paged_without_a_gap_or_a_repetition() {
    let app = TestApp::start().await;
    let (admin, _) = two(&app).await;
    for _ in 0..40 {
        app.rows().execute(
            "INSERT INTO auth_events (user_id, event_type, details, created_at) VALUES \
             (2, 'signed_in', '{}', 100), (NULL, 'signed_in', '{}', 100), (2, 'signed_out', '{}', 99)",
        );
    }
    for (filter, condition) in [
        ("", "id > 0"),
        ("type=signed_in", "event_type = 'signed_in'"),
        ("user=2", "user_id = 2"),
        ("user=2&type=signed_in", "user_id = 2 AND event_type = 'signed_in'"),
    ] {
        let (mut page, mut found) = (Some(format!("/admin/events?{filter}")), Vec::new());
        while let Some(path) = page {
            found.extend(shown(&admin, &path).await);
            page = older(&admin, &path).await;
        }
        let mut expected = ids(&app, condition);
        if filter.starts_with("user") {
            expected.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
        }
        assert_eq!(found, expected, "{filter}");
    }
}

#[actix_web::test]
async fn the_trail_is_saved_as_json_lines_as_the_command_line_prints_it() {
    let app = TestApp::start().await;
    let (admin, _) = two(&app).await;
    app.rows().execute(
        "INSERT INTO auth_events (event_type, details, created_at) VALUES ('signed_in', '{\"reason\":\"\u{2028}\\n\"}', 5)",
    );
    let answer = admin.get("/admin/events.jsonl").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/jsonl"));
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"events.jsonl\"");
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = answer.body();
    let lines: Vec<serde_json::Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: Vec<_> = lines.iter().map(|line| line["id"].as_i64().unwrap()).collect();
    assert_eq!(found, ids(&app, "id > 0"));
    let last = lines.last().unwrap();
    assert_eq!((&last["created_at"], &last["user_id"]), (&"1970-01-01T00:00:05Z".into(), &serde_json::Value::Null));
    assert_eq!(last["details"]["reason"], "\u{2028}\n");
    let of_one = admin.get("/admin/events.jsonl?user=2&type=registered").await.body();
    assert!(of_one.lines().count() == 1 && of_one.contains("\"user_id\":2"), "{of_one}");
    assert_eq!(admin.get("/admin/events.jsonl?user=99").await.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.get("/admin/events.csv?from=x").await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn a_table_of_events_holds_no_formula_and_no_broken_cell() {
    let app = TestApp::start().await;
    let (admin, _) = two(&app).await;
    for agent in ["=HYPERLINK(\"http://evil.example\")", "+1", "-1", "@SUM(A1)", "a\",\"b", "two, three"] {
        let mut visitor = app.browser();
        visitor.user_agent = agent.to_owned();
        visitor.submit("/login", "/login", &[("email", "grace@example.org"), ("password", "wrong")]).await;
    }
    let answer = admin.get("/admin/events.csv?type=sign_in_failed").await;
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    let mut table = csv::Reader::from_reader(&answer.bytes[..]);
    let head: Vec<_> = table.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(head[..5], ["id", "created_at", "user_id", "email", "event_type"]);
    let rows: Vec<_> = table.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), app.rows().count_events("sign_in_failed") as usize);
    let agents: Vec<_> = rows.iter().rev().map(|row| row[6].to_owned()).collect();
    assert_eq!(agents[..4], ["'=HYPERLINK(\"http://evil.example\")", "'+1", "'-1", "'@SUM(A1)"]);
    for cell in rows.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
    }
}

#[actix_web::test]
async fn a_long_trail_is_saved_whole_and_not_for_somebody_who_is_thrown_out_meanwhile() {
    let app = TestApp::start().await;
    let (admin, _) = two(&app).await;
    let numbers = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2500)";
    app.rows().execute(&format!(
        "{numbers} INSERT INTO auth_events (user_id, event_type, details, created_at) \
         SELECT 2, 'signed_in', '{{}}', n / 7 FROM numbers"
    ));
    let all = app.rows().count("auth_events");
    for path in ["/admin/events.jsonl", "/admin/events.jsonl?user=2", "/admin/events.jsonl?type=signed_in"] {
        let body = admin.get(path).await.body();
        let mut found: Vec<_> = body.lines().map(|line| line.split_once("\"id\":").unwrap().1.to_owned()).collect();
        found.sort_unstable();
        found.dedup();
        let expected = match path {
            "/admin/events.jsonl" => all,
            _ if path.contains("user") => app.rows().number("SELECT count(*) FROM auth_events WHERE user_id = 2"),
            _ => app.rows().count_events("signed_in"),
        };
        assert_eq!((found.len() as i64, body.lines().count() as i64), (expected, expected), "{path}");
    }
    let mut rows = app.rows();
    let demoted = move || rows.execute("UPDATE users SET role = 'user' WHERE id = 1");
    assert_eq!(admin.read_while("/admin/events.jsonl", demoted).await, (1000, false));
}
