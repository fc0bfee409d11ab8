//! What can happen next, and what it does.

use perennial::domain::session::EndReason;

use super::property::{Broken, Property};
use super::protocol::{DEAD, Row, Rows, Seconds, Token};
use super::world::{Exchange, FORGOTTEN, Jar, Party, Restores, Setting, Stage, World};

/// One thing that happens. Numbers count the exchanges, or the earlier jars, of the state it happens in, or processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The owner's browser sends a request with what the jar holds.
    Send,
    /// The thief, or an owner that is unbound, sends a request that reaches this process at once.
    Present(Party, Token, usize),
    /// A request reaches a process, which reads the row and decides.
    Arrive(usize, usize),
    /// A request reaches the socket of a process that sleeps.
    Queue(usize, usize),
    /// A page is done: the process acts, and the answer's headers go.
    Leave(usize),
    /// An answer reaches its browser.
    Deliver(usize),
    /// An answer reaches its browser, and will once more.
    Repeat(usize),
    /// An answer is lost.
    Lose(usize),
    /// The owner's browser crashes and comes back with an earlier jar, or with the one that it had.
    Crash(usize),
    /// The refresh cookie stays in the jar beside those that follow.
    Keep,
    /// The thief copies the jar that holds this token.
    Copy(Token),
    /// The sign-in is revoked: signed out, or ended from elsewhere.
    Revoke,
    /// A process stops running, and knows it when it wakes.
    Suspend(usize),
    Wake(usize),
    /// The clock of a process is set wrong, or right again.
    SetClock(usize, Seconds),
    /// The database is saved.
    Save,
    /// The database is put back as it was saved.
    Restore,
    /// Time passes.
    Wait(Seconds),
}

impl<R: Rows> World<R> {
    /// Lists what can happen next.
    ///
    /// That a request is lost is not among it: everything that can follow can also follow had it not been sent.
    pub fn steps(&mut self, setting: &Setting) -> Vec<Step> {
        let row = self.rows.find();
        let mut steps = Vec::new();
        self.list_requests(&row, setting, &mut steps);
        self.list_exchanges(&row, setting, &mut steps);
        if setting.crashes {
            for index in 0..=self.earlier.len() {
                let (jar, until) = self.earlier.get(index).copied().unwrap_or((self.jar, self.now));
                if self.now - until <= FORGOTTEN && self.may_fall_behind(&row, jar, true, setting) {
                    steps.push(Step::Crash(index));
                }
            }
        }
        if setting.keeps_old_cookies && self.jar.old != Some(self.jar.refresh) {
            steps.push(Step::Keep);
        }
        if setting.theft && !self.stolen {
            let jar = std::slice::from_ref(&self.jar.refresh);
            let copied = if setting.unbound { self.held[Party::Owner as usize].as_slice() } else { jar };
            steps.extend(copied.iter().map(|token| Step::Copy(*token)));
        }
        if setting.revokes && row.revoked.is_none() {
            steps.push(Step::Revoke);
        }
        if setting.restores != Restores::Never && !self.restored {
            let saves = row.revoked.is_none() && self.backup.as_ref() != Some(&row);
            steps.extend(saves.then_some(Step::Save));
            let moved = self.backup.as_ref().is_some_and(|backup| !backup.stands(&row));
            steps.extend(moved.then_some(Step::Restore));
        }
        for (index, node) in self.nodes.iter().enumerate() {
            match node.asleep {
                true => steps.push(Step::Wake(index)),
                false if index < setting.sleepers => steps.push(Step::Suspend(index)),
                false => {}
            }
            match node.set {
                0 if index > 0 => {}
                0 => steps.extend(setting.jumps.iter().map(|by| Step::SetClock(index, *by))),
                _ => steps.push(Step::SetClock(index, 0)),
            }
        }
        for by in setting.waits {
            steps.extend(self.may_wait(*by, &row, setting).then_some(Step::Wait(*by)));
        }
        steps
    }

    fn list_requests(&self, row: &Row, setting: &Setting, steps: &mut Vec<Step>) {
        let dead = self.dead_tokens(row);
        for party in [Party::Owner, Party::Thief] {
            if self.under_way(party) >= setting.exchanges[party as usize] {
                continue;
            }
            if setting.unbound || party == Party::Thief {
                let held = &self.held[party as usize];
                let dead =
                    if setting.unbound && (party == Party::Owner || self.stolen) { dead.as_slice() } else { &[] };
                for node in (0..self.nodes.len()).filter(|node| self.is_ready(*node, setting)) {
                    let tokens = held.iter().chain(dead);
                    steps.extend(tokens.map(|token| Step::Present(party, *token, node)));
                }
            } else if self.jar.access_until.is_none_or(|until| until <= self.now) {
                steps.push(Step::Send);
            }
        }
    }

