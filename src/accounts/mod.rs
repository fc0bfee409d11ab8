//! The use cases of an account. They may call [`crate::session`], never the reverse.

mod import;
mod register;

pub use import::{Format, Pass, UserImport};
pub use register::{Registration, RegistrationOutcome, register};
