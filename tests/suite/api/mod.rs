//! The API for clients that are no browser.

mod description;
mod embedded;
mod forged;
mod fuzz;
mod kinds;
mod lifetimes;
mod problems;
mod processes;
mod python;
mod rotation;
mod sign_ins;