    /// Returns tokens that open nothing: of the generation of the row, and after a restore of those that follow.
    fn dead_tokens(&self, row: &Row) -> Vec<Token> {
        let ahead = if self.restored { 2 } else { 0 };
        (0..=ahead).map(|ahead| Token { generation: row.generation + ahead, secret: DEAD }).collect()
    }

    fn list_exchanges(&self, row: &Row, setting: &Setting, steps: &mut Vec<Step>) {
        let free = self.under_way(Party::Owner) < setting.exchanges[Party::Owner as usize];
        let may_lose = self.may_fall_behind(row, self.jar, false, setting) && setting.losses > 0;
        for (index, exchange) in self.exchanges.iter().enumerate() {
            match &exchange.stage {
                Stage::Request => {
                    let reaches = |node: &usize| exchange.socket.is_none_or(|socket| socket == *node);
                    for node in (0..self.nodes.len()).filter(reaches) {
                        if self.nodes[node].asleep {
                            steps.extend(exchange.socket.is_none().then_some(Step::Queue(index, node)));
                        } else if self.is_ready(node, setting) {
                            steps.push(Step::Arrive(index, node));
                        }
                    }
                }
                Stage::Page(page) => steps.extend((!self.nodes[page.node].asleep).then_some(Step::Leave(index))),
                Stage::Answer { refresh, .. } => {
                    steps.push(Step::Deliver(index));
                    let repeats = setting.repeats && free && refresh.is_some();
                    steps.extend(repeats.then_some(Step::Repeat(index)));
                    let lose = may_lose || refresh.is_none() && setting.losses > 0;
                    steps.extend(lose.then_some(Step::Lose(index)));
                }
            }
        }
    }

    /// Tells whether nothing speaks against letting this time pass.
    fn may_wait(&self, by: Seconds, row: &Row, setting: &Setting) -> bool {
        let then = self.now + by;
        let may_lose = self.may_fall_behind(row, self.jar, false, setting) && setting.losses > 0;
        let due = |exchange: &Exchange| match &exchange.stage {
            Stage::Page(page) => !self.nodes[page.node].asleep && self.now - page.arrived >= setting.longest_page,
            // What waits in its socket is the first that a process gets when it wakes.
            Stage::Request => exchange.socket.is_some_and(|node| {
                let woke = self.nodes[node].disturbed.unwrap_or(self.now);
                !self.nodes[node].asleep && then - woke >= setting.window()
            }),
            Stage::Answer { refresh, .. } => {
                let lost = exchange.deadline.is_some_and(|deadline| deadline < then);
                lost && !(may_lose || refresh.is_none() && setting.losses > 0)
            }
        };
        let missed = |every: Seconds| {
            let comes = self.jar.access_until.unwrap_or(self.now) + every;
            self.under_way(Party::Owner) == 0 && then >= comes
                || self.exchanges.iter().any(|exchange| exchange.deadline.is_some_and(|deadline| deadline < then))
        };
        !self.exchanges.iter().any(due) && !setting.visits.is_some_and(missed)
    }

    /// Lets a step happen; returns what it broke.
    pub fn happen(&mut self, step: Step, setting: &Setting) -> Broken {
        let mut broken = Broken::default();
        let before = self.rows.find();
        match step {
            Step::Send => self.send(Party::Owner, self.jar.refresh, setting),
            Step::Present(party, presented, node) => {
                self.send(party, presented, setting);
                self.arrive(self.exchanges.len() - 1, node, setting, &mut broken);
            }
            Step::Arrive(index, node) => self.arrive(index, node, setting, &mut broken),
            Step::Queue(index, node) => {
                (self.exchanges[index].socket, self.exchanges[index].deadline) = (Some(node), None);
            }
            Step::Leave(index) => self.leave(index, setting, &mut broken),
            Step::Deliver(index) => self.deliver(index, setting),
            Step::Repeat(index) => {
                self.exchanges.push(self.exchanges[index].clone());
                self.deliver(index, setting);
            }
            Step::Lose(index) => drop(self.exchanges.remove(index)),
            Step::Crash(index) => self.crash(index),
            Step::Keep => self.jar.old = Some(self.jar.refresh),
            Step::Copy(token) => self.copy(token),
            Step::Revoke => self.rows.revoke(EndReason::SignedOut, self.now),
            Step::Suspend(node) => self.nodes[node].asleep = true,
            Step::Wake(node) => {
                self.nodes[node].asleep = false;
                self.disturb(node);
            }
            Step::SetClock(node, to) => {
                self.nodes[node].set = to;
                self.disturb(node);
            }
            Step::Save => self.backup = Some(before.clone()),
            Step::Restore => self.restore(setting),
            Step::Wait(by) => {
                self.now += by;
                self.expire(setting);
            }
        }
        if step != Step::Restore {
            let after = self.rows.find();
            broken.unless(before.generation <= after.generation, Property::GenerationsOnlyGrow);
            broken.unless(before.revoked.is_none() || before == after, Property::NothingFollowsARevoke);
        }
        broken
    }

