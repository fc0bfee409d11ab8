//! `perennial restore`.

use std::path::Path;

use super::backup::spinner;
use super::output::{Failure, say};
use crate::app::system_clock;
use crate::config::Settings;
use crate::domain::event::{Event, EventType};
use crate::domain::id::UserId;
use crate::domain::session::EndReason;
use crate::session::EndAll;
use crate::store::restore::{PreparedRestore, RestoreError};

/// Puts a backup in the place of the database.
pub(super) fn run(settings: &Settings, backup: &Path, keep_sign_ins: bool) -> Result<(), Failure> {
    let bar = spinner("Restoring")?;
    let mut prepared = match PreparedRestore::prepare(&settings.database, backup) {
        Err(error @ RestoreError::Itself(_)) => return Err(Failure::Usage(format!("FILE: {error}"))),
        prepared => prepared?,
    };
    let now = system_clock().now();
    let mut done = EndAll::begin();
    let because = EndReason::Restored;
    let event = |user: UserId| Event::of_command(EventType::SessionRevoked, Some(user), now).because(because.as_str());
    if !keep_sign_ins {
        while let Some(next) = prepared.write(|connection| done.step(connection, because, event))? {
            done = next;
        }
    }
    let users = prepared.users()?;
    let kept = prepared.put_in_place(now)?;
    bar.finish_and_clear();
    let users = if users == 1 { "1 account".to_owned() } else { format!("{users} accounts") };
    let mut lines = vec![format!("Restored {users} from {} to {}.", backup.display(), settings.database.shown())];
    if let Some(kept) = kept {
        lines.push(format!("What was there is in {}.", kept.display()));
    }
    lines.push(match keep_sign_ins {
        true => "Sign-ins that were ended since the backup was made live again: where that matters, run perennial \
                 session revoke --all."
            .to_owned(),
        false => format!(
            "{} ended, so that none lives again that was revoked since the backup was made.",
            if done.ended == 1 { "1 sign-in was".to_owned() } else { format!("{} sign-ins were", done.ended) }
        ),
    });
    lines.push("Passwords and roles are those of the backup too. Start perennial.".to_owned());
    say(&lines.join("\n"))
}
