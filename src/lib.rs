//! Sign in once, stay signed in, safely, without a line of JavaScript.
//!
//! Perennial is a sign-in server, and this library is the same thing inside another Actix application. Somebody who signs
//! in holds two cookies: an access token, which is good for some minutes and costs no database call, and a refresh token,
//! which is exchanged for the next one as the answer to a request goes out. The promise is *never signed out by accident,
//! never kept in by theft*: a lost answer or a second tab ends no session, and a copied token does.
//!
//! # In an application of your own
//!
//! Build an [`Application`], let it add its pages, wrap everything in [`authenticate`], and ask for a [`CurrentUser`] where
//! one is needed. The folder `examples` has the same with forms and a test, and `docs/library.md` says what an application
//! chooses and how this compares with other crates.
//!
//! ```no_run
//! use actix_web::middleware::from_fn;
//! use actix_web::{App, HttpServer, web};
//! use perennial::{Application, CurrentUser, authenticate};
//!
//! async fn hello(user: CurrentUser) -> String {
//!     format!("Hello {}", user.user().full_name)
//! }
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let perennial = Application::builder().environment("PERENNIAL_").after_sign_in("/").build()?;
//!     HttpServer::new(move || {
//!         App::new()
//!             .route("/", web::get().to(hello))
//!             .configure(|config| perennial.configure(config))
//!             .wrap(from_fn(authenticate))
//!     })
//!     .bind("127.0.0.1:8080")?
//!     .run()
//!     .await?;
//!     Ok(())
//! }
//! ```
//!
//! - [`Builder`] takes every setting of the program, in code or from the environment, and what only an application
//!   chooses. The features `sqlite`, `postgres` and `smtp` are what a library without the program is built from.
//! - [`CurrentUser`] sends whoever is not signed in to `/login` and back; [`MaybeUser`] is for pages that everybody sees.
//!   [`CurrentUser::confirm`] asks the database once more, right before something that must not be done in the name of
//!   somebody who has been signed out meanwhile.
//! - [`RecentUser`] is a [`CurrentUser`] who has entered their password within the last 10 minutes, or within as many as
//!   the handler says (`RecentUser<60>`); whoever has not is sent to `/reauthenticate` and back. Ask for it where a copied
//!   cookie or an unattended screen would do lasting harm.
//! - [`Application::require`] protects a scope in one line, by sign-in, role or recent password; [`RequireRole`] one handler.
//! - [`CurrentUser::ended`] tells a WebSocket or an event stream when its sign-in is over.
//! - [`Application::accounts`] and [`Application::sessions`] manage accounts and sign-ins from code; a [`Visitor`] is signed in
//!   by a handler that has a check of its own.
//! - [`Application::on_event`] and [`Application::events`] tell of what happens to accounts, after the commit and at least once.
//! - [`ApiUser`] is the user of a bearer token, for handlers that serve programs. A [`CurrentUser`] looks at cookies alone, an
//!   [`ApiUser`] at the `Authorization` header alone, and below `/api` no cookie counts.
//! - A page with a form takes a [`FormToken`] and writes it into a hidden field `form_token`; the handler of the form
//!   takes a [`SubmittedForm`], which exists only once that token was verified. One that meets an ended sign-in is kept for
//!   ten minutes, encrypted, and sent by its user after the next one; a field whose name contains `password` never is.
//! - The first route that fits a request answers it: what is registered before [`Application::configure`] takes the
//!   place of a page of Perennial's, `/` for instance.
//! - [`authenticate`] sets the security headers of every answer, yours and those of other middleware included. What your
//!   handler says itself stays as it is; what it leaves out is said strictly: only Perennial's own style is allowed, and
//!   nothing is kept but what has an `ETag` or `Last-Modified`, which the browser asks for each time. It refuses a request
//!   that changes something and comes from another origin than the public URL, or one that [`Builder::allow_origin`]
//!   names. An error without a body gets a page of Perennial's; yours, and your `default_service`, stay.
//! - In tests, the module `testing` (behind the feature of that name) has a browser, a clock that is set by hand and the mail.
//!
//! # The floors
//!
//! A room (a folder of `src`) uses the floors below it. No two files use each other. A test checks both.
//!
//! | floor | rooms | what is there |
//! | --- | --- | --- |
//! | 5 | `cli` | the command line |
//! | 4 | `app`, `config` | the composition root: settings in, a running server out |
//! | 3½ | `server` | the connections of `perennial serve`: what one may hold, and for how long |
//! | 3 | `web` | all HTTP: the URL table, pages, forms, cookies, middleware; no SQL |
//! | 2 | `session`, `accounts`, `jobs` | a session's life; accounts, which may use `session`; what runs beside the requests |
//! | 1 | `crypto`, `store`, `mail`, `telemetry` | keys, tokens and password hashes; the only SQL; mail; the log |
//! | ½ | `display` | times, durations and devices in words |
//! | 0 | `domain` | the rules, pure: no I/O, no web framework, no database; time is passed in |
//!
//! # The way of a request
//!
//! Headers → `Sessions::authenticate(cookies, client, now)` → who it is, and what is pending → the handler → an
//! `AuthChange` in its answer, if it began or ended a session → `Sessions::finish`, which renews the refresh token right
//! before the headers go. Cookies are read and written in one file, `web/cookies.rs`.
//!
//! # What always holds
//!
//! - **Decide, then act.** What a refresh token means is decided by one pure function, `domain::rotation::decide`, and what
//!   the row becomes is said by one other, `Transition::row`. The rest carries it out by compare-and-swap, and decides
//!   again if it lost the race.
//! - **One session, one row.** A rotation updates the row in place. It holds SHA-256 of the secret that is active and of
//!   the one before; no token is stored. A row that was revoked stays as the tombstone that says why.
//! - **Authenticate on the way in, renew on the way out.** A handler that signs out is not undone by the renewal.
//! - **On a session that is bound to its device, the proof decides**, whatever cookies come with it: without one its refresh
//!   token opens nothing and ends nothing. Only the answer to a password leads to a key.
//! - **An access token that does not verify is a miss, never an error**: the refresh token is asked in the same request,
//!   whatever its method.
//! - **The database has the last word.** What a process remembers of a session or a user is looked up again once that has
//!   changed: at once where it made the change itself, within a second where another process or a hand on SQL did. A
//!   process that has not heard from the database for five seconds asks it at every request.
//! - **Who acts is asked twice.** A request that changes an account or a session checks the session that it came with once
//!   more, in the transaction of the change.
//! - **A session's cookies are taken away only by the answer to the visitor's own sign-out.** Whatever else a process finds
//!   wrong with them (another key, a wrong clock, a database that is away) may be its own mistake, and ends nothing.
//! - **Ending asks no clock, and a wrong clock ends nothing for good**: that a session has expired is computed and never
//!   written, and deleting goes by a clock in the database that follows running time.
//! - **A process that slept judges nobody** until the requests that it slept through are over.
//! - **There is no anonymous user.** A handler that takes a [`CurrentUser`] cannot run without a session; in an application
//!   that is not wrapped in [`authenticate`] it cannot run at all.
//! - **A form is sent from its own page.** Each handler that changes something takes a [`SubmittedForm`], and a browser
//!   that says where a request comes from must say: from here. One form begins one session, however often it is sent.
//! - **A form that meets an ended sign-in is kept for its user alone**, never a password with it, and is sent by them alone.
//! - **Cookies are for pages, bearer tokens for programs.** The tokens of each are signed under keys of their own purpose, and
//!   only a token of a session's own audience gets it another; no cookie is read or written below `/api`.
//! - **One key, one purpose.** Every key is derived from a secret with a label of its own, so no kind of token can stand
//!   for another.
//! - **A password that is tried counts as wrong until it was looked at**, in counters that all processes share; what is
//!   refused for them is neither counted nor hashed.
//! - **What was answered is on disk.** SQLite runs in WAL mode with `synchronous=FULL`; one thread writes, and the writes
//!   that wait share a commit. PostgreSQL commits to disk by default. Where nobody can tell whether a commit arrived, a
//!   retry is right in both cases.
//! - **What an act owes is committed with it.** A mail is a row of the outbox, written in the transaction of the act that it
//!   tells of; no page waits for a mail server, and a process that is killed loses no mail. The hooks of an application read
//!   the audit trail, which is written in the transaction of the act too.
//! - **Any number of processes share one database**, and the version before runs beside an upgrade.
//! - **Time is passed in**, in whole seconds; `domain::clock` alone asks the machine for it.

