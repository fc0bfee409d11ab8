//! `perennial doctor`: looks at everything and changes nothing.

use std::path::Path;

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::{Failure, say};
use crate::app::{KEY_FILE, key_ring, system_clock};
use crate::config::{SettingError, Settings};
use crate::crypto::{KeyFileState, inspect_key_file};
use crate::store::{Database, Health};

/// No clock of a machine that runs this version is honestly before it was written.
const WRITTEN: OffsetDateTime = datetime!(2026-11-21 0:00 UTC);

/// How far the clocks of a node and its server may be apart: what an access token from another node is forgiven.
const CLOCKS_APART: Duration = Duration::seconds(5);

/// What a check found.
enum Finding {
    Good(String),
    Bad(String),
}

/// Runs every check, says what each found, and fails if one of them is to be mended.
pub(super) fn run(settings: Result<Settings, SettingError>) -> Result<(), Failure> {
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => {
            say(&format!("mend  settings: {error}"))?;
            return Err(Failure::Usage(error.to_string()));
        }
    };
    let mut bad = 0;
    for (subject, finding) in [
        ("settings", Finding::Good("every value makes sense".to_owned())),
        ("keys", keys(&settings)),
        ("database", database(&settings)),
        ("clock", clock()),
    ] {
        match finding {
            Finding::Good(words) => say(&format!("ok    {subject}: {words}"))?,
            Finding::Bad(words) => {
                bad += 1;
                say(&format!("mend  {subject}: {words}"))?;
            }
        }
    }
    match bad {
        0 => Ok(()),
        1 => Err(Failure::Failed("one thing is to be mended".to_owned())),
        _ => Err(Failure::Failed(format!("{bad} things are to be mended"))),
    }
}

fn keys(settings: &Settings) -> Finding {
    let file = Path::new(KEY_FILE);
    if settings.secret_keys.is_none() {
        match inspect_key_file(file) {
            Ok(KeyFileState::Missing) => {
                return Finding::Good(format!("none yet; the first start makes {KEY_FILE}"));
            }
            Ok(KeyFileState::Exposed(mode)) => {
                return Finding::Bad(format!(
                    "{KEY_FILE} can be read by others (mode {mode:o}): run chmod 600 {KEY_FILE}"
                ));
            }
            Ok(KeyFileState::Private) => {}
            Err(error) => return Finding::Bad(format!("cannot look at {KEY_FILE}: {error}")),
        }
    }
    match key_ring(settings, file) {
        Ok(ring) => {
            let from = if settings.secret_keys.is_some() { "JWT_SECRET_KEY" } else { KEY_FILE };
            let ids = ring.key_ids();
            let others = ids.iter().skip(1).map(|id| format!(", {id} verifies"));
            let first = ids.first().map(String::as_str).unwrap_or_default();
            Finding::Good(format!("from {from}: {first} signs{}", others.collect::<String>()))
        }
        Err(error) => Finding::Bad(error.to_string()),
    }
}

fn database(settings: &Settings) -> Finding {
    let shown = settings.database.shown();
    match Database::inspect(&settings.database) {
        Ok(Health::Missing) => Finding::Good(format!("none yet; the first start makes {shown}")),
        Ok(Health::Sound { clock: Some(clock), .. }) if (clock - system_clock().now()).abs() > CLOCKS_APART => {
            Finding::Bad(format!(
                "the clock of {shown} says {clock}, and this machine's another time: keep the clocks of all nodes in step \
                 with NTP, for REUSE_GRACE is measured across them"
            ))
        }
        Ok(Health::Sound { pending: 0, .. }) => Finding::Good(format!("{shown} is sound and up to date")),
        Ok(Health::Sound { pending, .. }) => Finding::Good(format!(
            "{shown} is sound; {pending} migrations run at the next start, or with perennial migrate"
        )),
        Ok(Health::Damaged(what)) => Finding::Bad(format!("{shown} is damaged ({what}): restore a backup")),
        Err(error) => Finding::Bad(error.to_string()),
    }
}

fn clock() -> Finding {
    let now = system_clock().now();
    if now < WRITTEN {
        return Finding::Bad(format!(
            "it says {now}, which is before this version was made: set it, and keep it set with NTP"
        ));
    }
    Finding::Good(format!("it says {now}"))
}
