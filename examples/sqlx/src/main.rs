//! Notes in one file with Perennial's tables, by SQLx, which has migrations of its own.
//!
//! Run `cargo run` in this folder and open the address that it prints. The data is in `notes.db`.

use actix_web::error::ErrorInternalServerError;
use actix_web::http::header::LOCATION;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, Html, ServiceConfig};
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
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Notes</title>
<h1>Notes of {name}</h1>
<ul>{notes}</ul>
<form method="post" action="/">
<input type="hidden" name="form_token" value="{token}">
<label>Note <input name="line" required></label> <button>Keep</button>
</form>
<form method="post" action="/logout">
<input type="hidden" name="form_token" value="{token}">
<button>Sign out</button>
</form>
"#,
        name = escaped(&user.user().full_name),
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

/// Opens the pool, and makes the tables of the notes beside Perennial's, which have to be there first.
async fn open(database: &str) -> std::result::Result<Data<SqlitePool>, Box<dyn std::error::Error>> {
    let pool = SqlitePool::connect(database).await?;
    sqlx::migrate!().run(&pool).await?;
    Ok(Data::new(pool))
}

fn configure(config: &mut ServiceConfig, pool: Data<SqlitePool>, perennial: &Application) {
    config.app_data(pool).route("/", web::get().to(read)).route("/", web::post().to(write));
    perennial.configure(config);
}

#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let perennial = Application::builder()
        .environment("PERENNIAL_")
        .settings(|set| {
            set.database_url = Some("sqlite://notes.db".to_owned());
            set.site_name = Some("Notes".to_owned());
        })
        .after_sign_in("/")
        .build()?;
    let pool = open("sqlite://notes.db").await?;
    match perennial.first_account_url().await? {
        Some(url) => println!("Create the first account at {url}; stop it with Ctrl-C"),
        None => println!("Open http://localhost:8080 and sign in; stop it with Ctrl-C"),
    }
    HttpServer::new(move || {
        let (pool, perennial) = (pool.clone(), perennial.clone());
        App::new().configure(move |config| configure(config, pool, &perennial)).wrap(from_fn(authenticate))
    })
    .bind("127.0.0.1:8080")?
    .run()
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use perennial::assert_access;
    use perennial::testing::TestSite;

    use super::*;

    #[actix_web::test]
    async fn notes_belong_to_their_writer_and_go_with_the_account() {
        let site = TestSite::start();
        let pool = open(&site.database_url()).await.unwrap();
        let routes = |config: &mut ServiceConfig| configure(config, pool.clone(), site.perennial());
        let app = site.serve(App::new().configure(routes).wrap(from_fn(authenticate))).await;
        assert_access!(app, { GET "/" => SignedIn, POST "/" => SignedIn });

        let (ada, grace) = (app.sign_in_as("ada@example.org").await, app.sign_in_as("grace@example.org").await);
        assert_eq!(ada.submit("/", "/", &[("line", "<Note G>")]).await.status, 303);
        assert!(ada.get("/").await.says("<li>&lt;Note G>"));
        assert!(!grace.get("/").await.says("Note G"));
        assert_eq!(ada.post("/", &[("line", "without the token")]).await.status, 403);

        // The access token has long expired; the form that was open meanwhile loses nothing.
        let token = ada.token("/", "/").await;
        site.advance(time::Duration::days(2));
        assert_eq!(ada.post("/", &[("form_token", &token), ("line", "late")]).await.status, 303);
        assert!(ada.get("/").await.says("<li>late"));

        let accounts = site.perennial().accounts();
        let id = accounts.find_by_email("ada@example.org").await.unwrap().unwrap().id;
        accounts.delete(id).await.unwrap();
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM notes").fetch_one(pool.as_ref()).await.unwrap();
        assert_eq!(left, 0);
    }
}
