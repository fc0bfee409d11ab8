//! What the answer to a password asks of a browser that can.

use crate::domain::id::SessionId;

/// What the answer to a password asks a browser to do.
#[derive(Clone, PartialEq, Eq)]
pub struct Registration {
    /// The session that the key is for.
    pub session: SessionId,
    /// What its device is to sign.
    pub challenge: String,
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registration({})", self.session)
    }
}
