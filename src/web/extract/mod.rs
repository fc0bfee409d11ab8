//! What handlers take as arguments.

pub(crate) mod browser_name;
pub(crate) mod client_info;
mod recent_user;
mod user;

pub use recent_user::RecentUser;
pub use user::{CurrentUser, MaybeUser};
