//! The list of accounts, the search, and one account.

use actix_web::http::StatusCode;
use time::Duration;

use super::{register, two};
use crate::support::{Browser, TestApp};

/// Returns the names of the accounts on a page, in their order.
async fn names(admin: &Browser, path: &str) -> Vec<String> {
    let answer = admin.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body());
    let body = answer.body();
    let links = body.split("<a href=\"/admin/users/").skip(1).filter_map(|rest| rest.split_once("\">"));
    let named = links.filter(|(id, _)| id.parse::<i64>().is_ok());
    named.map(|(_, rest)| rest.split('<').next().unwrap().to_owned()).collect()
}

async fn link(admin: &Browser, path: &str, rel: &str) -> Option<String> {
    let body = admin.get(path).await.body();
    let (before, _) = body.split_once(&format!("\" rel=\"{rel}\""))?;
    Some(before.rsplit_once("href=\"").unwrap().1.replace("&#38;", "&"))
}

#[actix_web::test]
async fn everybody_is_listed_with_the_newest_first_page_by_page() {
    let app = TestApp::start().await;
    let (admin, _) = two(&app).await;
    assert_eq!(names(&admin, "/admin/users").await, ["Grace Hopper", "Ada Lovelace"]);
    let page = admin.get("/admin/users").await;
    assert!(page.says("grace@example.org") && page.says("<span class=\"badge\">admin</span>"), "{}", page.body());
    let mut rows = app.rows();
    for number in 3..=120 {
        rows.execute(&format!(
            "INSERT INTO users (email, full_name, password_hash, created_at) \
             VALUES ('u{number}@example.net', 'User {number}', 'x', {number})"
        ));
    }
    let user = |number: i64| format!("User {number}");
    let first: Vec<_> = (71..=120).rev().map(user).collect();
    let second: Vec<_> = (21..=70).rev().map(user).collect();
    assert_eq!(names(&admin, "/admin/users").await, first);
    assert_eq!(link(&admin, "/admin/users", "prev").await, None);
    let older = link(&admin, "/admin/users", "next").await.unwrap();
    assert_eq!(names(&admin, &older).await, second);
    let oldest = link(&admin, &older, "next").await.unwrap();
    let last = names(&admin, &oldest).await;
    assert_eq!((last.len(), last.last().unwrap().as_str()), (20, "Ada Lovelace"));
    assert_eq!(link(&admin, &oldest, "next").await, None);
    let back = link(&admin, &oldest, "prev").await.unwrap();
    assert_eq!(names(&admin, &back).await, second);
    let first_again = link(&admin, &back, "prev").await.unwrap();
    assert_eq!(names(&admin, &first_again).await, first);
    assert_eq!(link(&admin, &first_again, "prev").await, None);
    for odd in ["?before=x", "?before=99999999999999999999", "?after=&before=", "?search=%ff", "?before=-1"] {
        assert_eq!(admin.get(&format!("/admin/users{odd}")).await.status, StatusCode::OK, "{odd}");
    }
}

#[actix_web::test]
async fn a_search_finds_exactly_the_characters_that_were_typed() {
    let app = TestApp::start().await;
    let admin = app.signed_in().await;
    for (name, email) in [
        ("100% Grace", "percent@example.org"),
        ("Under_score", "under@example.org"),
        ("Miles O'Brien", "miles@example.org"),
        ("Say \"hi\"", "quote@example.org"),
        ("Back\\slash", "back@example.org"),
        ("Örsted", "hans_c@example.org"),
        ("<b>bold</b>", "bold@example.org"),
    ] {
        register(&app, name, email).await;
    }
    let search = async |text: &str| {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("search", text).finish();
        names(&admin, &format!("/admin/users?{query}")).await
    };
    assert_eq!(search("%").await, ["100% Grace"]);
    assert_eq!(search("_").await, ["Örsted", "Under_score"]);
    assert_eq!(search("'").await, ["Miles O&#39;Brien"]);
    assert_eq!(search("\"").await, ["Say &#34;hi&#34;"]);
    assert_eq!(search("\\").await, ["Back\\slash"]);
    assert_eq!(search("ÖRSTED").await, ["Örsted"]);
    assert_eq!(search("  grace ").await, ["100% Grace"]);
    assert_eq!(search("<b>").await, ["&#60;b&#62;bold&#60;/b&#62;"]);
    assert_eq!(search("ADA@").await, ["Ada Lovelace"]);
    assert_eq!(search("%%").await, [""; 0]);
    assert_eq!(search("example.org").await.len(), 8);
    let page = admin.get("/admin/users?search=%3Cscript%3E%22").await;
    assert!(page.says("value=\"&#60;script&#62;&#34;\"") && !page.says("<script"), "{}", page.body());
}

