//! What can happen next, and what it does.

use perennial::domain::rotation::Decision;
use perennial::domain::session::EndReason;

use super::property::{Broken, Property, one_opens_beyond_the_grace};
use super::protocol::{Row, Rows, Seconds, Secret, Token, length, moment, opens};
use super::world::{Decided, Exchange, FORGOTTEN, Jar, LateAnswers, Party, Read, Setting, Stage, World};

/// One thing that happens. Numbers count the exchanges, or the earlier jars, of the state it happens in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A party sends a request: the owner with what the jar holds, the thief with anything it ever held.
    Send(Party, Token),
    /// A party that is unbound sends a request that arrives at once.
    Present(Party, Token),
    /// A request reaches a node, which reads the row and decides.
    Arrive(usize),
    /// A page is done: the node acts, and the answer's headers go.
    Leave(usize),
    /// An answer reaches its browser.
    Deliver(usize),
    /// An answer is lost.
    Lose(usize),
    /// The owner's browser crashes and comes back with an earlier jar.
    Crash(usize),
    /// The thief copies the jar that holds this token.
    Copy(Token),
    /// The sign-in is revoked: signed out, or ended from elsewhere.
    Revoke,
    /// Time passes.
    Wait(Seconds),
}

impl<R: Rows> World<R> {
    /// Lists what can happen next.
    ///
    /// That a request is lost is not among it: everything that can follow can also follow had it not been sent.
    pub fn steps(&mut self, setting: &Setting) -> Vec<Step> {
        let mut steps = Vec::new();
        for party in [Party::Owner, Party::Thief] {
            if self.under_way(party) >= setting.exchanges[party as usize] {
                continue;
            }
            let held = self.held[party as usize].iter();
            if setting.unbound {
                steps.extend(held.map(|token| Step::Present(party, *token)));
                if party == Party::Owner || self.stolen {
                    steps.extend(self.dead_tokens().map(|token| Step::Present(party, token)));
                }
            } else if party == Party::Thief {
                steps.extend(held.map(|token| Step::Send(party, *token)));
            } else if self.jar.access_until.is_none_or(|until| until <= self.now) {
                steps.push(Step::Send(party, self.jar.refresh));
            }
        }
        let mut may_wait = true;
        for (index, exchange) in self.exchanges.iter().enumerate() {
            match exchange.stage {
                Stage::Request => steps.push(Step::Arrive(index)),
                Stage::Page { arrived, .. } => {
                    steps.push(Step::Leave(index));
                    may_wait &= self.now - arrived < setting.longest_page;
                }
                Stage::Answer { .. } => steps.extend([Step::Deliver(index), Step::Lose(index)]),
            }
        }
        if setting.crashes {
            let remembered = |until: Seconds| self.now - until <= FORGOTTEN;
            let jars = self.earlier.iter().enumerate().filter(|(_, (_, until))| remembered(*until));
            steps.extend(jars.map(|(index, _)| Step::Crash(index)));
        }
        if setting.theft && !self.stolen {
            let jar = std::slice::from_ref(&self.jar.refresh);
            let copied = if setting.unbound { self.held[Party::Owner as usize].as_slice() } else { jar };
            steps.extend(copied.iter().map(|token| Step::Copy(*token)));
        }
        if setting.revokes {
            steps.push(Step::Revoke);
        }
        if may_wait {
            steps.extend(setting.waits.iter().map(|by| Step::Wait(*by)));
        }
        steps
    }

