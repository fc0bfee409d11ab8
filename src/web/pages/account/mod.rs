//! `/account`, and the forms on it: one file each.

mod name;
mod page;

pub(crate) use name::post as change_name;
pub(crate) use page::get;
