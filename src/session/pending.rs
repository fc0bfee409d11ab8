//! What the way in leaves for the way out.

use std::sync::Arc;

use time::OffsetDateTime;

use super::identity::Identity;
use crate::domain::rotation::{Circumstances, Effect, Transition};
use crate::domain::session::Session;
use crate::domain::token::RefreshToken;

/// What the way in leaves for the way out.
#[derive(Debug)]
pub struct Pending {
    pub(super) presented: RefreshToken,
    pub(super) session: Session,
    pub(super) transition: Transition,
    pub(super) circumstances: Circumstances,
    pub(super) identity: Arc<Identity>,
    pub(super) last_seen_at: OffsetDateTime,
}

impl Pending {
    /// Returns the generation that the refresh token has after this answer, unless another request is faster.
    pub fn generation(&self) -> i64 {
        match self.transition.effect {
            Effect::Replaced { generation, .. } => generation,
            Effect::Stays | Effect::Proved | Effect::Ends(_) => self.session.generation,
        }
    }
}
