//! What carries a mail away.

use super::MailError;
use super::letter::Letter;

/// Carries letters, one after another, on the mail thread.
pub(super) trait Carrier: Send {
    /// Carries one letter; returns when it is out of our hands.
    fn carry(&self, letter: &Letter) -> Result<(), MailError>;
}
