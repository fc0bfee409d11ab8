//! `/account`, and the forms on it: one file each.

mod data;
mod delete;
mod email;
mod name;
mod page;
mod password;
mod time_zone;

pub(crate) use data::get as data;
pub(crate) use delete::{get as deletion, post as delete};
pub(crate) use email::{cancel as cancel_email_change, post as change_email};
pub(crate) use name::post as change_name;
pub(crate) use page::get;
pub(crate) use password::post as change_password;
pub(crate) use time_zone::post as change_time_zone;
