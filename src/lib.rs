//! Sign in once, stay signed in, safely, without a line of JavaScript.
//!
//! Perennial is a sign-in server, and this library is the same thing inside another Actix application. Somebody who
//! signs in holds two cookies: an access token that is good for some minutes and costs no database call, and a refresh
//! token that each use exchanges for the next one, on the way out of the answer that used it. The promise is *never signed out by accident, never kept in by theft*: a lost answer or a second tab ends no sign-in, and
//! a copied token does (see [`domain::rotation`], which also states the one limit).
//!
//! # In an application of your own
//!
//! Build an [`Application`], let it add its pages, wrap everything in [`guard`], and ask for a [`CurrentUser`] where one
//! is needed. The folder `examples` has the same with forms and a test.
//!
//! ```no_run
//! use actix_web::middleware::from_fn;
//! use actix_web::{App, HttpServer, web};
//! use perennial::{Application, CurrentUser, Settings, guard};
//!
//! async fn hello(user: CurrentUser) -> String {
//!     format!("Hello {}", user.user().full_name)
//! }
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let settings = Settings::from_environment()?;
//!     let perennial = Application::from_settings(&settings)?;
//!     HttpServer::new(move || {
//!         let perennial = perennial.clone();
//!         App::new()
//!             .route("/", web::get().to(hello))
//!             .configure(move |config| perennial.configure(config))
//!             .wrap(from_fn(guard))
//!     })
//!     .bind(settings.bind)?
//!     .run()
//!     .await?;
//!     Ok(())
//! }
//! ```
//!
//! - [`CurrentUser`] sends whoever is not signed in to `/login` and back; [`MaybeUser`] is for pages that everybody sees.
//! - A page with a form takes a [`FormToken`] and writes it into a hidden field `form_token`; the handler of the form
//!   takes a [`SubmittedForm`], which exists only once that token was verified.
//! - The first route that fits a request answers it: what is registered before [`Application::configure`] takes the
//!   place of a page of Perennial's, `/` for instance.
//! - [`guard`] sets the security headers of every answer, yours too. A `Content-Security-Policy`, a `Referrer-Policy` or
//!   a `Cache-Control` that your handler sets itself stays as it is; without one, nothing but Perennial's own style is
//!   let in and nothing is cached. It refuses what changes something and comes from another origin than
//!   [`Settings::public_url`], and gives an error that has no page of its own one of Perennial's.
//! - In tests, [`Application::build`] takes a [`ManualClock`], which moves when it is told to.
//!
//! # The floors
//!
//! A module may use those of the floors below it and of its own floor, and none above.
//!
//! | floor | modules | what is there |
//! | --- | --- | --- |
//! | 5 | [`cli`] | the command line |
//! | 4 | [`app`] | the composition root: settings in, a running server out |
//! | 3 | [`web`] | all HTTP: the URL table, pages, forms, cookies, middleware; no SQL |
//! | 2 | [`auth`], [`accounts`] | the use cases: begin, continue, list and end sign-ins, and delete what is over; make an account. `accounts` may call `auth`, never the reverse |
//! | 1 | [`config`], [`crypto`], [`store`], [`telemetry`] | settings; keys, tokens and password hashes; the only SQL; the log |
//! | 0 | [`domain`] | the rules, pure: no input or output, no web framework, no database; time is passed in |
//!
//! # What always holds
//!
//! - **Decide, then act.** What a refresh token means is decided by one pure function, [`domain::rotation::decide`]; the
//!   floors above carry it out by compare-and-swap and decide again if they lost the race.
//! - **One sign-in, one row.** A rotation updates the row in place. It holds SHA-256 of the secret that is active and of
//!   the one before; no token is stored. A row that was revoked stays as the tombstone that says why.
//! - **In on the way in, out on the way out.** Who a request is, is decided before the handler; the rotation is written
//!   right before the headers go. A handler that signs out is not undone by it.
//! - **An access token that does not verify is a miss, never an error**: the refresh token is asked in the same request,
//!   whatever its method.
//! - **The database has the last word.** What a process remembers of a sign-in or a user it asks for anew once that has
//!   changed: at once where it made the change itself, within a second where another process did. A process that has
//!   not heard from the database for five seconds asks it at every request.
//! - **Cookies are cleared on a final answer alone.** A database that is away answers 503 and leaves them as they are.
//! - **There is no anonymous user.** A handler that takes a [`CurrentUser`] cannot run without a sign-in; in an
//!   application that is not wrapped in [`guard`] it cannot run at all.
//! - **A form is sent from its own page.** Each handler that changes something takes a [`SubmittedForm`], and a browser
//!   that says where a request comes from must say: from here.
//! - **One key, one purpose.** Every key is derived from a secret with a label of its own, so no kind of token can stand
//!   for another. The first secret signs, all verify.
//! - **What was answered is on disk.** SQLite runs in WAL mode with `synchronous=FULL`; one thread writes, and the writes
//!   that wait share a commit. PostgreSQL commits to disk by default. Where nobody can tell whether a commit arrived, a
//!   retry is right in both cases.
//! - **Any number of processes share one database.** Conditional writes decide who was first, triggers tell everybody what
//!   to forget, and the version before runs beside an upgrade.
//! - **Time is passed in**, in whole seconds; [`domain::clock`] alone asks the machine for it. That a sign-in has expired is
//!   computed and never written.

pub mod accounts;
pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod mail;
pub mod store;
pub mod telemetry;
pub mod web;

pub use app::Application;
pub use config::{Arguments, PublicUrl, Settings};
pub use domain::clock::{ManualClock, SystemClock};
pub use web::{CurrentUser, FormToken, MaybeUser, SubmittedForm, guard};
