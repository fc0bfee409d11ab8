//! The charts of the overview, and what counts for them in the background.

use time::Duration;

use super::two;
use crate::support::{Browser, TestApp};

/// Returns the section of a chart.
async fn chart(admin: &Browser, id: &str) -> String {
    let body = admin.get("/admin").await.body();
    let (_, section) = body.split_once(&format!("aria-labelledby=\"{id}-title\"")).unwrap();
    section.split("</section>").next().unwrap().to_owned()
}

/// Returns what the table of a chart says, the newest day first; days with none are left out.
async fn table(admin: &Browser, id: &str) -> Vec<(String, i64)> {
    let section = chart(admin, id).await;
    let rows = section.split("<time datetime=\"").skip(1).map(|row| {
        let (day, rest) = row.split_once('"').unwrap();
        let (_, count) = rest.split_once("<td>").unwrap();
        (day.to_owned(), count.split('<').next().unwrap().replace(',', "").parse().unwrap())
    });
    rows.filter(|(_, count)| *count > 0).collect()
}

fn on(days: &[(&str, i64)]) -> Vec<(String, i64)> {
    days.iter().map(|(day, count)| ((*day).to_owned(), *count)).collect()
}

/// Adds events of a kind on a day before the first of March 2060.
fn add(app: &TestApp, kind: &str, days_before: i64, count: i64) {
    let noon = crate::support::START.replace_hour(12).unwrap() - Duration::days(days_before);
    let numbers =
        format!("WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})");
    app.rows().execute(&format!(
        "{numbers} INSERT INTO auth_events (event_type, details, created_at) \
         SELECT '{kind}', '{{}}', {} FROM numbers",
        noon.unix_timestamp()
    ));
}

#[actix_web::test]
async fn what_happened_is_drawn_and_told_in_words_and_numbers() {
    let app = TestApp::start().await;
    let (admin, _) = two(&app).await;
    add(&app, "signed_in", 1, 7);
    add(&app, "signed_in", 29, 3);
    add(&app, "signed_in", 30, 100);
    add(&app, "account_locked", 2, 1);
    let signed_in = app.rows().count_events("signed_in") - 110;
    let expected = [("2060-03-01", signed_in), ("2060-02-29", 7), ("2060-02-01", 3)];
    let expected: Vec<_> = expected.into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(table(&admin, "sign-ins").await, on(&expected));
    assert_eq!(table(&admin, "lockouts").await, on(&[("2060-02-28", 1)]));
    assert_eq!(table(&admin, "replays").await, on(&[]));
    assert_eq!(table(&admin, "live").await, on(&[("2060-03-01", 2)]));
    let drawn = chart(&admin, "sign-ins").await;
    assert!(drawn.contains("role=\"img\" aria-labelledby=\"sign-ins-name sign-ins-words\""), "{drawn}");
    assert!(drawn.contains("7 on 29 February, the most on one day."), "{drawn}");
    assert_eq!(drawn.matches("class=\"chart__bar").count(), expected.len(), "{drawn}");
    assert!(chart(&admin, "replays").await.contains("None in 30 days."));
}

#[actix_web::test]
async fn days_that_were_counted_are_not_counted_again() {
    let app = TestApp::start().await;
    let (admin, _) = two(&app).await;
    add(&app, "signed_in", 1, 7);
    app.count_days();
    assert_eq!(
        app.rows().number("SELECT count(*) FROM daily_counts WHERE kind = 'signed_in'"),
        29,
        "today is not over"
    );
    assert_eq!(app.rows().number("SELECT count FROM daily_counts WHERE kind = 'live_sign_ins'"), 2);
    let before = table(&admin, "sign-ins").await;
    assert!(before.contains(&("2060-02-29".to_owned(), 7)), "{before:?}");
    app.rows().execute("DELETE FROM auth_events WHERE created_at < 2845324800");
    assert!(table(&admin, "sign-ins").await.contains(&("2060-02-29".to_owned(), 7)), "from what was counted");
    app.advance(Duration::days(1));
    app.count_days();
    let after = table(&admin, "sign-ins").await;
    assert!(after.contains(&("2060-02-29".to_owned(), 7)), "{after:?}");
    assert_eq!(app.rows().number("SELECT count(*) FROM daily_counts WHERE kind = 'signed_in'"), 30);
    // A day is not counted before what was written on it is surely there.
    app.advance(Duration::hours(15) + Duration::minutes(5));
    app.count_days();
    assert_eq!(app.rows().number("SELECT count(*) FROM daily_counts WHERE kind = 'signed_in'"), 30);
    app.advance(Duration::minutes(10));
    app.count_days();
    assert_eq!(app.rows().number("SELECT count(*) FROM daily_counts WHERE kind = 'signed_in'"), 31);
    app.advance(Duration::days(400));
    app.count_days();
    assert_eq!(app.rows().number("SELECT count(*) FROM daily_counts WHERE kind = 'signed_in'"), 29, "a year is kept");
}

#[actix_web::test]
async fn days_of_too_many_events_are_left_to_the_background() {
    let app = TestApp::start().await;
    let (admin, _) = two(&app).await;
    add(&app, "sign_in_failed", 3, 5);
    add(&app, "sign_in_failed", 2, 20_000);
    add(&app, "sign_in_failed", 1, 6);
    assert_eq!(table(&admin, "failures").await, on(&[("2060-02-27", 5)]), "nothing is told of what was not counted");
    assert!(chart(&admin, "failures").await.contains("Some days are not counted yet."));
    app.count_days();
    let all = on(&[("2060-02-29", 6), ("2060-02-28", 20_000), ("2060-02-27", 5)]);
    assert_eq!(table(&admin, "failures").await, all);
    assert!(chart(&admin, "failures").await.contains("20,011 in 30 days, and 20,000 on 28 February"));
    assert!(!chart(&admin, "failures").await.contains("not counted yet"));
}
