//! Notes in one file with Perennial's tables, by SQLx, which has migrations of its own.
//!
//! Run `cargo run` in this folder and open the address that the log names. The data is in `notes.db`.

use actix_web::error::ErrorInternalServerError;
use actix_web::http::header::LOCATION;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, Html};
use actix_web::{App, HttpResponse, HttpServer, Result};
use perennial::{Application, CurrentUser, FormToken, SubmittedForm, authenticate};
use sqlx::SqlitePool;

async fn read(user: CurrentUser, token: FormToken, pool: Data<SqlitePool>) -> Result<Html> {
    let notes: Vec<String> = sqlx::query_scalar("SELECT line FROM notes WHERE user_id = ? ORDER BY id")
        .bind(user.user().id.0)
        .fetch_all(pool.as_ref())
        .await
        .map_err(ErrorInternalServerError)?;
    let notes: String = notes.iter().map(|line| format!("<li>{}", escaped(line))).collect();
    Ok(Html::new(format!(
        "<!doctype html><html lang=en><title>Notes</title><h1>Notes</h1><ul>{notes}</ul>\
         <form method=post><input type=hidden name=form_token value=\"{token}\">\
         <label>Note <input name=line></label><button>Keep</button></form>"
    )))
}

async fn write(user: CurrentUser, form: SubmittedForm, pool: Data<SqlitePool>) -> Result<HttpResponse> {
    sqlx::query("INSERT INTO notes (user_id, line) VALUES (?, ?)")
        .bind(user.user().id.0)
        .bind(form.get("line"))
        .execute(pool.as_ref())
        .await
        .map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, "/")).finish())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // First Perennial, which makes the file and the table of users that the notes refer to.
    let perennial = Application::builder()
        .environment("PERENNIAL_")
        .settings(|set| {
            set.database_url = Some("sqlite://notes.db".to_owned());
            set.site_name = Some("Notes".to_owned());
        })
        .after_sign_in("/")
        .build()?;
    let pool = SqlitePool::connect("sqlite://notes.db").await?;
    sqlx::migrate!().run(&pool).await?;
    if let Some(url) = perennial.first_account_url().await? {
        println!("Create the first account at {url}");
    }
    let pool = Data::new(pool);
    HttpServer::new(move || {
        App::new()
            .app_data(pool.clone())
            .route("/", web::get().to(read))
            .route("/", web::post().to(write))
            .configure(|config| perennial.configure(config))
            .wrap(from_fn(authenticate))
    })
    .bind("127.0.0.1:8080")?
    .run()
    .await?;
    Ok(())
}
