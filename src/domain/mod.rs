//! The rules of a sign-in, pure: no I/O, no web framework, no database. Time is passed in.

pub mod access_token;
pub mod agreement;
pub mod audience;
pub mod client;
pub mod clock;
pub mod count;
pub mod device_key;
pub mod event;
pub mod id;
pub mod kept_form;
pub mod key_id;
pub mod leaked_passwords;
pub mod lease;
pub mod mail_token;
pub mod network;
pub mod node;
pub mod password;
pub mod password_quality;
pub mod public_url;
pub mod rotation;
pub mod session;
pub mod signing_key;
pub mod throttle;
pub mod time_zone;
pub mod token;
pub mod user;