    fn send(&mut self, party: Party, presented: Token, setting: &Setting) {
        let beside = self.jar.old.filter(|old| party == Party::Owner && *old != presented);
        let on_time = party == Party::Owner && !setting.late_requests && !setting.unbound;
        let deadline = on_time.then_some(self.now + setting.grace() + setting.stall);
        let stage = Stage::Request;
        self.exchanges.push(Exchange { party, awaited: true, presented, beside, socket: None, deadline, stage });
    }

    /// A process notes that it slept, or that its clock was set.
    fn disturb(&mut self, node: usize) {
        self.nodes[node].disturbed = Some(self.now);
        for exchange in &mut self.exchanges {
            if let Stage::Page(page) = &mut exchange.stage {
                page.interrupted |= page.node == node;
            }
        }
    }

    /// What is late is lost; and nobody waits for a page whose process slept for too long.
    fn expire(&mut self, setting: &Setting) {
        let given_up = self.now - setting.longest_page - setting.window();
        self.exchanges.retain(|exchange| {
            let waits = !matches!(&exchange.stage, Stage::Page(page) if page.arrived < given_up);
            waits && exchange.deadline.is_none_or(|deadline| self.now <= deadline)
        });
    }

    /// An answer reaches its browser, which stores the cookies.
    fn deliver(&mut self, index: usize, setting: &Setting) {
        let answered = self.exchanges.remove(index);
        let Stage::Answer { refresh, access_until, made } = answered.stage else { return };
        if answered.party == Party::Thief {
            self.held[Party::Thief as usize].extend(refresh);
            return;
        }
        let access_until = (!setting.lifetimes.access.is_zero()).then_some(access_until);
        let jar = Jar { refresh: refresh.unwrap_or(self.jar.refresh), access_until, ..self.jar };
        let before = std::mem::replace(&mut self.jar, jar);
        self.earlier.retain(|(_, until)| self.now - until <= FORGOTTEN);
        self.earlier.push((before, self.now));
        if let (Some(_), Some(overtaken)) = (refresh, setting.overtaken) {
            let limit = made + overtaken;
            let owners = self.exchanges.iter_mut().filter(|other| other.party == Party::Owner);
            for other in owners.filter(|other| other.stage == Stage::Request) {
                other.deadline = Some(other.deadline.map_or(limit, |deadline| deadline.min(limit)));
            }
            self.expire(setting);
        }
    }

    /// The owner's browser is gone, and with it what it stored last and what it waited for.
    fn crash(&mut self, index: usize) {
        self.jar = self.earlier.get(index).map_or(self.jar, |(jar, _)| *jar);
        self.earlier.clear();
        self.exchanges
            .retain(|exchange| exchange.party == Party::Thief || !matches!(exchange.stage, Stage::Answer { .. }));
        for exchange in &mut self.exchanges {
            exchange.awaited &= exchange.party == Party::Thief;
        }
    }

    /// The thief takes what the jar holds. What was made for it and has not been in the jar counts as given since.
    fn copy(&mut self, token: Token) {
        let row = self.rows.find();
        self.stolen = true;
        self.held[Party::Thief as usize].push(token);
        self.line.fill(0);
        if row.active != token.secret {
            self.line[row.active.0 as usize] = 1;
        }
    }

    /// The database is put back. Where that is done at a standstill, every page is gone and every process starts anew.
    fn restore(&mut self, setting: &Setting) {
        let Some(backup) = self.backup.take() else { return };
        self.rows.restore(&backup);
        (self.restored, self.judged, self.rotated_twice) = (true, false, [false; 2]);
        self.line.fill(0);
        self.last_used = self.last_used.min(backup.last_seen_at);
        if setting.restores == Restores::AtAStandstill {
            self.exchanges.retain(|exchange| !matches!(exchange.stage, Stage::Page(_)) && exchange.socket.is_none());
            for node in &mut self.nodes {
                (node.asleep, node.disturbed) = (false, Some(self.now));
            }
        }
    }
}
