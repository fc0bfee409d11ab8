//! The fields of the two forms: what is taken, what is refused, and how that is told.

use actix_web::http::StatusCode;

use crate::support::{Answer, Browser, EMAIL, NAME, PASSWORD, TestApp};

async fn register(browser: &Browser, full_name: &str, email: &str, password: &str) -> Answer {
    let fields = [("full_name", full_name), ("email", email), ("password", password)];
    browser.submit("/register", "/register", &fields).await
}

async fn sign_in(browser: &Browser, email: &str, password: &str) -> Answer {
    browser.submit("/login", "/login", &[("email", email), ("password", password)]).await
}

/// Asserts that a form came back with a problem at `field`, in the summary and beside the field.
fn assert_problem(answer: &Answer, field: &str, words: &str) {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{words}");
    let body = answer.body();
    for text in [
        "<title>Error: ",
        "There is a problem",
        "tabindex=\"-1\" autofocus",
        &format!("<li><a href=\"#{field}\">{words}</a></li>"),
        &format!("id=\"{field}-error\"><span class=\"visually-hidden\">Error: </span>{words}</p>"),
    ] {
        assert!(body.contains(text), "{text:?} is missing in {body}");
    }
    let input =
        body.split_once(&format!("<input class=\"input\" id=\"{field}\"")).unwrap().1.split('>').next().unwrap();
    assert!(input.contains("aria-invalid=\"true\"") && input.contains(&format!("{field}-error\"")), "{input}");
}

#[actix_web::test]
async fn the_first_account_is_an_administrators_and_the_second_a_users() {
    let app = TestApp::start().await;
    assert!(app.browser().get("/register").await.says("it will be the administrator"));
    app.signed_in().await;
    assert!(!app.browser().get("/register").await.says("it will be the administrator"));
    register(&app.browser(), "Grace", "grace@example.org", PASSWORD).await;
    assert_eq!(app.rows().text("SELECT string_agg(role, ',' ORDER BY id) FROM users"), "admin,user");
}

#[actix_web::test]
async fn nobody_can_choose_a_role_or_a_number() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let fields = [
        ("full_name", "Grace"),
        ("email", "grace@example.org"),
        ("password", PASSWORD),
        ("role", "admin"),
        ("id", "77"),
        ("user_id", "1"),
        ("is_active", "false"),
    ];
    let answer = app.browser().submit("/register", "/register", &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(app.rows().text("SELECT id || role FROM users WHERE full_name = 'Grace' AND is_active"), "2user");
}

#[actix_web::test]
async fn where_registration_is_closed_no_account_is_made() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let closed = app.another_process_with(|arguments| arguments.registration = Some("closed".to_owned())).await;
    let mut browser = app.browser();
    let token = browser.token("/register", "/register").await;
    browser.connect(&closed);
    let page = browser.get("/register").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.says("Registration is closed.") && page.says("ask whoever runs this site"));
    assert!(!browser.get("/login").await.says("Create an account"));
    let fields = [("full_name", "G"), ("email", "g@example.org"), ("password", PASSWORD), ("form_token", &token)];
    assert_eq!(browser.post("/register", &fields).await.status, StatusCode::FORBIDDEN);
    assert_eq!(app.rows().number("SELECT count(*) FROM users"), 1);
}

#[actix_web::test]
async fn an_empty_registration_is_told_of_every_field() {
    let app = TestApp::start().await;
    let answer = register(&app.browser(), " ", "", "").await;
    assert_problem(&answer, "full_name", "Enter your name");
    assert_problem(&answer, "email", "Enter your email address");
    assert_problem(&answer, "password", "Enter your password");
}

#[actix_web::test]
async fn a_refused_registration_keeps_what_was_entered_but_the_password() {
    let app = TestApp::start().await;
    let fields = [("full_name", "Ada <i>"), ("email", "ada at home"), ("password", PASSWORD)];
    let body = app.browser().submit("/register", "/register", &fields).await.body();
    assert!(body.contains("value=\"Ada &#60;i&#62;\"") && body.contains("value=\"ada at home\""), "{body}");
    assert!(!body.contains(PASSWORD));
    assert!(!body.contains(" checked"), "a box that was not checked came back checked");
}

