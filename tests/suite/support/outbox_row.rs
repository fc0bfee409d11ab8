//! A mail that waits for half an hour.

use super::START;
use super::app::TestApp;

/// What its text says.
pub const SECRET: &str = "a link that works";

/// Puts a mail into the outbox that the mail server has put off, so that nobody takes it out again meanwhile.
pub fn wait_in_outbox(app: &TestApp, to: &str) {
    let now = START.unix_timestamp();
    app.rows().execute(&format!(
        "INSERT INTO outbox (message_id, recipient, subject, created_at, expires_at, due_at, text, html) \
         VALUES ('{to}', '{to}', 'A mail that waits', {now}, {now} + 86400, {now} + 1800, '{SECRET}', '{SECRET}')"
    ));
}
