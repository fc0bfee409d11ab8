//! What handlers take as arguments.

mod admin_user;
pub(crate) mod browser_name;
pub(crate) mod client_info;
mod recent_user;
mod user;

pub(crate) use admin_user::{AdminForm, AdminUser, RecentAdmin};
pub use recent_user::RecentUser;
pub use user::{CurrentUser, MaybeUser};
