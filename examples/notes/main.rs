//! Notes with attachments: tables and migrations of an application's own beside Perennial's, with uploads, JSON, an event
//! stream, a role and a hook.
//!
//! Run `cargo run --example notes` and open the address that it prints. Everything is in `notes.db` and `notes.key` in the
//! working directory. An editor, who sees the notes of all, is made by `/admin/users`.

mod handlers;
mod pages;
mod store;

use std::error::Error;

use actix_multipart::form::MultipartFormConfig;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpServer};
use perennial::{Application, Builder, EventType, authenticate};

use handlers::{data, delete, everyone, file, follow, list, style, write};
use store::Notes;

const ADDRESS: &str = "127.0.0.1:8082";

const DATABASE: &str = "sqlite://notes.db";

/// Bytes of a note with its attachment at most.
const LIMIT: usize = 1 << 20;

/// Chooses what is the same in production and in tests.
fn choose(builder: Builder) -> Builder {
    builder.settings(|set| set.site_name = Some("Notes".to_owned())).after_sign_in("/notes")
}

/// Opens the tables, and has everybody who registers find a note.
fn open(perennial: &Application, database: &str) -> Result<Data<Notes>, Box<dyn Error + Send + Sync>> {
    let notes = Data::new(Notes::open(database)?);
    let welcome = notes.clone();
    perennial.on_event("welcome", async move |event| {
        if let (Some(EventType::Registered), Some(user)) = (event.kind, event.user) {
            welcome.welcome(user, event.id).await?;
        }
        Ok(())
    })?;
    Ok(notes)
}

fn configure(config: &mut ServiceConfig, notes: Data<Notes>, perennial: &Application) {
    let own = web::scope("/notes")
        .wrap(perennial.require())
        .route("", web::get().to(list))
        .route("", web::post().to(write))
        .route("/stream", web::get().to(follow))
        .route("/{note}/file", web::get().to(file))
        .route("/{note}/delete", web::post().to(delete));
    config
        .app_data(notes)
        .app_data(MultipartFormConfig::default().total_limit(LIMIT).memory_limit(LIMIT))
        .service(web::redirect("/", "/notes"))
        .route("/style.css", web::get().to(style))
        .service(own)
        .service(web::scope("/data").wrap(perennial.require().json()).route("/notes", web::get().to(data)))
        .service(
            web::scope("/staff").wrap(perennial.require().role("editor")).route("/notes", web::get().to(everyone)),
        );
    perennial.configure(config);
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let perennial = choose(Application::builder().environment("NOTES_").key_file("notes.key"))
        .settings(|set| {
            set.bind = Some(ADDRESS.to_owned());
            set.database_url = Some(DATABASE.to_owned());
        })
        .build()?;
    let notes = open(&perennial, DATABASE)?;
    match perennial.first_account_url().await? {
        Some(url) => println!("Create the first account at {url}; stop it with Ctrl-C"),
        None => println!("Open http://localhost:8082 and sign in; stop it with Ctrl-C"),
    }
    HttpServer::new(move || {
        let (notes, perennial) = (notes.clone(), perennial.clone());
        App::new().configure(move |config| configure(config, notes, &perennial)).wrap(from_fn(authenticate))
    })
    .bind(ADDRESS)?
    .run()
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_web::body::to_bytes;
    use actix_web::http::Method;
    use actix_web::rt::time::timeout;
    use futures_util::future::join;
    use perennial::assert_access;
    use perennial::testing::TestSite;
    use serde_json::Value;

    use super::*;

    /// How long anything is waited for that takes an instant.
    const AT_MOST: Duration = Duration::from_secs(20);

    #[actix_web::test]
    async fn notes_belong_to_their_writer_and_a_stream_ends_with_its_sign_in() {
        let site = TestSite::with(choose);
        let notes = open(site.perennial(), &site.database_url()).unwrap();
        let app = App::new().configure(|config| configure(config, notes, site.perennial())).wrap(from_fn(authenticate));
        let app = site.serve(app).await;
        assert_access!(app, {
            GET "/notes" => SignedIn, POST "/notes" => SignedIn, GET "/notes/stream" => SignedIn,
            GET "/data/notes" => SignedIn, GET "/staff/notes" => Role("editor"), GET "/style.css" => Public,
        });
        let (ada, grace) = (app.sign_in_as("ada@example.org").await, app.sign_in_as("grace@example.org").await);
        let sent = ada.upload("/notes", "/notes", &[("text", "<Note G>")], ("file", "g.txt", b"Bernoulli")).await;
        assert_eq!((sent.status.as_u16(), sent.location()), (303, "/notes"));
        assert!(ada.get("/notes").await.says("&#60;Note G&#62;"));
        let forged = ada.upload("/account", "/notes", &[("text", "without the token")], ("file", "", b"")).await;
        assert_eq!(forged.status, 403);
        let notes: Vec<Value> = ada.get("/data/notes").await.json();
        let file = format!("/notes/{}/file", notes[0]["id"]);
        assert_eq!(ada.get(&file).await.bytes, b"Bernoulli");
        assert_eq!(grace.get(&file).await.status, 404);
        grace.sign_in_as_role("grace@example.org", "editor").await;
        assert!(grace.get("/staff/notes").await.says("&#60;Note G&#62;"));

        let stream = ada.respond(ada.request(&Method::GET, "/notes/stream")).await;
        let ending = async {
            ada.upload("/notes", "/notes", &[("text", "heard")], ("file", "", b"")).await;
            ada.submit("/notes", "/logout", &[]).await
        };
        let heard = timeout(AT_MOST, join(to_bytes(stream.into_body()), ending));
        let (heard, _) = heard.await.expect("the stream ends with the sign-in");
        assert!(String::from_utf8_lossy(&heard.unwrap()).contains("heard"));
    }

    #[actix_web::test]
    async fn whoever_registers_finds_a_note_and_whoever_leaves_leaves_none() {
        let site = TestSite::with(choose);
        let notes = open(site.perennial(), &site.database_url()).unwrap();
        let routes = |config: &mut ServiceConfig| configure(config, notes.clone(), site.perennial());
        let app = site.serve(App::new().configure(routes).wrap(from_fn(authenticate))).await;
        let ada = app.sign_in_as("ada@example.org").await;
        let welcomed = async { while !ada.get("/notes").await.says("Welcome") {} };
        timeout(AT_MOST, welcomed).await.expect("a note");
        let accounts = site.perennial().accounts();
        let id = accounts.find_by_email("ada@example.org").await.unwrap().unwrap().id;
        accounts.delete(id).await.unwrap();
        assert!(notes.of_everyone().await.unwrap().is_empty());
    }
}
