//! What handlers take as arguments.

pub(crate) mod browser_name;
pub(crate) mod client_info;
mod user;

pub use user::{CurrentUser, MaybeUser};
