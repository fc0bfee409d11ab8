//! The one state that stands for all that differ only in what nothing turns on.

use std::hash::{DefaultHasher, Hash, Hasher};

use perennial::domain::rotation::Decision;

use super::protocol::{Change, DEAD, FIRST_NEW, InMemory, Row, Seconds, Secret, Token, length};
use super::world::{Exchange, FORGOTTEN, Jar, Node, Page, Party, Setting, Stage, World};

/// The generation of every row; only how far others are from it is of interest.
const GENERATION: i32 = 32;

/// A backup that is further behind than this is forgotten, or there would be no end of states.
const OLDEST_BACKUP: i32 = 2;

/// Renewals in a row after which it makes no difference how many there were.
const MOST_LOSSES: i32 = 8;

/// What secrets and generations become: `decide` compares them, and does nothing else with them.
struct Names {
    generation: i32,
    /// The secrets that open the row, or would if the backup were put back.
    live: [Option<Secret>; 4],
    /// Generations behind, or ahead of, the row among which dead tokens differ.
    differ: (i32, i32),
    furthest: i32,
}

impl Names {
    fn of(row: &Row, backup: Option<&Row>, restored: bool) -> Self {
        let live = [
            Some(row.active),
            row.previous,
            backup.map(|backup| backup.active),
            backup.and_then(|backup| backup.previous),
        ];
        let behind = backup.map_or(0, |backup| row.generation - backup.generation);
        let ahead = if restored { -OLDEST_BACKUP } else { 0 };
        Self { generation: row.generation, live, differ: (ahead, behind), furthest: MOST_LOSSES + behind }
    }

    fn secret(&self, secret: Secret) -> Secret {
        let found = self.live.iter().zip(0..).find(|(live, _)| **live == Some(secret));
        found.map_or(DEAD, |(_, number)| Secret(number))
    }

    fn rename(&self, token: &mut Token) {
        let behind = self.generation - token.generation;
        token.secret = self.secret(token.secret);
        let behind = match token.secret {
            DEAD => behind.clamp(self.differ.0, self.differ.1),
            _ => behind.min(self.furthest),
        };
        token.generation = GENERATION - behind;
    }

    fn rename_row(&self, row: &mut Row) {
        row.generation += GENERATION - self.generation;
        row.active = self.secret(row.active);
        row.previous = row.previous.map(|secret| self.secret(secret));
    }
}

/// What times become: they are told from now, and an age past everything it is compared with is that and no more.
struct Ages<'a> {
    now: Seconds,
    /// What 0 becomes: now, or the beginning of the minute where uses are noted by the minute.
    zero: Seconds,
    /// A rotation that was earlier is long past.
    oldest: Seconds,
    setting: &'a Setting,
}

impl Ages<'_> {
    fn tell(&self, at: Seconds) -> Seconds {
        at - self.zero
    }

    /// Cuts an age off, of a time that was told by a clock that may have been wrong by any of the jumps.
    fn cut(&self, at: Seconds, oldest: Seconds) -> Seconds {
        let error = self.error(at);
        self.tell(error + (at - error).max(oldest))
    }

    /// Returns by how much the clock was wrong that told a time.
    fn error(&self, at: Seconds) -> Seconds {
        let errors = std::iter::once(&0).chain(self.setting.jumps);
        errors.copied().min_by_key(|error| (at - self.now - error).abs()).unwrap_or(0)
    }

    fn cut_row(&self, row: &mut Row) {
        let lifetimes = &self.setting.lifetimes;
        row.rotated_at = self.cut(row.rotated_at, self.oldest);
        if self.setting.ages {
            // Idleness comes two minutes past its limit, and clocks differ a little.
            row.last_seen_at = self.cut(row.last_seen_at, self.now - length(lifetimes.idle) - 180);
            row.expires_at = self.tell(row.expires_at.max(self.now - 60));
        } else {
            row.last_seen_at = self.error(row.last_seen_at);
            row.expires_at = length(lifetimes.kept);
        }
        row.revoked = row.revoked.map(|(_, because)| (0, because));
    }
}

