//! A guest book of one page, in an application of its own, with Perennial's sign-in around it.
//!
//! Run `cargo run --example embed` and open the address that it prints. Its data is in `perennial.db` and
//! `perennial.key` in the working directory; every setting of Perennial is read from variables such as `BOOK_SITE_NAME`.

use std::error::Error;
use std::sync::{Mutex, PoisonError};

use actix_web::http::header::LOCATION;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, Html, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer};
use askama::Template;
use perennial::{Application, CurrentUser, FormToken, SubmittedForm, WebError, authenticate};

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<title>Guest book</title>
<h1>Hello, {{ name }}</h1>
<form method="post" action="/">
<input type="hidden" name="form_token" value="{{ form_token }}">
<label>Write something <input name="line"></label>
<button>Sign the book</button>
</form>
<ul>{% for line in lines %}<li>{{ line }}</li>{% endfor %}</ul>
<p><a href="/dashboard">Your account</a></p>
</html>"#
)]
struct Page<'a> {
    name: &'a str,
    form_token: FormToken,
    lines: &'a [String],
}

#[derive(Default)]
struct Book(Mutex<Vec<String>>);

/// Takes a [`CurrentUser`], so it is never reached without a sign-in.
async fn read(user: CurrentUser, form_token: FormToken, book: Data<Book>) -> Result<Html, WebError> {
    let lines = book.0.lock().unwrap_or_else(PoisonError::into_inner);
    let page = Page { name: &user.user().full_name, form_token, lines: &lines };
    Ok(Html::new(page.render()?))
}

/// Takes a [`SubmittedForm`], so no other site can send it for the user.
async fn write(user: CurrentUser, form: SubmittedForm, book: Data<Book>) -> HttpResponse {
    let line = format!("{}: {}", user.user().full_name, form.get("line"));
    book.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    HttpResponse::SeeOther().insert_header((LOCATION, "/")).finish()
}

/// Puts the book in front of Perennial's pages: the first route that fits a request answers it.
fn configure(config: &mut ServiceConfig, book: Data<Book>, perennial: &Application) {
    config.app_data(book).route("/", web::get().to(read)).route("/", web::post().to(write));
    perennial.configure(config);
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let perennial = Application::builder()
        .environment("BOOK_")
        .settings(|set| set.bind = Some("127.0.0.1:8081".to_owned()))
        .after_sign_in("/")
        .build()?;
    let book = Data::new(Book::default());
    match perennial.first_account_url().await? {
        Some(url) => println!("Create the first account at {url}; stop it with Ctrl-C"),
        None => println!("Open http://localhost:8081 and sign in; stop it with Ctrl-C"),
    }
    HttpServer::new(move || {
        let (book, perennial) = (book.clone(), perennial.clone());
        App::new().configure(move |config| configure(config, book, &perennial)).wrap(from_fn(authenticate))
    })
    .bind("127.0.0.1:8081")?
    .run()
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use perennial::assert_requires_sign_in;
    use perennial::testing::TestSite;
    use time::Duration;

    use super::*;

    #[actix_web::test]
    async fn the_book_is_for_those_who_are_signed_in_and_keeps_them_so() {
        let site = TestSite::start();
        let book = Data::new(Book::default());
        let app = App::new().configure(|config| configure(config, book, site.perennial())).wrap(from_fn(authenticate));
        let app = site.serve(app).await;
        assert_requires_sign_in!(app, GET "/", POST "/");

        let browser = app.browser();
        let ada = [
            ("full_name", "Ada <Lovelace>"),
            ("email", "ada@example.org"),
            ("password", "three random words"),
            ("keep_signed_in", "on"),
        ];
        assert_eq!(browser.submit("/register", "/register", &ada).await.status, 303);
        assert!(browser.get("/").await.says("<h1>Hello, Ada &#60;Lovelace&#62;</h1>"));

        // The access token has long expired; the visit goes on, and the form with it.
        site.advance(Duration::days(2));
        assert_eq!(browser.submit("/", "/", &[("line", "still here")]).await.status, 303);
        assert!(browser.get("/").await.says("still here</li>"));

        assert_eq!(browser.post("/", &[("line", "forged")]).await.status, 403);
        assert!(!browser.get("/").await.says("forged"));
    }
}
