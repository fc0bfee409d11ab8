//! The pages of the administration: one file per page, its template beside its handler.
//!
//! They show what the command line lists, and do what it does. No page takes longer on a larger site: lists are read from
//! one place on by an index, and nothing large is counted while a page is made.

mod acts;
mod chart;
mod event_row;
mod events;
mod export;
mod invitations;
mod mails;
mod nodes;
mod overview;
mod sessions;
mod sign_in_row;
mod user;
mod users;

use super::error::WebError;
use super::site::Site;
use crate::session::SessionError;
use crate::store::{Connection, StoreError};

pub(crate) mod handlers {
    //! The handlers, as the route table names them.
    pub(crate) use super::acts::{
        activate, ask_to_deactivate, ask_to_revoke, deactivate, reset_link, revoke, role, unlock,
    };
    pub(crate) use super::events::get as events;
    pub(crate) use super::export::{csv as events_csv, json_lines as events_json_lines};
    pub(crate) use super::invitations::{get as invitations, post as invite};
    pub(crate) use super::mails::get as mails;
    pub(crate) use super::nodes::get as nodes;
    pub(crate) use super::overview::get as overview;
    pub(crate) use super::sessions::get as sessions;
    pub(crate) use super::user::get as user;
    pub(crate) use super::users::get as users;
}

/// Reads something from the database for a page.
async fn read<T: Send + 'static>(
    site: &Site,
    query: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, WebError> {
    Ok(site.sessions.database().read(query).await.map_err(SessionError::from)?)
}
