//! All HTTP, and no SQL.

mod admin;
mod admin_notice;
mod api;
mod assets;
mod choices;
mod cookies;
mod device_session;
mod error;
mod extract;
mod fault_log;
mod faults;
mod form_page;
mod forms;
mod health;
mod local_path;
mod loggable_path;
mod middleware;
mod notice;
mod own_page;
mod pages;
mod plain_answer;
mod policy;
mod reader;
mod request_auth;
mod request_id;
mod rescue;
mod routes;
mod site;
mod static_files;
mod static_folder;
mod structured_fields;
mod throttle;
mod trusted_proxies;

pub use api::ApiUser;
#[cfg(feature = "internals")]
pub use api::problem::ProblemKind;
pub use choices::{Choices, Frame, FramedPage};
pub(crate) use device_session::begins_browsers_own;
pub use error::WebError;
pub use extract::{CurrentUser, MaybeUser, NamedRole, RecentUser, RequireRole, SessionLife, Visitor};
pub use form_page::FormPage;
pub use forms::{Form, FormError, FormGuard, FormHeader, FormLimit, FormToken, FormTokenField, SubmittedForm};
pub(crate) use local_path::LocalPath;
pub use middleware::{Require, authenticate};
pub(crate) use plain_answer::plain_answer;
#[cfg(feature = "internals")]
pub use routes::ROUTES;
#[cfg(not(feature = "internals"))]
pub(crate) use routes::ROUTES;
pub use routes::configure;
pub(crate) use routes::number_of_route;
#[cfg(feature = "internals")]
pub use routes::{Access, Route};
pub use site::{Site, SiteParts};
pub use trusted_proxies::{AddressHeader, TrustedProxies};
