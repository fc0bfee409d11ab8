//! `actix-identity` on `actix-session` with its cookie store, and the user from SQLite by Diesel, `r2d2` and `web::block`,
//! as the documentation of each shows it.

use actix_identity::{Identity, IdentityMiddleware};
use actix_session::SessionMiddleware;
use actix_session::storage::CookieSessionStore;
use actix_web::cookie::Key;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{App, HttpMessage, HttpRequest, HttpResponse, HttpServer, error, web};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use perennial_peers::{EMAIL, USERS, arguments};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Users = Pool<ConnectionManager<SqliteConnection>>;

diesel::table! {
    users {
        id -> BigInt,
        email -> Text,
        full_name -> Text,
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
struct User {
    email: String,
}

struct Ready {
    headers: Vec<(HeaderName, HeaderValue)>,
    body: web::Bytes,
}

async fn dashboard(
    identity: Identity,
    pool: web::Data<Users>,
    ready: web::Data<Ready>,
) -> Result<HttpResponse, actix_web::Error> {
    let id: i64 = identity.id()?.parse().map_err(error::ErrorInternalServerError)?;
    let user = web::block(move || {
        let mut connection = pool.get().map_err(|error| error.to_string())?;
        let user = users::table.find(id).select(User::as_select()).first(&mut connection);
        user.map_err(|error| error.to_string())
    });
    let user = user.await?.map_err(error::ErrorInternalServerError)?;
    assert_eq!(user.email, EMAIL);
    let mut response = HttpResponse::Ok();
    response.content_type("text/html; charset=utf-8");
    for (name, value) in &ready.headers {
        response.insert_header((name.clone(), value.clone()));
    }
    Ok(response.body(ready.body.clone()))
}

/// No password is asked for: what is measured comes after.
async fn sign_in(request: HttpRequest) -> Result<HttpResponse, actix_web::Error> {
    Identity::login(&request.extensions(), "1".to_owned())?;
    Ok(HttpResponse::Ok().finish())
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let (address, page, database) = arguments();
    let pool: Users = Pool::builder().build(ConnectionManager::new(database)).unwrap();
    pool.get().unwrap().batch_execute(USERS).unwrap();
    let pool = web::Data::new(pool);
    let name = |text: &str| HeaderName::from_bytes(text.as_bytes()).unwrap();
    let headers = page.headers.iter().map(|(key, value)| (name(key), HeaderValue::from_str(value).unwrap()));
    let ready = web::Data::new(Ready { headers: headers.collect(), body: page.body.into() });
    let key = Key::generate();
    HttpServer::new(move || {
        let session = SessionMiddleware::builder(CookieSessionStore::default(), key.clone()).cookie_secure(false);
        App::new()
            .app_data(pool.clone())
            .app_data(ready.clone())
            .wrap(IdentityMiddleware::default())
            .wrap(session.build())
            .route("/login", web::post().to(sign_in))
            .route("/dashboard", web::get().to(dashboard))
    })
    .bind(address)?
    .run()
    .await
}