#![cfg_attr(
    not(feature = "cli"),
    expect(dead_code, unused_imports, reason = "the command line uses what a library without it has no way to")
)]

#[cfg(not(any(feature = "postgres", feature = "sqlite")))]
compile_error!("perennial needs a database: switch on its feature `sqlite` or `postgres`, or both");

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod accounts;
#[cfg(not(feature = "internals"))]
mod accounts;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod app;
#[cfg(not(feature = "internals"))]
mod app;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod config;
#[cfg(not(feature = "internals"))]
mod config;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod crypto;
#[cfg(not(feature = "internals"))]
mod crypto;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod display;
#[cfg(not(feature = "internals"))]
mod display;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod domain;
#[cfg(not(feature = "internals"))]
mod domain;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod jobs;
#[cfg(not(feature = "internals"))]
mod jobs;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod mail;
#[cfg(not(feature = "internals"))]
mod mail;
mod server;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod session;
#[cfg(not(feature = "internals"))]
mod session;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod store;
#[cfg(not(feature = "internals"))]
mod store;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod telemetry;
#[cfg(not(feature = "internals"))]
mod telemetry;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod web;
#[cfg(not(feature = "internals"))]
mod web;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "testing")]
pub mod testing;

pub use app::{
    AccountError, AccountEvent, AccountEvents, Accounts, Application, Builder, EventCursor, NewAccount, SessionInfo,
    StartError, StopSignals, UserSessions,
};
pub use config::{
    Arguments, ClientAddressHeader, DatabaseUrl, DeviceBinding, LogFormat, Registration, SettingError, Settings,
};
pub use domain::client::Client;
pub use domain::clock::{Clock, ManualClock, SystemClock};
pub use domain::event::EventType;
pub use domain::id::{SessionId, UserId};
pub use domain::network::{InvalidNetwork, Network};
pub use domain::public_url::PublicUrl;
pub use domain::session::Lifetimes;
pub use domain::time_zone::{InvalidTimeZone, TimeZone};
pub use domain::user::{Role, User};
pub use jobs::HookError;
pub use mail::{Email, InvalidMailbox, MailError, Mailbox, Memory, Outbox, OutgoingEmail, SendError, Transport};
pub use server::Listening;
pub use session::{Identity, SessionError};
pub use web::{
    ApiUser, CurrentUser, Form, FormError, FormGuard, FormHeader, FormLimit, FormPage, FormToken, FormTokenField,
    Frame, FramedPage, MaybeUser, NamedRole, RecentUser, Require, RequireRole, SessionLife, SubmittedForm, Visitor,
    WebError, authenticate,
};

/// The examples of the page for those who use the library.
#[cfg(doctest)]
#[doc = include_str!("../docs/library.md")]
struct LibraryPage;
