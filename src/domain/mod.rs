//! The rules of a sign-in, pure: no input or output, no web framework, no database. Time is passed in.

pub mod access;
pub mod client;
pub mod clock;
pub mod database_url;
pub mod device;
pub mod event;
pub mod id;
pub mod local_path;
pub mod moment;
pub mod password;
pub mod rotation;
pub mod session;
pub mod token;
pub mod user;