#[actix_web::test]
async fn an_address_has_one_account_however_it_is_written() {
    let app = TestApp::start().await;
    app.signed_in().await;
    for email in [EMAIL, "ADA@Example.ORG", " ada@example.org "] {
        let answer = register(&app.browser(), "Grace", email, PASSWORD).await;
        assert_problem(&answer, "email", "There is an account with this email address already; sign in instead");
        assert!(answer.set().iter().all(|name| name == "form"));
    }
    assert_eq!(app.rows().number("SELECT count(*) FROM users"), 1);
}

#[actix_web::test]
async fn two_who_are_first_at_once_do_not_both_become_administrators() {
    let app = TestApp::start().await;
    let (one, two) = (app.browser(), app.browser());
    futures_util::future::join(
        register(&one, "Ada", EMAIL, PASSWORD),
        register(&two, "Grace", "grace@example.org", PASSWORD),
    )
    .await;
    assert_eq!(app.rows().number("SELECT count(*) FROM users WHERE role = 'admin'"), 1);
    assert_eq!(app.rows().number("SELECT count(*) FROM users"), 2);
}

#[actix_web::test]
async fn a_new_password_has_fifteen_characters_at_least_and_characters_are_not_bytes() {
    let app = TestApp::start().await;
    let words = "The password must be at least 15 characters; three random words make a good one";
    for short in ["fourteen chars", "ééééééé éééééé"] {
        assert_eq!(short.chars().count(), 14);
        assert_problem(&register(&app.browser(), NAME, EMAIL, short).await, "password", words);
    }
    assert_eq!(register(&app.browser(), NAME, EMAIL, "žluťoučký kůň ú").await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_password_is_taken_exactly_as_it_was_sent() {
    let app = TestApp::start().await;
    let exact = " spaces, NUL \0 and +%41 \u{e9} ";
    assert_eq!(register(&app.browser(), NAME, EMAIL, exact).await.status, StatusCode::SEE_OTHER);
    for other in [exact.trim(), " spaces, NUL ", &exact.to_lowercase(), &exact.replace('\u{e9}', "e\u{301}")] {
        assert_eq!(sign_in(&app.browser(), EMAIL, other).await.status, StatusCode::UNAUTHORIZED, "{other:?}");
    }
    assert_eq!(sign_in(&app.browser(), EMAIL, exact).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_long_password_is_checked_to_its_last_byte() {
    let app = TestApp::start().await;
    let long = "orchard lantern meadow pebbles. ".repeat(32);
    assert_eq!(long.len(), 1024);
    assert_eq!(register(&app.browser(), NAME, EMAIL, &long).await.status, StatusCode::SEE_OTHER);
    for other in [long[..1023].to_owned(), long[..72].to_owned(), format!("{}q", &long[..1023])] {
        assert_eq!(sign_in(&app.browser(), EMAIL, &other).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(sign_in(&app.browser(), EMAIL, &long).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_password_of_more_than_1024_bytes_is_refused_before_anything_is_hashed() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let events = app.rows().events().len();
    let words = "The password must be 1,024 bytes or fewer";
    assert_problem(&sign_in(&app.browser(), EMAIL, &"p".repeat(1025)).await, "password", words);
    assert_problem(&register(&app.browser(), NAME, "b@example.org", &"é".repeat(513)).await, "password", words);
    assert_eq!(app.rows().events().len(), events);
}

#[actix_web::test]
async fn a_sign_in_without_a_field_is_told_which() {
    let app = TestApp::start().await;
    assert_problem(&sign_in(&app.browser(), " ", PASSWORD).await, "email", "Enter your email address");
    let answer = sign_in(&app.browser(), EMAIL, "").await;
    assert_problem(&answer, "password", "Enter your password");
    assert!(answer.says("value=\"ada@example.org\""));
}

#[actix_web::test]
async fn a_refused_sign_in_keeps_what_was_entered_but_the_password() {
    let app = TestApp::start().await;
    let fields = [("email", EMAIL), ("password", "wrong but secret"), ("next", "/token-details")];
    let answer = app.browser().submit("/login", "/login", &fields).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    for text in
        ["<title>Error: Sign in", "There is a problem", "Invalid email or password.", "value=\"/token-details\""]
    {
        assert!(answer.says(text), "{text}");
    }
    assert!(answer.says("value=\"ada@example.org\"") && !answer.says("wrong but secret") && !answer.says(" checked"));
    assert!(answer.set().is_empty());
}

#[actix_web::test]
async fn an_address_is_found_however_it_is_written() {
    let app = TestApp::start().await;
    app.signed_in().await;
    assert_eq!(sign_in(&app.browser(), " ADA@example.Org\t", PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn staying_signed_in_is_offered_and_checked_at_first() {
    let app = TestApp::start().await;
    for path in ["/login", "/register"] {
        let page = app.browser().get(path).await;
        let hint = "Kept for 30 days, unless unused for 14 days. Not on a shared computer.";
        assert!(page.says("Keep me signed in</label>") && page.says(hint), "{path}");
        assert!(page.says("name=\"keep_signed_in\" type=\"checkbox\" value=\"on\" checked"), "{path}");
    }
}

#[actix_web::test]
async fn how_long_one_stays_signed_in_is_said_as_it_is_set() {
    for (kept, idle, hint) in [
        ("36h", "90m", "Kept for 36 hours, unless unused for 90 minutes. Not on"),
        ("7d", "7d", "Kept for 7 days. Not on"),
    ] {
        let app = TestApp::with(|arguments| {
            arguments.refresh_token_ttl = Some(kept.to_owned());
            arguments.idle_ttl = Some(idle.to_owned());
        })
        .await;
        for path in ["/login", "/register"] {
            assert!(app.browser().get(path).await.says(hint), "{path} {kept}");
        }
    }
}

#[actix_web::test]
async fn what_is_missing_is_asked_for_and_not_its_format() {
    let app = TestApp::start().await;
    for email in ["", "  "] {
        assert_problem(&register(&app.browser(), NAME, email, PASSWORD).await, "email", "Enter your email address");
        assert_problem(&sign_in(&app.browser(), email, PASSWORD).await, "email", "Enter your email address");
    }
}

#[actix_web::test]
async fn password_managers_know_every_field() {
    let app = TestApp::start().await;
    let (login, register) = (app.browser().get("/login").await, app.browser().get("/register").await);
    assert!(login.says("autocomplete=\"username\"") && login.says("autocomplete=\"current-password\""));
    assert!(register.says("autocomplete=\"username\"") && register.says("autocomplete=\"new-password\""));
    for page in [login, register] {
        assert!(!page.says("maxlength") && !page.says("onpaste"));
    }
}

#[actix_web::test]
async fn a_name_that_would_rewrite_what_stands_around_it_is_refused() {
    let app = TestApp::start().await;
    for name in ["Ada\u{202e}ecalevoL", "Ada\nLovelace", "Ada\u{1b}[31m", "Ada\u{2066}"] {
        let answer = register(&app.browser(), name, EMAIL, PASSWORD).await;
        assert_problem(&answer, "full_name", "Your name must not contain control characters");
    }
    let answer = register(&app.browser(), &"x".repeat(201), EMAIL, PASSWORD).await;
    assert_problem(&answer, "full_name", "Your name must be 200 characters or fewer");
}

#[actix_web::test]
async fn a_name_of_any_language_is_taken_as_it_is() {
    let app = TestApp::start().await;
    for (number, name) in ["José Ñandú", "王小明", "אדה", "O'Brien-Śmith", "Ada 🧮"].into_iter().enumerate()
    {
        let browser = app.browser();
        register(&browser, name, &format!("user{number}@example.org"), PASSWORD).await;
        let shown = name.replace('\'', "&#39;");
        assert!(browser.get("/dashboard").await.says(&format!("Welcome, {shown}")), "{name}");
    }
}

#[actix_web::test]
async fn a_text_that_is_no_address_is_refused() {
    let app = TestApp::start().await;
    let browser = app.browser();
    for email in
        ["ada", "ada@", "@example.org", "ada@exa mple.org", "a@b@c", "ada@example.org\r\nBcc: x@y.z", "ådå@example.org"]
    {
        let answer = register(&browser, NAME, email, PASSWORD).await;
        assert_problem(&answer, "email", "Enter an email address in the form name@example.com");
    }
}