#[actix_web::test]
async fn a_search_looks_through_so_many_accounts_and_leads_on_from_there() {
    let app = TestApp::start().await;
    let admin = app.signed_in().await;
    let numbers = "WITH RECURSIVE numbers(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < 12000)";
    app.rows().execute(&format!(
        "{numbers} INSERT INTO users (id, email, full_name, password_hash, created_at) \
         SELECT n, 'u' || n || '@example.net', 'User', 'x', n FROM numbers"
    ));
    assert_eq!(names(&admin, "/admin/users?search=ovelac").await, [""; 0]);
    assert!(admin.get("/admin/users?search=ovelac").await.says("No account among those looked at"));
    let on = link(&admin, "/admin/users?search=ovelac", "next").await.unwrap();
    assert_eq!(on, "/admin/users?search=ovelac&before=2001");
    assert_eq!(names(&admin, &on).await, ["Ada Lovelace"]);
    assert_eq!(link(&admin, &on, "next").await, None);
    for beginning in ["LOVE", "ada", "Ada@example", "ada lovelace"] {
        let path = format!("/admin/users?search={}", beginning.replace(' ', "+"));
        assert_eq!(names(&admin, &path).await, ["Ada Lovelace"], "{beginning}: an index knows it");
        assert!(admin.get(&path).await.says("Beginning with"), "{beginning}");
    }
    let many = link(&admin, "/admin/users?search=example.net", "next").await.unwrap();
    assert_eq!(many, "/admin/users?search=example.net&before=11951");
}

#[actix_web::test]
async fn one_account_is_shown_with_its_sign_ins_and_what_happened() {
    let app = TestApp::start().await;
    let (admin, _grace) = two(&app).await;
    app.advance(Duration::minutes(5));
    let page = admin.get("/admin/users/2").await;
    for words in ["<h1>Grace Hopper</h1>", "grace@example.org", "Firefox on Linux", "192.0.2.1", "Account made"] {
        assert!(page.says(words), "{words}: {}", page.body());
    }
    let hash = app.rows().text("SELECT password_hash FROM users WHERE id = 2");
    assert!(!page.says(&hash) && !page.says("type=\"password\""));
    assert!(!page.says("action=\"/admin/users/2/unlock\""), "nothing is counted against it");
    for _ in 0..5 {
        let fields = [("email", "grace@example.org"), ("password", "wrong")];
        app.browser().submit("/login", "/login", &fields).await;
    }
    let page = admin.get("/admin/users/2").await;
    assert!(page.says("5 in a row; locked") && page.says("action=\"/admin/users/2/unlock\""), "{}", page.body());
    assert!(page.says("Account locked after too many tries") && page.says("Sign-in failed"));
    for nobody in ["/admin/users/3", "/admin/users/0", "/admin/users/-1", "/admin/users/x", "/admin/users/1x"] {
        assert_eq!(admin.get(nobody).await.status, StatusCode::NOT_FOUND, "{nobody}");
    }
}

#[actix_web::test]
async fn only_administrators_are_shown_the_way_there() {
    let app = TestApp::start().await;
    let (admin, grace) = two(&app).await;
    for page in ["/dashboard", "/devices", "/activity", "/account"] {
        assert!(admin.get(page).await.says("href=\"/admin\""), "{page}");
        assert!(!grace.get(page).await.says("href=\"/admin\""), "{page}");
    }
}