    /// Lets a step happen; returns what it broke.
    pub fn happen(&mut self, step: Step, setting: &Setting) -> Broken {
        let mut broken = Broken::default();
        match step {
            Step::Send(party, presented) => self.send(party, presented),
            Step::Present(party, presented) => {
                self.send(party, presented);
                self.arrive(self.exchanges.len() - 1, setting, &mut broken);
            }
            Step::Arrive(index) => self.arrive(index, setting, &mut broken),
            Step::Leave(index) => self.leave(index, setting, &mut broken),
            Step::Deliver(index) => self.deliver(index, setting),
            Step::Lose(index) => drop(self.exchanges.remove(index)),
            Step::Crash(index) => self.crash(index),
            Step::Copy(token) => self.copy(token),
            Step::Revoke => {
                self.rows.revoke(None, EndReason::SignedOut, self.now);
                // An access token that is still in force is looked up, and this is what it is asked.
                let over = self.rows.find().session().ended(&setting.lifetimes, moment(self.now)).is_some();
                broken.unless(over, Property::NothingOpensAfterARevoke);
            }
            Step::Wait(by) => {
                self.now += by;
                let now = self.now;
                self.exchanges.retain(|exchange| exchange.deadline.is_none_or(|deadline| now <= deadline));
            }
        }
        broken
    }

    fn send(&mut self, party: Party, presented: Token) {
        self.exchanges.push(Exchange { party, awaited: true, presented, deadline: None, stage: Stage::Request });
    }

    /// The way in: read and decide.
    fn arrive(&mut self, index: usize, setting: &Setting, broken: &mut Broken) {
        let Exchange { party, presented, .. } = self.exchanges[index];
        let row = self.rows.find();
        let decision = setting.protocol.decide(&row, presented, &setting.lifetimes, self.now);
        let ended = matches!(decision, Decision::Ended(_));
        broken.unless(row.revoked.is_none() || ended, Property::NothingOpensAfterARevoke);
        let both = opens(decision) && self.rotated_twice[party.other() as usize];
        broken.unless(!both, Property::NeverBothRotateTwice);
        if party == Party::Owner && decision == Decision::Overlap {
            self.last_used = self.now;
        }
        let Some(decided) = Decided::of(decision) else {
            broken.unless(self.may_end(&row, decision, setting), Property::NobodyIsSignedOutEarly);
            self.exchanges.remove(index);
            return;
        };
        let read = Read { generation: row.generation, active: row.active, previous: row.previous };
        let exchange = &mut self.exchanges[index];
        exchange.deadline = None;
        exchange.stage = Stage::Page { arrived: self.now, read, decision: decided };
    }

    /// Tells whether a browser may be told that its sign-in is over.
    ///
    /// Idleness is counted from the last swap. A parallel request, which may come a grace after it, is not written
    /// down, so idleness may come as much before its time.
    fn may_end(&self, row: &Row, decision: Decision, setting: &Setting) -> bool {
        self.stolen
            || match decision {
                Decision::Ended(EndReason::Expired) => self.now >= row.expires_at,
                Decision::Ended(EndReason::Idle) => {
                    self.now - self.last_used >= length(setting.lifetimes.idle) - setting.grace()
                }
                Decision::Ended(EndReason::SignedOut) => row.revoked.is_some(),
                _ => false,
            }
    }

    /// The way out: carry the decision out, and answer.
    fn leave(&mut self, index: usize, setting: &Setting, broken: &mut Broken) {
        let Exchange { party, awaited, presented, ref stage, .. } = self.exchanges[index];
        let Stage::Page { arrived, read, decision } = *stage else { return };
        let before = self.rows.find();
        let seen = Row { generation: read.generation, active: read.active, previous: read.previous, ..before.clone() };
        let fresh = Secret(u32::try_from(self.line.len()).expect("fewer secrets than that"));
        let mut refresh = None;
        if let Some(next) = setting.protocol.replacement(decision.into(), &seen, fresh, self.now) {
            if !self.rows.swap(&seen, next) {
                let again = setting.protocol.decide(&before, presented, &setting.lifetimes, arrived);
                let again = (setting.protocol.after_a_lost_swap)(again);
                // On the way out nothing is ended: whoever presents it again is told then.
                return self.stay(index, &before, again, |decided| decided != Decided::Replayed);
            }
            broken.unless(before.revoked.is_none(), Property::NothingOpensAfterARevoke);
            self.note_swap(party, presented, broken);
            refresh = Some(Token { generation: next.generation, secret: fresh });
            let mut handed_out: Vec<Token> = self.rows.find().live_tokens().chain(before.live_tokens()).collect();
            handed_out.sort_unstable();
            handed_out.dedup();
            let row = self.rows.find();
            let one = one_opens_beyond_the_grace(&setting.protocol, &setting.lifetimes, &row, &handed_out, self.now);
            broken.unless(one, Property::OneSecretBeyondTheGrace);
        } else if decision == Decided::Replayed {
            if !self.rows.revoke(Some(&seen), EndReason::Replayed, self.now) {
                let again = setting.protocol.decide(&before, presented, &setting.lifetimes, arrived);
                return self.stay(index, &before, again, |_| true);
            }
            broken.unless(self.stolen, Property::NobodyIsSignedOutEarly);
            self.exchanges.remove(index);
            return;
        }
        if party == Party::Owner && refresh.is_some() {
            self.last_used = self.now;
        }
        if !awaited || setting.unbound {
            self.exchanges.remove(index);
            self.held[party as usize].extend(refresh);
            return;
        }
        let on_time = party == Party::Owner && setting.late_answers == LateAnswers::Never;
        let exchange = &mut self.exchanges[index];
        exchange.deadline = on_time.then_some(self.now + setting.grace());
        let access_until = self.now + length(setting.lifetimes.access);
        exchange.stage = Stage::Answer { refresh, access_until, made: self.now };
    }

