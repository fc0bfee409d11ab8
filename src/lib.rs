//! Sign in once, stay signed in, safely, without a line of JavaScript.

pub mod accounts;
pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod store;
pub mod telemetry;
pub mod web;

pub use app::Application;
pub use web::{CurrentUser, MaybeUser, SubmittedForm, guard};
