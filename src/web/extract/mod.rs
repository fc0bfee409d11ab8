//! What handlers take as arguments.

mod admin_user;
pub(crate) mod browser_name;
pub(crate) mod client_info;
mod recent_user;
mod role;
mod user;
mod visitor;

pub(crate) use admin_user::{AdminForm, AdminUser, RecentAdmin};
pub use recent_user::RecentUser;
pub(crate) use recent_user::require_recent;
pub use role::{NamedRole, RequireRole};
pub use user::{CurrentUser, MaybeUser};
pub use visitor::{SessionLife, Visitor};