    /// Lets a page go on with a decision that was made again, or ends it where there is nothing to give.
    fn stay(&mut self, index: usize, row: &Row, again: Decision, goes_on: impl Fn(Decided) -> bool) {
        match (Decided::of(again).filter(|decided| goes_on(*decided)), &mut self.exchanges[index].stage) {
            (Some(decided), Stage::Page { read, decision, .. }) => {
                *read = Read { generation: row.generation, active: row.active, previous: row.previous };
                *decision = decided;
            }
            _ => drop(self.exchanges.remove(index)),
        }
    }

    /// Counts a rotation, and the line of rotations that it stands in.
    fn note_swap(&mut self, party: Party, presented: Token, broken: &mut Broken) {
        let line = self.line.get(presented.secret.0 as usize).copied().unwrap_or(0);
        let longer = if self.stolen { (line + 1).min(2) } else { 0 };
        self.line.push(longer);
        if !self.stolen {
            return;
        }
        self.rotated_twice[party as usize] |= longer == 2;
        broken.unless(self.rotated_twice != [true; 2], Property::NeverBothRotateTwice);
        let swaps = &mut self.swaps[party as usize];
        *swaps = (*swaps + 1).min(2);
        broken.unless(self.swaps != [2; 2], Property::NeverBothSwapTwice);
    }

    /// An answer reaches its browser, which stores the cookies.
    fn deliver(&mut self, index: usize, setting: &Setting) {
        let answered = self.exchanges.remove(index);
        let Stage::Answer { refresh, access_until, made } = answered.stage else { return };
        if answered.party == Party::Thief {
            self.held[Party::Thief as usize].extend(refresh);
            return;
        }
        let jar = Jar { refresh: refresh.unwrap_or(self.jar.refresh), access_until: Some(access_until) };
        let before = std::mem::replace(&mut self.jar, jar);
        self.earlier.retain(|(_, until)| self.now - until <= FORGOTTEN);
        self.earlier.push((before, self.now));
        if refresh.is_none() {
            return;
        }
        let grace = setting.grace();
        for other in self.exchanges.iter_mut().filter(|other| other.party == Party::Owner) {
            let limit = match other.stage {
                Stage::Request if !setting.late_requests => made + grace,
                Stage::Answer { made: earlier, .. }
                    if setting.late_answers == LateAnswers::UntilTheGraceAfterTheRetry
                        && other.presented == answered.presented
                        && earlier <= made =>
                {
                    self.now + grace
                }
                _ => continue,
            };
            other.deadline = Some(other.deadline.map_or(limit, |deadline| deadline.min(limit)));
        }
        let now = self.now;
        self.exchanges.retain(|other| other.deadline.is_none_or(|deadline| now <= deadline));
    }

    /// The owner's browser is gone, and with it what it stored last and what it waited for.
    fn crash(&mut self, index: usize) {
        let (jar, _) = self.earlier[index];
        self.jar = jar;
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
}
