//! Forms as values, and what protects requests that are no form.

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use perennial::testing::form_token;
use perennial::{CurrentUser, Form, FormGuard, FormHeader, FormToken, SubmittedForm, WebError};
use serde::Deserialize;
use serde_json::json;

use crate::support::kept::{PageForm, sign_in_after};
use crate::support::{Browser, TestApp};

#[derive(Debug, Deserialize)]
struct Note {
    title: String,
    #[serde(default)]
    tags: Vec<String>,
    copies: Option<u8>,
}

#[derive(Template)]
#[template(ext = "html", source = r#"<form action="/notes" method="post">{{ token.field() }}</form>"#)]
struct Page {
    token: FormToken,
}

async fn page(_: CurrentUser, token: FormToken) -> HttpResponse {
    HttpResponse::Ok().content_type("text/html").body(Page { token }.render().unwrap())
}

async fn save(_: CurrentUser, Form(note): Form<Note>) -> String {
    format!("{} {:?} {:?}", note.title, note.tags, note.copies)
}

async fn save_long(_: CurrentUser, form: Form<Note, 40_000>) -> String {
    form.title.len().to_string()
}

async fn asked_again(_: CurrentUser, form: SubmittedForm) -> HttpResponse {
    let tags: Vec<_> = form.get_all("tags").collect();
    match form.parse::<Note>() {
        Ok(note) => HttpResponse::Ok().body(note.title),
        Err(error) => HttpResponse::UnprocessableEntity().body(format!("{error}; {}", tags.join(","))),
    }
}

async fn upload(_: CurrentUser, guard: FormGuard, request: HttpRequest, body: Bytes) -> Result<HttpResponse, WebError> {
    assert!(request.headers().get("content-type").unwrap().to_str().unwrap().starts_with("multipart/form-data"));
    let body = String::from_utf8_lossy(&body);
    let token =
        body.split_once("name=\"form_token\"\r\n\r\n").map_or("", |(_, rest)| rest.split("\r\n").next().unwrap());
    guard.verify(token)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn rename(_: CurrentUser, _: FormHeader, name: web::Json<String>) -> String {
    name.into_inner()
}

async fn start() -> TestApp {
    TestApp::embedded(
        |_| {},
        |config| {
            config
                .route("/notes", web::get().to(page))
                .route("/notes", web::post().to(save))
                .route("/long-notes", web::post().to(save_long))
                .route("/asked-again", web::post().to(asked_again))
                .route("/upload", web::post().to(upload))
                .route("/name", web::post().to(rename));
        },
    )
    .await
}

/// Sends a form with a good token.
async fn send(browser: &Browser, path: &str, fields: &[(&str, &str)]) -> (StatusCode, String) {
    let token = browser.token("/notes", "/notes").await;
    let answer = browser.post(path, &[fields, &[("form_token", &token)]].concat()).await;
    (answer.status, answer.body())
}

#[actix_web::test]
async fn a_form_is_a_value_with_fields_that_come_several_times() {
    let app = start().await;
    let browser = app.signed_in().await;
    let fields = [("title", "Rosé & co"), ("tags", "a+b"), ("tags", "c"), ("copies", "3")];
    assert_eq!(
        send(&browser, "/notes", &fields).await,
        (StatusCode::OK, "Rosé & co [\"a+b\", \"c\"] Some(3)".to_owned())
    );
    assert_eq!(send(&browser, "/notes", &fields[..1]).await.1, "Rosé & co [] None");
    for wrong in [&fields[1..2], &[("title", "x"), ("copies", "many")], &[("title", "x"), ("copies", "300")]] {
        let (status, body) = send(&browser, "/notes", wrong).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(body.contains("A field of the form is missing") && !body.contains("copies"), "{body}");
        let (status, body) = send(&browser, "/asked-again", wrong).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(body.contains("title") || body.contains("digit") || body.contains("number"), "{body}");
    }
    assert_eq!(send(&browser, "/asked-again", &fields).await.1, "Rosé & co");
}

#[actix_web::test]
async fn a_form_without_its_token_is_none_and_one_may_be_as_large_as_its_handler_says() {
    let app = start().await;
    let browser = app.signed_in().await;
    for path in ["/notes", "/long-notes", "/asked-again"] {
        assert_eq!(browser.post(path, &[("title", "x")]).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let (long, too_long) = ("x".repeat(30_000), "x".repeat(41_000));
    assert_eq!(send(&browser, "/notes", &[("title", &long)]).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(send(&browser, "/long-notes", &[("title", &long)]).await, (StatusCode::OK, "30000".to_owned()));
    assert_eq!(send(&browser, "/long-notes", &[("title", &too_long)]).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[actix_web::test]
async fn an_upload_is_protected_by_the_token_in_it() {
    let app = start().await;
    let (browser, other) = (app.signed_in().await, app.browser());
    other.sign_in().await;
    let upload = async |token: &str| {
        let body = format!(
            "--b\r\ncontent-disposition: form-data; name=\"form_token\"\r\n\r\n{token}\r\n--b\r\ncontent-disposition: \
             form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n"
        );
        browser.post_body("/upload", "multipart/form-data; boundary=b", body).await.status
    };
    let token = form_token(&browser.get("/notes").await.body(), "/notes");
    assert_eq!(upload(&token).await, StatusCode::NO_CONTENT);
    let foreign = form_token(&other.get("/notes").await.body(), "/notes");
    for wrong in ["", "x", foreign.as_str()] {
        assert_eq!(upload(wrong).await, StatusCode::FORBIDDEN, "{wrong}");
    }
}

#[actix_web::test]
async fn a_script_sends_the_token_in_a_header() {
    let app = start().await;
    let browser = app.signed_in().await;
    let token = browser.token("/notes", "/notes").await;
    let answer = browser.post_json("/name", &token, &json!("Ada")).await;
    assert_eq!((answer.status, answer.body().as_str()), (StatusCode::OK, "Ada"));
    for wrong in ["", "x"] {
        let answer = browser.post_json("/name", wrong, &json!("Ada")).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::FORBIDDEN, "application/json"));
    }
    let signed_out = app.browser().post_json("/name", &token, &json!("Ada")).await;
    assert_eq!(signed_out.status, StatusCode::UNAUTHORIZED);
    // A form may bring it there too.
    let answer = browser.with_header("x-form-token", &token).post("/notes", &[("title", "x")]).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_form_that_meets_an_ended_sign_in_is_kept_and_becomes_the_same_value_after_the_next() {
    let app = start().await;
    let browser = app.signed_in().await;
    let token = browser.token("/notes", "/notes").await;
    app.rows().execute("UPDATE sessions SET revoked_at = created_at, revoked_because = 'revoked_on_another_device'");
    app.catch_up();
    let fields = [("title", "Rosé & co"), ("tags", "a+b"), ("tags", "c"), ("copies", "3"), ("form_token", &token)];
    let met = browser.post("/notes", &fields).await;
    let page = sign_in_after(&browser, &met).await.body();
    let sent = PageForm::with_button(&page, "Send it now").unwrap().send(&browser, &[]).await;
    assert_eq!((sent.status, sent.body().as_str()), (StatusCode::OK, "Rosé & co [\"a+b\", \"c\"] Some(3)"));
}
