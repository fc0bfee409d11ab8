//! Every test of Perennial that is not beside what it tests: one binary, one file a subject.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

mod access_coverage;
mod attacks_cookies;
mod attacks_forms;
mod attacks_input;
mod attacks_next;
mod attacks_tokens;
mod audit;
mod chromium;
mod command_line;
mod devices;
mod fields;
mod full_disk;
mod json;
mod keep;
mod keys;
mod kill;
mod model;
mod nodes;
mod outages;
mod pages;
mod postgres;
mod postgres_faults;
#[cfg(feature = "postgres-tls")]
mod postgres_tls;
mod process;
mod promise_http;
mod relocation;
mod retention;
mod revocation;
mod rotation;
mod rough_requests;
mod slow_answers;
mod support;
mod theft;
mod tidy;
mod upgrade;
mod w3m;
