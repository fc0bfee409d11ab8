//! `perennial doctor`: looks at everything and changes nothing.

use std::path::Path;

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::output::{Failure, say};
use crate::app::{KEY_FILE, StartError, key_file_lost, key_ring, system_clock};
use crate::config::{DeviceBinding, Settings, warnings};
use crate::crypto::{KeyFileState, inspect_key_file};
use crate::display::time::DisplayTime;
use crate::domain::agreement::{announced, clock_limit, clock_offset, differences};
use crate::domain::node::DEVICE_BINDING;
use crate::store::nodes::Overview;
use crate::store::outbox::Waiting;
use crate::store::{Database, Health};

/// No clock of a machine that runs this version is honestly before it was written.
const WRITTEN: OffsetDateTime = datetime!(2026-11-21 0:00 UTC);

/// How long a mail may wait before something is wrong: longer than a mail server that puts off the mail of strangers
/// makes them wait, which is five minutes as a rule.
const MAIL_LATE: Duration = Duration::minutes(15);

/// How often in a row the hook of an application may fail before something is wrong: for about a minute.
const HOOK_FAILURES: i64 = 6;

/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How many times the time between two backups the newest may be old before something is wrong.
const BACKUPS_LATE: i32 = 3;

/// What a check found.
enum Finding {
    Good(String),
    Bad(String),
    /// What would be looked at cannot be reached, which another finding tells.
    Skipped,
}

/// Runs every check, says what each found, and fails if one of them is to be mended.
pub(super) fn run(settings: Result<Settings, String>, warnings_of_files: &[String]) -> Result<(), Failure> {
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => {
            say(&format!("mend  settings: {error}"))?;
            say_warnings(None, warnings_of_files)?;
            return Err(Failure::Usage(error));
        }
    };
    let (database, readable) = database(&settings);
    let there = if readable { Database::inspect_nodes(&settings.database).ok().flatten() } else { None };
    let there = there.as_ref();
    let beside = |look: &dyn Fn() -> Finding| if readable { look() } else { Finding::Skipped };
    let mut bad = 0;
    let findings = [
        ("settings", Finding::Good("every value makes sense".to_owned())),
        ("keys", keys(&settings, there)),
        ("database", database),
        ("nodes", beside(&|| nodes(&settings, there))),
        ("devices", devices(&settings, there)),
        ("mail", beside(&|| mail(&settings))),
        ("clock", clock()),
    ];
    let of_backups = settings.backup_every.map(|every| ("backups", backups(&settings, every)));
    let of_hooks = if readable { hooks(&settings) } else { None };
    let of_hooks = of_hooks.map(|found| ("hooks", found));
    for (subject, finding) in findings.into_iter().chain(of_hooks).chain(of_backups) {
        match finding {
            Finding::Good(words) => say(&format!("ok    {subject}: {words}"))?,
            Finding::Bad(words) => {
                bad += 1;
                say(&format!("mend  {subject}: {words}"))?;
            }
            Finding::Skipped => say(&format!("skip  {subject}: it is in the database"))?,
        }
        if subject == "settings" {
            say_warnings(Some(&settings), warnings_of_files)?;
        }
    }
    match bad {
        0 => Ok(()),
        1 => Err(Failure::Failed("one thing is to be mended".to_owned())),
        _ => Err(Failure::Failed(format!("{bad} things are to be mended"))),
    }
}

fn say_warnings(settings: Option<&Settings>, of_files: &[String]) -> Result<(), Failure> {
    warnings(settings).iter().chain(of_files).try_for_each(|warning| say(&format!("warn  settings: {warning}")))
}

