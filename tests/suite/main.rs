//! Every test of Perennial that is not beside what it tests: one binary, one file a subject.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

mod access_coverage;
mod account;
mod acting;
mod activity;
mod api;
mod attacks_cookies;
mod attacks_forms;
mod attacks_input;
mod attacks_next;
mod attacks_reset;
mod attacks_tokens;
mod audit;
mod chromium;
mod chromium_rescue;
mod clocks;
mod command_line;
mod connections;
mod contrast;
mod devices;
mod double_click;
mod enumeration;
mod event_follow;
mod fields;
mod firefox;
mod first_account;
mod floods;
mod forgotten;
mod form_rescue;
mod full_disk;
mod hands_on_sql;
mod hang_up;
mod in_front;
mod json;
mod keep;
mod keys;
mod kill;
mod known_device;
mod lockout;
mod logs;
mod losses;
mod mail_relay;
mod manual;
mod model;
mod node_commands;
mod node_keys;
mod node_lockout;
mod nodes;
mod notices;
mod old_hashes;
mod operation;
mod operator_commands;
mod other_keys;
mod outages;
mod outbox;
mod pages;
mod password_cost;
mod password_quality;
mod password_reset;
mod pgbouncer;
mod places;
mod postgres;
mod postgres_faults;
#[cfg(feature = "postgres-tls")]
mod postgres_tls;
mod process;
mod promise_http;
mod reauthentication;
mod relocation;
mod retention;
mod revocation;
mod rotation;
mod rough_requests;
mod send_again;
mod session_commands;
mod several_cookies;
mod slow_answers;
mod stopped;
mod support;
mod theft;
mod throttling;
mod tidy;
mod unit_file;
mod unlock;
mod upgrade;
mod user_commands;
mod user_import;
mod w3m;
mod welcome;
mod well_known;
mod wrong_clocks;
