//! What strangers write into addresses, headers and fields; and what they learn from the answers.

use actix_web::http::StatusCode;

use crate::support::{Answer, EMAIL, NAME, PASSWORD, TestApp, form_token};

/// Texts that end a statement, a template, a path, a log line or a header where somebody was careless.
const HOSTILE: [&str; 10] = [
    "' OR '1'='1",
    "'; DROP TABLE users; --",
    "\" OR 1=1 --",
    "a@example.org' UNION SELECT 1 --",
    "{{ 7*7 }}",
    "${7*7}",
    "../../etc/passwd",
    "%00",
    "\r\nSet-Cookie: planted=1",
    "\u{1b}[2J\u{202e}",
];

/// Returns a page without its form token, which is new for each browser.
fn without_token(answer: &Answer) -> String {
    answer.body().replace(&form_token(&answer.body(), "/login"), "")
}

#[actix_web::test]
async fn a_wrong_password_and_an_unknown_address_are_answered_alike() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let mut answers = Vec::new();
    for email in [EMAIL, "xyz@example.org"] {
        let fields = [("email", email), ("password", "not their password")];
        let answer = app.browser().submit("/login", "/login", &fields).await.without_name();
        let headers: Vec<_> = answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        answers.push((answer.status, headers, without_token(&answer).replace(email, "")));
    }
    assert_eq!(answers[0].0, StatusCode::UNAUTHORIZED);
    assert_eq!(answers[0], answers[1]);
}

#[actix_web::test]
async fn a_deactivated_account_is_answered_like_an_unknown_one() {
    let app = TestApp::start().await;
    app.signed_in().await;
    app.rows().execute("UPDATE users SET is_active = FALSE");
    let mut answers = Vec::new();
    for email in [EMAIL, "xyz@example.org"] {
        let answer = app.browser().submit("/login", "/login", &[("email", email), ("password", PASSWORD)]).await;
        answers.push((answer.status, without_token(&answer).replace(email, "")));
    }
    assert_eq!(answers[0], answers[1]);
}

#[actix_web::test]
async fn hostile_text_in_a_sign_in_is_only_wrong() {
    let app = TestApp::start().await;
    app.signed_in().await;
    for text in HOSTILE {
        for (email, password) in [(text, PASSWORD), (EMAIL, text)] {
            let answer = app.browser().submit("/login", "/login", &[("email", email), ("password", password)]).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{text:?}");
            assert!(!answer.set().contains(&"access_token".to_owned()), "{text:?}");
        }
        // Whatever is locked by then.
        app.advance(time::Duration::HOUR);
    }
    assert_eq!(app.rows().number("SELECT count(*) FROM users"), 1);
}

#[actix_web::test]
async fn hostile_text_in_a_name_is_a_name_or_refused() {
    let app = TestApp::start().await;
    for (number, text) in HOSTILE.into_iter().enumerate() {
        let email = format!("user{number}@example.org");
        let fields = [("full_name", text), ("email", email.as_str()), ("password", PASSWORD)];
        let browser = app.browser();
        let answer = browser.submit("/register", "/register", &fields).await;
        let trimmed = text.trim();
        if trimmed.chars().any(char::is_control) {
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{text:?}");
            continue;
        }
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{text:?}");
        let stored = app.rows().text(&format!("SELECT full_name FROM users WHERE email = '{email}'"));
        assert_eq!(stored, trimmed);
    }
}

#[actix_web::test]
async fn hostile_text_in_an_address_is_not_found() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    for text in HOSTILE {
        let path: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        for start in ["/", "/dashboard/", "/login/", "/static/"] {
            let answer = browser.get(&format!("{start}{path}")).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{start}{path}");
            assert!(answer.cookies().is_empty() && !answer.says("planted"), "{start}{path}");
        }
    }
}

#[actix_web::test]
async fn no_file_is_served_but_the_embedded_ones() {
    let app = TestApp::start().await;
    for path in [
        "/static/../Cargo.toml",
        "/static/..%2fCargo.toml",
        "/static/%2e%2e/Cargo.toml",
        "/static/....//Cargo.toml",
        "/static/..%5cCargo.toml",
        "/static//etc/passwd",
        "/static/style.AAAAAAAAAAAA.css",
        "/static/css/base.css",
        "/perennial.db",
        "/perennial.key",
        "/.git/config",
    ] {
        let answer = app.browser().get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.says("[package]"), "{path}");
    }
}

#[actix_web::test]
async fn no_answer_repeats_a_header_or_an_address_of_the_request() {
    let app = TestApp::start().await;
    let stranger =
        app.browser().with_header("referer", "https://planted.example").with_header("host", "planted.example");
    let stranger =
        stranger.with_header("x-forwarded-host", "planted.example").with_header("x-original-url", "/planted");
    for path in ["/", "/login", "/login?planted=1", "/planted", "/dashboard", "/login?next=//planted"] {
        let answer = stranger.get(path).await;
        let headers: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}\n")).collect();
        assert!(!answer.says("planted") && !headers.contains("planted"), "{path}");
    }
}

