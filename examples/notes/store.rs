//! The notes, by Diesel, in a table beside Perennial's.

use std::error::Error;

use actix_web::rt::task::{JoinError, spawn_blocking};
use actix_web::{HttpResponse, ResponseError};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{self, ConnectionManager, CustomizeConnection, Pool};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use futures_util::stream::{Stream, unfold};
use perennial::UserId;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Sender, channel};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("examples/notes/migrations");

diesel::table! {
    notes (id) {
        id -> BigInt,
        user_id -> BigInt,
        text -> Text,
        file_name -> Nullable<Text>,
        file -> Nullable<Binary>,
        event_id -> Nullable<BigInt>,
    }
}

diesel::table! {
    // Perennial's: an application reads it, and changes accounts by `Application::accounts`.
    users (id) {
        id -> BigInt,
        full_name -> Text,
    }
}

diesel::joinable!(notes -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(notes, users);

#[derive(Debug, Clone, Queryable, Selectable, Serialize)]
#[diesel(table_name = notes)]
pub struct Note {
    pub id: i64,
    pub user_id: i64,
    pub text: String,
    pub file_name: Option<String>,
}

#[derive(Debug, Default, Insertable)]
#[diesel(table_name = notes)]
pub struct NewNote {
    pub user_id: i64,
    pub text: String,
    pub file_name: Option<String>,
    pub file: Option<Vec<u8>>,
    pub event_id: Option<i64>,
}

/// Why there is no answer. Whoever asked gets a page of Perennial's that says nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum NotesError {
    #[error(transparent)]
    Pool(#[from] r2d2::PoolError),
    #[error(transparent)]
    Query(#[from] diesel::result::Error),
    #[error(transparent)]
    Thread(#[from] JoinError),
    #[error(transparent)]
    Page(#[from] askama::Error),
}

impl ResponseError for NotesError {
    fn error_response(&self) -> HttpResponse {
        HttpResponse::InternalServerError().finish()
    }
}

type Connections = Pool<ConnectionManager<SqliteConnection>>;

/// The notes of all users, and news of those that are written.
pub struct Notes {
    pool: Connections,
    news: Sender<Note>,
}

impl Notes {
    /// Opens the database that Perennial has made, and runs the migrations of the notes: each keeps its own record.
    pub fn open(database: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let pool = Pool::builder().connection_customizer(Box::new(Pragmas)).build(ConnectionManager::new(database))?;
        pool.get()?.run_pending_migrations(MIGRATIONS)?;
        Ok(Self { pool, news: channel(100).0 })
    }

    pub async fn of(&self, user: UserId) -> Result<Vec<Note>, NotesError> {
        let own = notes::table.filter(notes::user_id.eq(user.0)).order(notes::id.desc());
        self.run(move |connection| own.select(Note::as_select()).load(connection)).await
    }

    /// Returns the notes of all users with the names of these.
    pub async fn of_everyone(&self) -> Result<Vec<(Note, String)>, NotesError> {
        let all = notes::table.inner_join(users::table).order(notes::id.desc()).limit(100);
        self.run(move |connection| all.select((Note::as_select(), users::full_name)).load(connection)).await
    }

    /// Returns an attachment of a user, with its name.
    pub async fn file(&self, user: UserId, note: i64) -> Result<Option<(String, Vec<u8>)>, NotesError> {
        let own = notes::table.find(note).filter(notes::user_id.eq(user.0));
        let file = own.select((notes::file_name.assume_not_null(), notes::file.assume_not_null()));
        self.run(move |connection| file.filter(notes::file.is_not_null()).get_result(connection).optional()).await
    }

    pub async fn write(&self, note: NewNote) -> Result<(), NotesError> {
        let insert = diesel::insert_or_ignore_into(notes::table).values(note).returning(Note::as_returning());
        if let Some(note) = self.run(move |connection| insert.get_result(connection).optional()).await? {
            // Nobody may be listening.
            let _ = self.news.send(note);
        }
        Ok(())
    }

    /// Writes the first note of a user, once, however often the event is delivered.
    pub async fn welcome(&self, user: UserId, event: i64) -> Result<(), NotesError> {
        let text = "Welcome! This is your first note.".to_owned();
        self.write(NewNote { user_id: user.0, text, event_id: Some(event), ..NewNote::default() }).await
    }

    pub async fn delete(&self, user: UserId, note: i64) -> Result<(), NotesError> {
        let own = notes::table.find(note).filter(notes::user_id.eq(user.0));
        self.run(move |connection| diesel::delete(own).execute(connection)).await.map(drop)
    }

    /// Tells of each note that is written from now on.
    pub fn news(&self) -> impl Stream<Item = Note> + use<> {
        unfold(self.news.subscribe(), async |mut news| {
            loop {
                match news.recv().await {
                    Ok(note) => return Some((note, news)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        })
    }

    /// Runs a query where it holds up no other request.
    async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, NotesError> {
        let pool = self.pool.clone();
        spawn_blocking(move || Ok(query(&mut *pool.get()?)?)).await?
    }
}

/// What every connection to a file that others write to as well begins with.
#[derive(Debug)]
struct Pragmas;

impl CustomizeConnection<SqliteConnection, r2d2::Error> for Pragmas {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), r2d2::Error> {
        let pragmas = "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON";
        connection.batch_execute(pragmas).map_err(r2d2::Error::QueryError)
    }
}
