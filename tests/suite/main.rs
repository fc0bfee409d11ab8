//! Every test of Perennial that is not beside what it tests: one binary, one file a subject.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what is wrong by failing")]

mod attacks_cookies;
mod attacks_forms;
mod audit;
mod fields;
mod keep;
mod outages;
mod pages;
mod revocation;
mod rotation;
mod support;
