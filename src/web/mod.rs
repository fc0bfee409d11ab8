//! All HTTP, and no SQL.

mod assets;
mod browser_names;
mod client_info;
mod cookies;
mod error;
mod extract;
mod forms;
mod health;
mod middleware;
mod pages;
mod recent;
mod routes;
mod site;
mod static_files;
mod visit;
mod words;

pub use error::WebError;
pub use extract::{CurrentUser, MaybeUser};
pub use forms::{FormToken, SubmittedForm};
pub use middleware::guard;
pub use routes::{Access, ROUTES, Route, configure};
pub use site::{Site, SiteParts};
