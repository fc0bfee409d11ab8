//! `/account`, and the forms on it: one file each.

mod name;
mod page;
mod time_zone;

pub(crate) use name::post as change_name;
pub(crate) use page::get;
pub(crate) use time_zone::post as change_time_zone;
