//! The API, for clients that are no browser: JSON, bearer tokens, and no cookie.
//!
//! The sign-ins are those of the pages, with the same rotation, lockout and revocation. Their tokens are signed under keys
//! of their own and never interchange with those of the pages. No browser sends an `Authorization` header by itself, so
//! nothing here needs a form token or the guard against requests from other sites, and no answer allows any origin (CORS).

mod authorization;
mod body;
pub(crate) mod complete;
mod openapi;
pub(crate) mod path;
pub(crate) mod problem;
mod protected;
mod sessions;
mod tokens;
mod user;

pub use user::ApiUser;

pub(crate) mod handlers {
    //! The handlers, as the route table names them.
    pub(crate) use super::openapi::get as openapi;
    pub(crate) use super::protected::get as protected;
    pub(crate) use super::sessions::{current as session, list as sessions, revoke};
    pub(crate) use super::tokens::{log_in, log_out, refresh};
}
