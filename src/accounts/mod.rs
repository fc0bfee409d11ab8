//! The use cases of an account. They may call [`crate::auth`], never the reverse.

mod register;

pub use register::{Registration, RegistrationOutcome, register};
