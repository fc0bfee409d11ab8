//! What runs beside the requests, each on a thread of its own ([`worker::Worker`]): following the database, writing down
//! when sessions were last used, being heard from by the other processes, sending mail, deleting what is over, counting what
//! happened on each day, telling hooks of events, backing up.

#[cfg(feature = "sqlite")]
mod backups;
mod changes;
mod daily_counts;
mod hooks;
mod last_seen;
mod nodes;
mod outbox;
mod retention;
mod retention_clock;
mod worker;

#[cfg(feature = "sqlite")]
pub use backups::{BackupPlan, BackupWorker, backups};
pub use changes::ChangeFollower;
#[cfg(feature = "internals")]
pub use daily_counts::count_days;
pub use hooks::{Call, HookError, HookParts, HookWorker};
pub use last_seen::LastSeenWriter;
pub use nodes::{Heartbeat, JoinError, JoinedNode, NodeParts};
pub use outbox::{OutboxParts, OutboxWorker};
#[cfg(feature = "internals")]
pub use retention::Swept;
pub use retention::{Continue, Retention, RetentionWorker};
