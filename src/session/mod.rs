//! The life of a sign-in: begin it, authenticate requests by it, renew it, list and end it. What a token means is decided
//! by [`crate::domain::rotation`]; this room carries it out.

mod authenticate;
mod decision_log;
mod end;
mod end_all;
mod ended;
mod epoch;
mod error;
mod found;
mod glance;
mod glances;
mod identity;
mod identity_cache;
mod identity_map;
mod kept_forms;
mod last_seen;
mod list;
mod node_state;
mod password_try;
mod pending;
mod reauthenticate;
mod refresh;
mod rotate;
mod sessions;
mod sign_in;
mod sign_out;
mod theft;
mod throttled_forms;
mod tokens;
mod turns;

pub use authenticate::{Authenticated, Presented, SolePair};
pub use decision_log::DecisionLog;
pub use end::RevokeOutcome;
pub(crate) use end::{announced, end_replaced};
pub use end_all::EndAll;
pub use ended::{Ended, Tombstone};
pub use error::SessionError;
pub use glances::{Concern, Glance};
pub use identity::Identity;
pub use node_state::NodeState;
pub use password_try::Throttled;
pub use pending::Pending;
pub use reauthenticate::{Acting, ReauthenticationOutcome};
pub use sessions::{Sessions, SessionsParts};
pub use sign_in::{SignIn, SignInOutcome};
pub use tokens::IssuedTokens;
