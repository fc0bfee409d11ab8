//! Tests of an application that embeds Perennial, in a few lines; behind the feature `testing`, for `[dev-dependencies]`.
//!
//! ```
//! use actix_web::middleware::from_fn;
//! use actix_web::web::{self, ServiceConfig};
//! use actix_web::App;
//! use perennial::testing::TestSite;
//! use perennial::{Application, CurrentUser, assert_requires_sign_in, authenticate};
//!
//! async fn notes(user: CurrentUser) -> String {
//!     format!("The notes of {}", user.user().full_name)
//! }
//!
//! // As the application does in production.
//! fn configure(config: &mut ServiceConfig, perennial: &Application) {
//!     config.route("/app/notes", web::get().to(notes));
//!     perennial.configure(config);
//! }
//!
//! # #[actix_web::main]
//! # async fn main() {
//! let site = TestSite::start();
//! let app = App::new().configure(|config| configure(config, site.perennial())).wrap(from_fn(authenticate));
//! let app = site.serve(app).await;
//!
//! assert_requires_sign_in!(app, GET "/app/notes");
//!
//! let ada = app.sign_in_as("ada@example.org").await;
//! assert_eq!(ada.get("/app/notes").await.body(), "The notes of ada");
//!
//! // The access token has long expired; the visit goes on.
//! site.advance(time::Duration::days(2));
//! assert!(ada.get("/app/notes").await.says("ada"));
//! assert!(site.mail().is_empty());
//! # }
//! ```
//!
//! A [`TestBrowser`] has a cookie jar, sends forms ([`TestBrowser::submit`]), also with a file
//! ([`TestBrowser::upload`]), and follows redirects ([`TestBrowser::open`]). [`TestSite`] has the clock and the mail. [`assert_access!`](crate::assert_access)
//! walks a list of routes.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says what is wrong by failing")]

mod access;
mod accounts;
mod answer;
mod browser;
mod jar;
mod server;
mod site;

pub use access::{Allowed, check};
pub use answer::{Answer, form_token};
pub use browser::TestBrowser;
pub use jar::SetCookie;
pub use server::{BoxedPayloadStream, Serve, TestServer};
pub use site::{START, TestSite};