impl World<InMemory> {
    /// Returns the one state that stands for all that differ only in what nothing turns on.
    ///
    /// With the number of exchanges bounded this makes the states finite, so no bound on the length of a run is needed.
    pub fn canonical(mut self, setting: &Setting) -> Self {
        let now = self.now;
        let shortest = setting.waits.iter().copied().min().unwrap_or(1);
        let ahead = setting.hosts.iter().map(|host| host.ahead).max().unwrap_or(0);
        let arrived = |exchange: &Exchange| match &exchange.stage {
            Stage::Page(page) => Some(page.arrived),
            _ => None,
        };
        // A rotation is looked at from now on, and as of the arrival of whatever lost a swap to it.
        let earliest = self.exchanges.iter().filter_map(arrived).min().unwrap_or(now);
        let oldest = earliest - setting.window() - shortest - 2 * ahead;
        self.backup.take_if(|backup| self.rows.0.generation - backup.generation > OLDEST_BACKUP || self.restored);
        let names = Names::of(&self.rows.0, self.backup.as_ref(), self.restored);
        let zero = if setting.ages { now - now.rem_euclid(60) } else { now };
        let ages = Ages { now, zero, oldest, setting };
        let row = self.rows.0.clone();

        for node in &mut self.nodes {
            let Node { disturbed, .. } = node;
            *disturbed = disturbed.filter(|at| now - at < setting.window()).map(|at| ages.tell(at));
        }
        self.browser(&names, &ages);
        for held in &mut self.held {
            held.iter_mut().for_each(|token| names.rename(token));
            // Those who are unbound may present a dead token whether or not they hold one.
            held.retain(|token| !setting.unbound || token.secret != DEAD);
            held.sort_unstable();
            held.dedup();
        }
        for exchange in &mut self.exchanges {
            rename_exchange(exchange, &row, &names, &ages);
        }
        self.exchanges.sort_by_cached_key(fingerprint);
        let line =
            |secret: &Option<Secret>| secret.and_then(|secret| self.line.get(secret.0 as usize).copied()).unwrap_or(0);
        self.line = names.live.iter().map(line).collect();
        self.line.resize(FIRST_NEW as usize, 0);
        if !self.stolen || !setting.counts_swaps {
            self.swaps = [0; 2];
        }
        let idle = length(setting.lifetimes.idle) + 180;
        self.last_used = if setting.ages { ages.tell(self.last_used.max(now - idle)) } else { 0 };
        for row in std::iter::once(&mut self.rows.0).chain(&mut self.backup) {
            names.rename_row(row);
            ages.cut_row(row);
        }
        self.now = ages.tell(now);
        self
    }

    /// Renames what the browser holds.
    fn browser(&mut self, names: &Names, ages: &Ages<'_>) {
        let (now, setting) = (ages.now, ages.setting);
        if setting.unbound {
            let refresh = Token { generation: names.generation, secret: Secret(u32::MAX) };
            self.jar = Jar { refresh, old: None, access_until: None };
            self.earlier.clear();
        } else {
            self.held[Party::Owner as usize].clear();
        }
        let rename = |jar: &mut Jar| {
            names.rename(&mut jar.refresh);
            if let Some(old) = &mut jar.old {
                names.rename(old);
            }
            let kept = jar.access_until.filter(|until| *until > now || setting.visits.is_some());
            jar.access_until = kept.map(|until| ages.tell(until));
        };
        rename(&mut self.jar);
        let current = self.jar;
        self.earlier.retain(|(_, until)| now - until <= FORGOTTEN);
        for (jar, until) in &mut self.earlier {
            rename(jar);
            *until = ages.tell(*until);
        }
        let mut kept: Vec<(Jar, Seconds)> = Vec::new();
        for (jar, until) in std::mem::take(&mut self.earlier).into_iter().rev() {
            if jar != current && !kept.iter().any(|(other, _)| *other == jar) {
                kept.push((jar, until));
            }
        }
        kept.reverse();
        self.earlier = kept;
    }
}

fn rename_exchange(exchange: &mut Exchange, row: &Row, names: &Names, ages: &Ages<'_>) {
    let (now, setting) = (ages.now, ages.setting);
    names.rename(&mut exchange.presented);
    if let Some(beside) = &mut exchange.beside {
        names.rename(beside);
    }
    exchange.deadline = exchange.deadline.map(|deadline| ages.tell(deadline));
    match &mut exchange.stage {
        Stage::Request => {}
        Stage::Page(page) => {
            names.rename(&mut page.chosen);
            rename_page(page, row, names, ages);
            (exchange.presented, exchange.beside) = (page.chosen, None);
        }
        Stage::Answer { refresh, access_until, made } => {
            // Nobody asks any more what was presented.
            (exchange.presented, exchange.beside) = (Token { generation: GENERATION, secret: DEAD }, None);
            if let Some(token) = refresh {
                names.rename(token);
            }
            let matters = exchange.party == Party::Owner && !setting.lifetimes.access.is_zero();
            *access_until = if matters { ages.tell((*access_until).max(now)) } else { 0 };
            *made = if setting.overtaken.is_some() { ages.tell(*made) } else { 0 };
        }
    }
}

fn rename_page(page: &mut Page, row: &Row, names: &Names, ages: &Ages<'_>) {
    let stands = page.read.stands(row);
    let nothing = Token { generation: GENERATION, secret: DEAD };
    page.arrived = ages.tell(page.arrived);
    page.read = Row { revoked: None, ..row.clone() };
    names.rename_row(&mut page.read);
    ages.cut_row(&mut page.read);
    match &mut page.plan.change {
        Change::Stays => (page.chosen, page.steady, page.interrupted, page.error) = (nothing, true, false, 0),
        Change::Replaced { generation, previous } if stands => {
            *generation += GENERATION - names.generation;
            *previous = previous.map(|secret| names.secret(secret));
        }
        // Of a row that has moved, nothing matters but that it did: whatever is tried on it fails.
        Change::Replaced { generation, previous } => {
            page.read.generation = -1;
            (*generation, *previous, page.plan.decision) = (0, None, Decision::Rotate);
        }
        Change::Ends(_) if stands => {}
        Change::Ends(_) => page.read.generation = -1,
    }
}

/// Returns 64 bits by which two states are told apart.
pub fn fingerprint(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
