//! Perennial inside another application: what that chooses, and what stays its own.

use std::path::Path;
use std::sync::Arc;

use actix_web::http::{Method, StatusCode};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpResponse};
use perennial::domain::clock::ManualClock;
use perennial::{Application, CurrentUser, Frame, MaybeUser, Memory, SubmittedForm};
use time::Duration;

use crate::support::patience::until;
use crate::support::server::empty_folder;
use crate::support::{START, TestApp};

/// What an application answers with headers of its own, below.
const OWN: [(&str, &str); 5] = [
    ("x-frame-options", "SAMEORIGIN"),
    ("cross-origin-opener-policy", "same-origin-allow-popups"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("permissions-policy", "camera=(self)"),
    ("cache-control", "public, max-age=60"),
];

fn routes(config: &mut ServiceConfig) {
    let name = |user: MaybeUser| async move {
        user.0.map_or_else(|| "nobody".to_owned(), |user| user.user().full_name.to_string())
    };
    config
        .route("/healthz", web::get().to(name))
        .route("/static/who", web::get().to(name))
        .route("/page", web::get().to(|_: CurrentUser| async { "page" }))
        .route("/file", web::get().to(|| async { HttpResponse::Ok().insert_header(("etag", "\"1\"")).body("file") }))
        .route("/gone", web::get().to(|| async { HttpResponse::Gone().body("It was sold.") }))
        .route("/change", web::post().to(|_: SubmittedForm| async { "changed" }))
        .route(
            "/own",
            web::get().to(|| async {
                let mut answer = HttpResponse::Ok();
                for header in OWN {
                    answer.insert_header(header);
                }
                answer.body("own")
            }),
        )
        .default_service(web::to(|| async { HttpResponse::NotFound().body("Nothing of ours.") }));
}

#[actix_web::test]
async fn what_an_application_answers_stays_as_it_is() {
    let app = TestApp::embedded(|_| {}, routes).await;
    let browser = app.signed_in().await;
    let own = browser.get("/own").await;
    for (name, value) in OWN {
        assert_eq!(own.header(name), value);
    }
    assert_eq!(own.header("x-content-type-options"), "nosniff");
    let page = browser.get("/page").await;
    assert_eq!((page.header("x-frame-options"), page.header("cache-control")), ("DENY", "no-store"));
    // What says how to ask whether it has changed may be kept, by the browser alone.
    assert_eq!(browser.get("/file").await.header("cache-control"), "private, no-cache");
    let gone = browser.get("/gone").await;
    assert_eq!((gone.status, gone.body().as_str()), (StatusCode::GONE, "It was sold."));
    let missing = browser.get("/nowhere").await;
    assert_eq!((missing.status, missing.body().as_str()), (StatusCode::NOT_FOUND, "Nothing of ours."));
    assert_eq!(browser.get("/dashboard/?a=b").await.location(), "/dashboard?a=b");
    assert_eq!(browser.ask(Method::PUT, "/dashboard").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[actix_web::test]
async fn an_application_without_an_answer_to_what_is_missing_gets_a_page() {
    let app = TestApp::start().await;
    let missing = app.browser().get("/nowhere").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.says("There is no such page"));
}

#[actix_web::test]
async fn handlers_at_paths_of_perennials_know_their_user_and_set_no_cookie_for_a_probe() {
    let app = TestApp::embedded(|_| {}, routes).await;
    let browser = app.signed_in().await;
    for path in ["/healthz", "/static/who"] {
        assert_eq!(browser.get(path).await.body(), "Ada Lovelace", "{path}");
        assert_eq!(app.browser().get(path).await.body(), "nobody", "{path}");
    }
    app.advance(Duration::hours(1));
    for path in ["/healthz", "/static/who"] {
        let probed = browser.get(path).await;
        assert_eq!((probed.body().as_str(), probed.set()), ("Ada Lovelace", vec![]), "{path}");
    }
}

#[actix_web::test]
async fn another_origin_sends_forms_where_it_is_allowed_and_with_a_token_alone() {
    let choose = |builder: perennial::Builder| builder.allow_origin("https://forms.example.org");
    let app = TestApp::chosen(|_| {}, routes, choose).await;
    let browser = app.signed_in().await;
    let token = browser.token("/dashboard", "/logout").await;
    let from = |origin: &str| browser.with_header("origin", origin).with_header("sec-fetch-site", "cross-site");
    let fields = [("form_token", token.as_str())];
    assert_eq!(from("https://forms.example.org").post("/change", &fields).await.body(), "changed");
    let forged = from("https://forms.example.org").post("/change", &[("form_token", "none")]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    for other in ["https://evil.example", "https://forms.example.org.evil.example", "null"] {
        assert_eq!(from(other).post("/change", &fields).await.status, StatusCode::FORBIDDEN, "{other}");
    }
    let unsaid = TestApp::embedded(|_| {}, routes).await;
    let browser = unsaid.signed_in().await.with_header("origin", "https://forms.example.org");
    assert_eq!(browser.post("/change", &[]).await.status, StatusCode::FORBIDDEN);
}

#[actix_web::test]
async fn an_application_chooses_where_a_sign_in_leads_and_what_is_around_the_pages() {
    let app = TestApp::chosen(
        |_| {},
        routes,
        |builder| {
            builder.after_sign_in("/page?tab=1").logo("/own.svg").frame(|page| Frame {
                head: "<link rel=\"stylesheet\" href=\"/own.css\">".to_owned(),
                before: page.user.map_or("<p>Who are you?</p>".to_owned(), |user| {
                    let token = format!("<input name=\"form_token\" value=\"{}\">", page.form_token);
                    let button =
                        format!("<form method=\"post\" action=\"/logout\">{token}<button>Leave</button></form>");
                    format!("<p>Shop of {}</p>{button}", user.id.0)
                }),
                after: "<footer>Imprint</footer>".to_owned(),
            })
        },
    )
    .await;
    let browser = app.browser();
    let login = browser.get("/login").await.body();
    let parts = ["href=\"/own.css\"></head>", "<p>Who are you?</p>", "<main id=\"main\"", "<footer>Imprint</footer>"];
    let places = parts.map(|part| login.replace('\n', "").find(part).unwrap_or_else(|| panic!("{part}: {login}")));
    assert!(places.is_sorted() && !login.contains("site-header"), "{login}");
    let fields = [("full_name", "Ada"), ("email", "ada@example.org"), ("password", "three random words")];
    assert_eq!(browser.submit("/register", "/register", &fields).await.location(), "/page?tab=1");
    assert!(browser.get("/devices").await.says("<p>Shop of 1</p>"));
    assert_eq!(browser.get("/").await.location(), "/page?tab=1");
    assert_eq!(browser.get("/login").await.location(), "/page?tab=1");
    assert_eq!(browser.get("/login?next=%2Fdevices").await.location(), "/devices");
    assert_eq!(browser.submit("/token-details", "/logout", &[]).await.location(), "/login");
    assert!(!browser.is_signed_in().await);
}

#[actix_web::test]
async fn a_logo_stands_beside_the_name() {
    let app =
        TestApp::chosen(|all| all.site_name = Some("Shop".to_owned()), routes, |builder| builder.logo("/own.svg"))
            .await;
    assert!(app.browser().get("/login").await.says("<img class=\"brand__mark\" src=\"/own.svg\""));
}

#[test]
fn what_cannot_be_is_an_error_that_names_it() {
    let folder = empty_folder();
    let url = format!("sqlite://{}", folder.path().join("a.db").display());
    let builder = || Application::builder().settings(|all| all.database_url = Some(url.clone()));
    let says = |builder: perennial::Builder| builder.build().unwrap_err().to_string();
    for path in ["notes", "//evil.example", "https://evil.example", "/a\nb", ""] {
        assert!(says(builder().after_sign_in(path)).starts_with("Builder::after_sign_in: takes a path"), "{path}");
        assert!(says(builder().logo(path)).starts_with("Builder::logo: takes a path"), "{path}");
    }
    for origin in ["forms.example.org", "null", "*", "https://a.example/path"] {
        assert!(says(builder().allow_origin(origin)).starts_with("Builder::allow_origin: takes an origin"), "{origin}");
    }
    assert!(says(builder().settings(|all| all.bcrypt_cost = Some("99".into()))).starts_with("BCRYPT_COST: takes"));
    let missing = folder.path().join("nowhere/perennial.key");
    assert!(says(builder().key_file(&missing)).contains("nowhere/perennial.key"));
    assert!(!folder.path().join("a.db").exists(), "nothing was opened");
}

/// Builds in a process of its own, for an environment is a process's: the child is this test.
#[test]
fn settings_come_from_an_environment_with_a_prefix_and_code_goes_first() {
    const FOLDER: &str = "PERENNIAL_TEST_FOLDER";
    if let Some(folder) = std::env::var_os(FOLDER) {
        let folder = Path::new(&folder);
        let build = || {
            Application::builder()
                .environment("SHOP_")
                .settings(|all| all.database_url = Some(format!("sqlite://{}", folder.join("a.db").display())))
                .key_file(folder.join("own.key"))
                .transport(Memory::new().0)
                .build()
        };
        match build() {
            Ok(_) => println!("built: {}", folder.join("own.key").exists()),
            Err(error) => println!("refused: {error}"),
        }
        return;
    }
    let folder = empty_folder();
    let run = |cost: &str| {
        let name = "embedding::settings_come_from_an_environment_with_a_prefix_and_code_goes_first";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(FOLDER, folder.path())
            .env("SHOP_BCRYPT_COST", cost)
            .env("SHOP_DATABASE_URL", "nonsense")
            .env("IDLE_TTL", "nonsense")
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(run("ninety").contains("refused: SHOP_BCRYPT_COST: takes a whole number"));
    assert!(run("4").contains("built: true"));
}

#[actix_web::test]
async fn what_was_configured_follows_revocations_when_the_value_is_gone() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    let arguments = app.arguments().clone();
    let embedded = Application::builder()
        .settings(|all| *all = arguments)
        .clock(Arc::new(ManualClock::at(START)))
        .transport(Memory::new().0)
        .build()
        .unwrap();
    let service = App::new().configure(|config| embedded.configure(config)).wrap(from_fn(perennial::authenticate));
    let service = init_service(service).await;
    drop(embedded);
    let visit = async || {
        let request = TestRequest::get().uri("/dashboard").insert_header(("cookie", browser.cookie_header()));
        call_service(&service, request.to_request()).await.status()
    };
    assert_eq!(visit().await, StatusCode::OK);
    app.rows().execute("UPDATE sessions SET revoked_at = created_at, revoked_because = 'revoked'");
    // It has an access token that stays good for minutes: only who follows the table knows.
    until("an end of the sign-in", || {
        let status = futures_util::FutureExt::now_or_never(visit());
        (status != Some(StatusCode::OK)).then_some(())
    });
    assert_eq!(visit().await, StatusCode::SEE_OTHER);
}

/// Writes a page of the application's: everything that it is given, a line each.
fn own_page(page: &perennial::FormPage<'_>) -> String {
    let told = |field| page.problem(field).unwrap_or("fine").to_owned();
    format!(
        "<!doctype html><form method=\"post\" action=\"{}\">{}</form>own page of {:?}: {}|{}|{}|{:?}",
        page.action(),
        page.hidden_fields(),
        page.value("email"),
        told("email"),
        page.message().unwrap_or("no message"),
        page.is_checked("keep_signed_in"),
        page.notices(),
    )
}

#[actix_web::test]
async fn an_application_makes_pages_of_its_own_around_the_same_forms() {
    let choose = |builder: perennial::Builder| {
        builder.sign_in_page(own_page).registration_page(own_page).password_reset_page(own_page)
    };
    let app = TestApp::chosen(|_| {}, routes, choose).await;
    let browser = app.browser();
    let empty = browser.submit("/register", "/register", &[("email", "<b>"), ("password", "short")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(empty.body().contains(r#"own page of "<b>": "#), "{}", empty.body());
    assert!(!empty.body().contains(": fine|") && !empty.body().contains("short"));
    browser.register().await;
    let out = browser.submit("/dashboard", "/logout", &[]).await;
    let after = browser.follow(out).await;
    assert!(after.body().contains("You have signed out"), "{}", after.body());
    let next = browser.get("/login?next=/notes%3Fa=1%26b=2").await.body();
    assert!(next.contains(r#"name="next" value="/notes?a=1&#38;b=2""#), "{next}");
    let wrong = [("email", "ada@example.org"), ("password", "wrong")];
    let refused = browser.submit("/login", "/login", &wrong).await;
    assert_eq!(
        (refused.status, refused.header("content-type")),
        (StatusCode::UNAUTHORIZED, "text/html; charset=utf-8")
    );
    assert!(refused.body().contains("|Invalid email or password.|false|"), "{}", refused.body());
    let reset = browser.submit("/password-reset", "/password-reset", &[("email", "nobody")]).await;
    assert_eq!(reset.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(reset.body().contains("own page of \"nobody\""));
}
