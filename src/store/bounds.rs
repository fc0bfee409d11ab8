//! How long anything may take: somebody else's lock, a plan gone wrong or a server that hangs ends in a 503 and not in waiting.

use std::time::Duration;

/// How long a request waits in all: a visitor is told within two seconds that the database does not answer, and the rest of
/// them is for the page that says so. What does not answer by then is busy with something that a retry does not shorten.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_millis(1500);

/// The bounds of a statement of a request, in milliseconds: no longer than anybody waits for it.
const REQUEST: &str = "SET lock_timeout = 1000; SET statement_timeout = 1500; \
                       SET idle_in_transaction_session_timeout = 10000;";

/// The same for one transaction. A pooler gives the next one to another connection, and this one to somebody else.
const REQUEST_TRANSACTION: &str = "BEGIN; SET LOCAL lock_timeout = 1000; SET LOCAL statement_timeout = 1500; \
                                   SET LOCAL idle_in_transaction_session_timeout = 10000;";

/// The bounds of what runs beside the requests: nobody waits for it, and a batch of a clean-up may need a cold disk.
const BACKGROUND: &str = "SET lock_timeout = 2000; SET statement_timeout = 5000; \
                          SET idle_in_transaction_session_timeout = 10000;";

/// The same for one transaction.
const BACKGROUND_TRANSACTION: &str = "BEGIN; SET LOCAL lock_timeout = 2000; SET LOCAL statement_timeout = 5000; \
                                      SET LOCAL idle_in_transaction_session_timeout = 10000;";

/// Who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bounds {
    /// A request.
    Request,
    /// What runs beside the requests.
    Background,
}

impl Bounds {
    /// Returns the statements that bind a connection for as long as it lives.
    ///
    /// They are set and not passed at the start: PgBouncer refuses parameters that it does not know.
    pub(super) fn of_a_session(self) -> &'static str {
        match self {
            Self::Request => REQUEST,
            Self::Background => BACKGROUND,
        }
    }

    /// Returns the statements that begin a transaction with these bounds, in one round trip.
    pub(super) fn of_a_transaction(self) -> &'static str {
        match self {
            Self::Request => REQUEST_TRANSACTION,
            Self::Background => BACKGROUND_TRANSACTION,
        }
    }
}
