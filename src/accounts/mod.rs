//! The use cases of an account. They may call [`crate::session`], never the reverse.

mod register;

pub use register::{Registration, RegistrationOutcome, register};
