//! `perennial secret`.

use secrecy::ExposeSecret;

use super::{Failure, say};
use crate::crypto::fresh_secret;

/// Prints a fresh secret, which is what it is for: it belongs to nothing yet.
pub(super) fn run() -> Result<(), Failure> {
    say(fresh_secret()?.expose_secret())
}