#[actix_web::test]
async fn a_stranger_cannot_choose_the_address_that_is_recorded() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let spoofing = app
        .browser()
        .with_header("x-forwarded-for", "203.0.113.7")
        .with_header("forwarded", "for=203.0.113.7")
        .with_header("x-real-ip", "203.0.113.7");
    spoofing.sign_in().await;
    assert!(spoofing.get("/dashboard").await.says("192.0.2.1"));
    assert!(app.rows().events().iter().all(|event| event.detail("address") == "192.0.2.1"));
}

#[actix_web::test]
async fn a_trusted_proxy_tells_the_address_of_its_client_and_no_further() {
    let app = TestApp::with(|arguments| arguments.trusted_proxies = Some("192.0.2.0/24".to_owned())).await;
    app.signed_in().await;
    for (told, recorded) in [
        ("203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 192.0.2.9", "203.0.113.7"),
        ("<script>", "192.0.2.1"),
    ] {
        let browser = app.browser().with_header("x-forwarded-for", told);
        browser.sign_in().await;
        let events = app.rows().events_of("signed_in");
        assert_eq!(events.last().unwrap().detail("address"), recorded, "{told}");
        assert!(browser.get("/dashboard").await.says(recorded), "{told}");
    }
}

#[actix_web::test]
async fn a_client_of_a_trusted_proxy_cannot_choose_its_address_by_the_other_header() {
    for (setting, header, told, other, planted) in [
        (None, "x-forwarded-for", "203.0.113.7", "forwarded", "for=6.6.6.6"),
        (Some("forwarded"), "forwarded", "for=203.0.113.7", "x-forwarded-for", "6.6.6.6"),
    ] {
        let app = TestApp::with(|arguments| {
            arguments.trusted_proxies = Some("192.0.2.0/24".to_owned());
            arguments.client_address_header = setting.map(str::to_owned);
        })
        .await;
        app.signed_in().await;
        let recorded = |app: &TestApp| app.rows().events_of("signed_in").last().unwrap().detail("address");
        app.browser().with_header(header, told).with_header(other, planted).sign_in().await;
        assert_eq!(recorded(&app), "203.0.113.7", "{header}");
        app.browser().with_header(other, planted).sign_in().await;
        assert_eq!(recorded(&app), "192.0.2.1", "{other} is not looked at");
    }
}

#[actix_web::test]
async fn a_name_that_nobody_can_see_is_refused_with_the_reason() {
    let app = TestApp::start().await;
    for name in ["\u{200b}\u{200d}", "\u{3164}", "\u{2800}", "\u{ad}"] {
        let fields = [("full_name", name), ("email", EMAIL), ("password", PASSWORD)];
        let answer = app.browser().submit("/register", "/register", &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{name:?}");
        assert!(answer.says("at least one character that can be seen"), "{name:?}");
    }
    assert_eq!(app.rows().number("SELECT count(*) FROM users"), 0);
}

#[actix_web::test]
async fn a_static_folder_serves_no_link_that_leads_out_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (inside, outside) = (folder.path().join("static"), folder.path().join("perennial.key"));
    std::fs::create_dir_all(inside.join("images")).unwrap();
    std::fs::write(inside.join("images/cat.txt"), "a cat").unwrap();
    std::fs::write(&outside, "planted").unwrap();
    for (target, name) in [
        (inside.join("images/cat.txt"), "link.txt"),
        ("images".into(), "pictures"),
        (outside, "key.txt"),
        ("../perennial.key".into(), "images/key.txt"),
        ("..".into(), "up"),
        ("/etc".into(), "etc"),
    ] {
        std::os::unix::fs::symlink(target, inside.join(name)).unwrap();
    }
    let app = TestApp::with(|arguments| arguments.static_dir = Some(inside.display().to_string())).await;
    for path in ["/static/images/cat.txt", "/static/link.txt", "/static/pictures/cat.txt"] {
        let answer = app.browser().get(path).await;
        assert_eq!((answer.status, answer.body().as_str()), (StatusCode::OK, "a cat"), "{path}");
    }
    for path in ["key.txt", "images/key.txt", "pictures/key.txt", "up/perennial.key", "etc/passwd", "images/none.txt"] {
        let answer = app.browser().get(&format!("/static/{path}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.says("planted") && !answer.says("root:"), "{path}");
    }
}

#[actix_web::test]
async fn an_error_page_never_says_what_happened_inside() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.rows().execute("UPDATE users SET last_login_at = 9223372036854775807");
    app.catch_up();
    let again = app.another_process().await;
    let mut elsewhere = browser.clone();
    elsewhere.connect(&again);
    let answer = elsewhere.get("/dashboard").await;
    assert!(answer.status.is_server_error(), "{}", answer.status);
    assert!(answer.says("Try again") || answer.says("try again"));
    assert!(answer.says("give this reference"));
    for inside in ["sqlite", "panicked", "src/", ".rs", "users", "last_login_at", "Corrupt", NAME] {
        assert!(!answer.says(inside), "{inside}");
    }
}
