//! `axum-login` on `tower-sessions` with its store in memory, and the user from SQLite by `sqlx`, as the documentation of
//! each shows it.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum_login::{AuthManagerLayerBuilder, AuthUser, AuthnBackend, UserId, login_required};
use perennial_peers::{EMAIL, USERS, arguments};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use tower_sessions::{MemoryStore, SessionManagerLayer};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Clone, sqlx::FromRow)]
struct User {
    id: i64,
    email: String,
    full_name: String,
}

impl AuthUser for User {
    type Id = i64;

    fn id(&self) -> i64 {
        self.id
    }

    fn session_auth_hash(&self) -> &[u8] {
        self.full_name.as_bytes()
    }
}

#[derive(Debug, Clone)]
struct Backend {
    pool: SqlitePool,
}

impl AuthnBackend for Backend {
    type User = User;
    type Credentials = ();
    type Error = sqlx::Error;

    /// No password is asked for: what is measured comes after.
    async fn authenticate(&self, (): ()) -> Result<Option<User>, sqlx::Error> {
        self.get_user(&1).await
    }

    async fn get_user(&self, id: &UserId<Self>) -> Result<Option<User>, sqlx::Error> {
        sqlx::query_as("SELECT id, email, full_name FROM users WHERE id = ?").bind(id).fetch_optional(&self.pool).await
    }
}

type AuthSession = axum_login::AuthSession<Backend>;

#[derive(Clone)]
struct Ready {
    headers: HeaderMap,
    body: Bytes,
}

async fn dashboard(session: AuthSession, State(ready): State<Ready>) -> Response {
    match session.user {
        Some(user) if user.email == EMAIL => (ready.headers, ready.body).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn sign_in(mut session: AuthSession) -> StatusCode {
    let user = session.authenticate(()).await.unwrap().unwrap();
    session.login(&user).await.unwrap();
    StatusCode::OK
}

#[tokio::main]
async fn main() {
    let (address, page, database) = arguments();
    let options = SqliteConnectOptions::new().filename(database).create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql(USERS).execute(&pool).await.unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    for (name, value) in &page.headers {
        headers.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    let sessions = SessionManagerLayer::new(MemoryStore::default()).with_secure(false);
    let auth = AuthManagerLayerBuilder::new(Backend { pool }, sessions).build();
    let router = Router::new()
        .route("/dashboard", get(dashboard))
        .route_layer(login_required!(Backend, login_url = "/login"))
        .route("/login", post(sign_in))
        .layer(auth)
        .with_state(Ready { headers, body: page.body.into() });
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    axum::serve(listener, router).await.unwrap();
}