fn keys(settings: &Settings, there: Option<&Overview>) -> Finding {
    let file = Path::new(KEY_FILE);
    if let Some(key) = there.and_then(|there| key_file_lost(settings, file, there)) {
        return Finding::Bad(StartError::KeyFileLost { key, file: file.to_owned() }.to_string());
    }
    if settings.secret_keys.is_none() {
        if file.is_dir() {
            return Finding::Bad(format!(
                "{KEY_FILE} is a folder: move it away and put the key file back, or set JWT_SECRET_KEY to what was in it"
            ));
        }
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
    let ids = match key_ring(settings, file) {
        Ok(ring) => ring.key_ids(),
        Err(error) => return Finding::Bad(error.to_string()),
    };
    if let Some(Err(refusal)) = there.map(|there| there.admit(&ids)) {
        return Finding::Bad(refusal.to_string());
    }
    let standing = there.map(|there| there.standing.clone()).unwrap_or_default();
    let usable = ids.iter().copied().find(|id| !standing.is_dropped(*id));
    let signing = standing.signing().filter(|signing| ids.contains(signing)).or(usable);
    let roles = ids.iter().map(|id| match *id {
        id if standing.is_dropped(id) => format!("{id} was dropped and can be taken away"),
        id if Some(id) == signing => format!("{id} signs"),
        id => format!("{id} verifies"),
    });
    let from = if settings.secret_keys.is_some() { "JWT_SECRET_KEY" } else { KEY_FILE };
    Finding::Good(format!("from {from}: {}", roles.collect::<Vec<_>>().join(", ")))
}

/// Looks at the database; returns also whether there is any use in asking it for more.
fn database(settings: &Settings) -> (Finding, bool) {
    let shown = settings.database.shown();
    let before = system_clock().now();
    let health = Database::inspect(&settings.database);
    let own = before..=system_clock().now();
    let readable = matches!(health, Ok(Health::Missing | Health::Sound { .. }));
    let finding = match health {
        Ok(Health::Missing) => Finding::Good(format!("none yet; the first start makes {shown}")),
        Ok(Health::Sound { clock: Some(clock), .. })
            if clock_offset(clock, &own).abs() > clock_limit(settings.lifetimes.reuse_grace) =>
        {
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
        Ok(Health::Incomplete(what)) => Finding::Bad(format!(
            "{shown} lacks something that this version needs ({what}): put it back, or restore a backup"
        )),
        Ok(Health::Unusable(fault)) => Finding::Bad(fault),
        Err(error) => Finding::Bad(error.to_string()),
    };
    (finding, readable)
}

fn nodes(settings: &Settings, there: Option<&Overview>) -> Finding {
    let here = announced(&settings.lifetimes);
    let nodes = there.map_or(&[][..], |there| &there.nodes);
    let found = nodes.iter().map(|node| &node.announced).flat_map(|other| {
        let differences = differences(&here, &other.lifetimes).into_iter();
        differences.map(move |difference| format!("{difference} for {other}"))
    });
    match (found.collect::<Vec<_>>(), nodes.len()) {
        (found, _) if !found.is_empty() => Finding::Bad(format!("{}: give every process the same", found.join("; "))),
        (_, 0) => Finding::Good("none is running".to_owned()),
        (_, 1) => Finding::Good("one is running, with these lifetimes".to_owned()),
        (_, count) => Finding::Good(format!("{count} are running, with these lifetimes")),
    }
}

/// Says whether sign-ins are bound to their devices, and what stands in the way.
fn devices(settings: &Settings, there: Option<&Overview>) -> Finding {
    let nodes = there.map_or(&[][..], |there| &there.nodes);
    let without: Vec<_> =
        nodes.iter().map(|node| &node.announced).filter(|announced| !announced.can(DEVICE_BINDING)).collect();
    let alike: Vec<_> = without.iter().filter(|node| node.version == VERSION).map(ToString::to_string).collect();
    if settings.device_binding == DeviceBinding::Off {
        Finding::Good("DEVICE_BINDING is off: a copied cookie opens a sign-in until it is used twice".to_owned())
    } else if settings.public_url.as_ref().is_some_and(|url| !url.binds_devices()) {
        Finding::Good("no browser binds sign-ins over plain http: PUBLIC_URL must be https".to_owned())
    } else if without.is_empty() {
        Finding::Good("sign-ins are bound to them where the browser can".to_owned())
    } else if alike.is_empty() {
        Finding::Good("no sign-in is bound to them while processes of another version run".to_owned())
    } else {
        let them = alike.join(", ");
        Finding::Bad(format!(
            "no sign-in is bound to them, because of {them}: give every process the same DEVICE_BINDING"
        ))
    }
}

fn mail(settings: &Settings) -> Finding {
    let now = system_clock().now();
    match Database::inspect_outbox(&settings.database, now) {
        Ok(None) => Finding::Good("none yet".to_owned()),
        Ok(Some(waiting)) => {
            let place = if settings.smtp_url.is_some() { "SMTP_URL" } else { "MAIL_DIR" };
            outbox(&waiting, place, now)
        }
        Err(error) => Finding::Bad(error.to_string()),
    }
}

/// Says what waits. A mail that was refused is no fault of the server's as a rule: somebody mistyped their address.
fn outbox(waiting: &Waiting, place: &str, now: OffsetDateTime) -> Finding {
    let Waiting { count, oldest, refused, refusal } = waiting;
    let are = match count {
        0 => "none is waiting".to_owned(),
        1 => "1 is waiting".to_owned(),
        _ => format!("{count} are waiting"),
    };
    let since = oldest.map(|oldest| format!(", the oldest was written {}", DisplayTime::new(oldest, now).ago));
    let last = refusal.as_deref().unwrap_or_default();
    let refused = (*refused > 0).then(|| format!("; {refused} refused in the last month, the last with: {last}"));
    let words = format!("{are}{}{}", since.unwrap_or_default(), refused.unwrap_or_default());
    match oldest {
        Some(oldest) if now - *oldest > MAIL_LATE => Finding::Bad(format!(
            "{words}; start the server if it is not running, or see in its log what is wrong with {place}"
        )),
        _ => Finding::Good(words),
    }
}

/// Looks at what applications around the library do on events; nothing where no application does anything.
fn hooks(settings: &Settings) -> Option<Finding> {
    let hooks = match Database::inspect_hooks(&settings.database) {
        Ok(hooks) => hooks.unwrap_or_default(),
        Err(error) => return Some(Finding::Bad(error.to_string())),
    };
    let failing = hooks.iter().filter(|(_, failures)| *failures >= HOOK_FAILURES);
    let failing: Vec<_> = failing.map(|(name, failures)| format!("{name} failed {failures} times in a row")).collect();
    if !failing.is_empty() {
        return Some(Finding::Bad(format!(
            "{}; later events wait for it: see in the log of the application why",
            failing.join(", ")
        )));
    }
    match hooks.len() {
        0 => None,
        1 => Some(Finding::Good("there is one, and it does not fail".to_owned())),
        count => Some(Finding::Good(format!("there are {count}, and none fails"))),
    }
}

/// Looks at the server's own backups.
fn backups(settings: &Settings, every: Duration) -> Finding {
    let folder = settings.backup_dir.display();
    let now = system_clock().now();
    match crate::jobs::backups(&settings.backup_dir) {
        Ok(all) => match all.last() {
            None => Finding::Good(format!("none yet in {folder}; a server that runs makes the first")),
            Some((newest, _)) if now - *newest > every * BACKUPS_LATE => Finding::Bad(format!(
                "the newest in {folder} was made {}: start the server if it is not running, or see in its log what is wrong",
                DisplayTime::new(*newest, now).ago
            )),
            Some((newest, _)) => Finding::Good(format!(
                "{} in {folder}, the newest was made {}",
                all.len(),
                DisplayTime::new(*newest, now).ago
            )),
        },
        Err(error) => Finding::Bad(format!("cannot look into {folder}: {error}")),
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 8:30 UTC);

    #[test]
    fn what_waits_for_too_long_is_to_be_mended_and_what_was_refused_is_not() {
        let found = |count, minutes: Option<i64>, refused, refusal: Option<&str>| {
            let oldest = minutes.map(|minutes| NOW - Duration::minutes(minutes));
            let waiting = Waiting { count, oldest, refused, refusal: refusal.map(str::to_owned) };
            match outbox(&waiting, "SMTP_URL", NOW) {
                Finding::Good(words) => format!("ok {words}"),
                Finding::Bad(words) => format!("mend {words}"),
                Finding::Skipped => "skip".to_owned(),
            }
        };
        assert_eq!(found(0, None, 0, None), "ok none is waiting");
        assert_eq!(found(1, Some(3), 0, None), "ok 1 is waiting, the oldest was written 3 minutes ago");
        assert_eq!(
            found(0, None, 2, Some("550 nobody here")),
            "ok none is waiting; 2 refused in the last month, the last with: 550 nobody here"
        );
        assert_eq!(
            found(7, Some(300), 0, None),
            "mend 7 are waiting, the oldest was written 5 hours ago; start the server if it is not running, or see in \
             its log what is wrong with SMTP_URL"
        );
    }
}
