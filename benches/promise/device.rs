//! One device, its person, and whoever copied its jar: events in the order of their time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use perennial::domain::access_token::BOUND_LEEWAY_SECONDS;
use perennial::domain::rotation::{Circumstances, Decision, Effect, Proof, Transition, decide, decide_proof};
use perennial::domain::session::{EndReason, Revocation, Session};
use perennial::domain::token::RefreshToken;
use time::{Duration, OffsetDateTime};

use super::Arguments;
use super::exchange::{Answer, Exchange, Party, Theft};
use super::jar::{Browser, Jar, LIFETIMES, sign_in, token};
use super::random::Random;
use super::tally::{Caught, Tally};

const DAY: f64 = 86_400.0;

/// Visits a day of a thief who hurries: one every five minutes.
const THIEFS_VISITS: f64 = 288.0;

/// What a crash makes a browser forget.
const FORGOTTEN: Duration = Duration::seconds(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Visit(Party),
    Ask(Party),
    Arrive(u64),
    Leave(u64),
    Deliver(u64),
    Crash,
    Copy,
}

/// One device.
pub(crate) struct Device<'a> {
    arguments: &'a Arguments,
    random: Random,
    tally: &'a mut Tally,
    now: OffsetDateTime,
    end: OffsetDateTime,
    agenda: BTreeSet<(Reverse<OffsetDateTime>, u64, Event)>,
    exchanges: BTreeMap<u64, Exchange>,
    numbers: u64,
    row: Session,
    owner: Browser,
    thief: Option<Browser>,
    theft: Option<Theft>,
}

impl<'a> Device<'a> {
    /// Signs a person in for the first time.
    pub(crate) fn new(arguments: &'a Arguments, random: Random, tally: &'a mut Tally) -> Self {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
        let (row, owner) = sign_in(now, 0, arguments.bound);
        tally.sign_ins += 1;
        let end = now + Duration::days(i64::from(arguments.days));
        let (agenda, exchanges) = (BTreeSet::new(), BTreeMap::new());
        let (numbers, thief, theft) = (1, None, None);
        Self { arguments, random, tally, now, end, agenda, exchanges, numbers, row, owner, thief, theft }
    }

    /// Lets the days pass.
    pub(crate) fn live(mut self) {
        self.after_a_while(self.arguments.visits, Event::Visit(Party::Owner));
        self.after_a_while(self.arguments.theft, Event::Copy);
        while let Some((Reverse(at), _, event)) = self.agenda.pop_last() {
            if at >= self.end {
                break;
            }
            self.now = at;
            match event {
                Event::Visit(party) => self.visit(party),
                Event::Ask(party) => self.ask(party),
                Event::Arrive(number) => self.arrive(number),
                Event::Leave(number) => self.leave(number),
                Event::Deliver(number) => self.deliver(number),
                Event::Crash => self.crash(),
                Event::Copy => self.copy(),
            }
        }
        if let Some(theft) = self.theft.take() {
            self.note_use_of(&theft);
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn within(&mut self, seconds: f64, event: Event) {
        let at = self.now + Duration::seconds((self.random.fraction() * seconds) as i64);
        let number = self.number();
        self.agenda.insert((Reverse(at), number, event));
    }

    /// Plans an event that happens so often a day, at random.
    fn after_a_while(&mut self, a_day: f64, event: Event) {
        if a_day > 0.0 {
            let wait = -(1.0 - self.random.fraction()).ln() * DAY / a_day;
            let number = self.number();
            self.agenda.insert((Reverse(self.now + Duration::seconds(wait as i64)), number, event));
        }
    }

    fn browser(&self, party: Party) -> Option<&Browser> {
        match party {
            Party::Owner => Some(&self.owner),
            Party::Thief => self.thief.as_ref(),
        }
    }

    /// Returns how often a party visits a day: a thief whose copy is worth something for minutes alone makes use of them.
    fn visits_of(&self, party: Party) -> f64 {
        if party == Party::Thief && self.arguments.bound { THIEFS_VISITS } else { self.arguments.visits }
    }

    /// A person opens a page or three; a thief one.
    fn visit(&mut self, party: Party) {
        if self.browser(party).is_none() {
            return;
        }
        self.after_a_while(self.visits_of(party), Event::Visit(party));
        let tabs = if party == Party::Owner { 1 + self.random.below(3) } else { 1 };
        self.tally.visits += u64::from(party == Party::Owner);
        for _ in 0..tabs {
            self.within(3.0, Event::Ask(party));
        }
    }

    /// A request leaves, if its access token is not good any more.
    fn ask(&mut self, party: Party) {
        let Some(jar) = self.browser(party).map(|browser| browser.jar.clone()) else { return };
        let leeway = if self.row.is_bound() { BOUND_LEEWAY_SECONDS } else { 0 };
        if jar.access_until + Duration::seconds(leeway) > self.now && self.row.revoked.is_none() {
            self.row.last_seen_at = self.row.seen(self.now);
            self.opened(party);
            return;
        }
        let (presented, line) = (jar.refresh, jar.line);
        let proved = (self.arguments.bound && party == Party::Owner).then_some(jar.challenge);
        let exchange = Exchange { party, presented, proved, line, read: None, answer: None };
        let number = self.number();
        self.exchanges.insert(number, exchange);
        self.within(3.0, Event::Arrive(number));
    }

    /// Notes that a page opened, where it is the thief's.
    fn opened(&mut self, party: Party) {
        if let Some(theft) = self.theft.as_mut().filter(|_| party == Party::Thief) {
            theft.last_use = self.now;
        }
    }

    /// Decides as the server does: by the proof where there is one and a key to it, or by the refresh token.
    fn judge(&self, exchange: &Exchange, circumstances: &Circumstances) -> Transition {
        match exchange.proved.filter(|_| self.row.proving_key().is_some()) {
            Some(generation) => {
                let proof = Proof { generation, tokens: std::slice::from_ref(&exchange.presented) };
                decide_proof(Some(&self.row), &proof, circumstances)
            }
            None => decide(Some(&self.row), &exchange.presented, circumstances),
        }
    }

    /// A proof was over a challenge that is over: the browser makes another at once.
    fn challenge_again(&mut self) {
        self.tally.stale += 1;
        self.owner.jar.challenge = self.row.generation;
        self.within(3.0, Event::Ask(Party::Owner));
    }

    /// What a decision on a request that arrives now turns on: the clock and the state of the process that it meets.
    fn circumstances(&mut self) -> Circumstances {
        let apart = i64::from(self.arguments.clock);
        let ahead = if apart == 0 { 0 } else { self.random.below(apart as usize * 2 + 1) as i64 - apart };
        Circumstances {
            lifetimes: LIFETIMES,
            now: self.now + Duration::seconds(ahead),
            steady: !self.random.happens(self.arguments.sleep),
            reissue_in_place: false,
            binds: true,
        }
    }

    /// The way in.
    fn arrive(&mut self, number: u64) {
        let Some(mut exchange) = self.exchanges.remove(&number) else { return };
        let circumstances = self.circumstances();
        let transition = self.judge(&exchange, &circumstances);
        let party = exchange.party;
        match (transition.decision, transition.effect) {
            (decision, _) if decision.opens() => {
                exchange.read = Some((self.row.clone(), transition, circumstances));
                self.exchanges.insert(number, exchange);
                self.within(3.0, Event::Leave(number));
            }
            // A process that has just woken up judges nobody: whoever gets a 503 tries again.
            (Decision::Unsure, _) => self.within(90.0, Event::Ask(party)),
            (Decision::Stale, _) => self.challenge_again(),
            (Decision::NotProven, _) if party == Party::Thief => self.tally.turned_away += 1,
            (Decision::NotProven, _) => {
                self.tally.false_sign_outs += 1;
                self.shown_the_way_out(party);
            }
            (_, Effect::Ends(because)) => {
                self.row.revoked = Some(Revocation { at: self.now, because });
                self.note_end(because);
                self.shown_the_way_out(party);
            }
            _ => self.shown_the_way_out(party),
        }
    }

    /// The sign-in was ended for what a token showed: rightly, or not.
    fn note_end(&mut self, because: EndReason) {
        match self.theft.take() {
            Some(theft) => self.tally.caught.push(Caught {
                rotations: theft.rotations,
                thiefs_rotations: theft.thiefs_rotations,
                seconds: (self.now - theft.at).whole_seconds(),
            }),
            None if because == EndReason::RenewalsLost => self.tally.renewals_lost += 1,
            None => self.tally.false_sign_outs += 1,
        }
    }

    /// A person signs in again; a thief can't.
    fn shown_the_way_out(&mut self, party: Party) {
        if party == Party::Thief {
            self.thief = None;
            return;
        }
        if let Some(theft) = self.theft.take() {
            self.tally.expired_first += 1;
            self.note_use_of(&theft);
        }
        self.tally.sign_ins += 1;
        self.thief = None;
        self.exchanges.clear();
        let number = self.number();
        (self.row, self.owner) = sign_in(self.now, number, self.arguments.bound);
    }

    /// Notes for how long the copy of a bound sign-in was worth something.
    fn note_use_of(&mut self, theft: &Theft) {
        if theft.bound {
            self.tally.useful.push((theft.last_use - theft.at).whole_seconds());
        }
    }

    /// The way out, as the server goes it.
    fn leave(&mut self, number: u64) {
        let Some(mut exchange) = self.exchanges.remove(&number) else { return };
        let Some((read, mut transition, circumstances)) = exchange.read.take() else { return };
        let unmoved = (self.row.generation, self.row.token_hash) == (read.generation, read.token_hash);
        if transition.effect != Effect::Stays && !(unmoved && self.row.revoked.is_none()) {
            transition = self.judge(&exchange, &circumstances).after_lost_swap();
        }
        let party = exchange.party;
        match transition.decision {
            Decision::Overlap => self.tally.overlaps += 1,
            Decision::Reissue => self.tally.reissues += 1,
            Decision::Stale => return self.challenge_again(),
            decision if !decision.opens() => return,
            _ => {}
        }
        let refresh = self.swap(&exchange, &transition);
        self.opened(party);
        if self.random.happens(self.arguments.loss) {
            self.tally.lost += 1;
            // Whoever sees no page tries again.
            self.within(90.0, Event::Ask(party));
            return;
        }
        let (access_until, challenge) = (LIFETIMES.access_expires(self.now, &self.row), self.row.generation);
        exchange.answer = Some(Answer { refresh, access_until, challenge });
        self.exchanges.insert(number, exchange);
        if self.random.happens(self.arguments.late) {
            self.tally.late += 1;
            self.within(90.0, Event::Ask(party));
            let longest = self.arguments.late_by as usize - 30;
            let late = self.now + Duration::seconds(31 + self.random.below(longest) as i64);
            let order = self.number();
            self.agenda.insert((Reverse(late), order, Event::Deliver(number)));
        } else {
            self.within(3.0, Event::Deliver(number));
        }
    }

    fn swap(&mut self, exchange: &Exchange, transition: &Transition) -> Option<(RefreshToken, u64)> {
        let number = self.number();
        let fresh = token(0, number);
        let row = transition.row(&self.row, fresh.secret.hash(), self.now)?;
        if transition.effect == Effect::Proved {
            self.row = row;
            return None;
        }
        let refresh = RefreshToken { generation: row.generation, ..fresh };
        let line = exchange.line + u64::from(self.theft.is_some());
        self.tally.rotations += 1;
        self.row = row;
        if let Some(theft) = &mut self.theft {
            theft.rotations += 1;
            let both = theft.rotated_twice == (true, true);
            match exchange.party {
                Party::Owner => theft.rotated_twice.0 |= line >= 2,
                Party::Thief => {
                    theft.thiefs_rotations += 1;
                    theft.rotated_twice.1 |= line >= 2;
                }
            }
            self.tally.both_rotated_twice += u64::from(!both && theft.rotated_twice == (true, true));
        }
        Some((refresh, line))
    }

    /// The answer reaches its browser.
    fn deliver(&mut self, number: u64) {
        let Some(exchange) = self.exchanges.remove(&number) else { return };
        let Some(Answer { refresh, access_until, challenge }) = exchange.answer else { return };
        let now = self.now;
        let browser = match exchange.party {
            Party::Owner => Some(&mut self.owner),
            Party::Thief => self.thief.as_mut(),
        };
        let Some(browser) = browser else { return };
        let (refresh, line) = refresh.unwrap_or_else(|| (browser.jar.refresh.clone(), browser.jar.line));
        // Within half a minute, the older of two earlier jars is the one on the disk.
        if browser.before.as_ref().is_none_or(|(_, until)| now - *until > FORGOTTEN) {
            browser.before = Some((browser.jar.clone(), now));
        }
        browser.jar = Jar { refresh, line, access_until, challenge };
        if exchange.party == Party::Owner && self.random.happens(self.arguments.crash) {
            self.within(30.0, Event::Crash);
        }
    }

    /// The browser comes back with the jar of half a minute ago, and its person with it.
    fn crash(&mut self) {
        self.tally.crashes += 1;
        if let Some((jar, until)) = self.owner.before.take()
            && self.now - until <= FORGOTTEN
        {
            self.owner.jar = jar;
        }
        self.exchanges.retain(|_, exchange| exchange.party == Party::Thief || exchange.answer.is_none());
        self.within(90.0, Event::Ask(Party::Owner));
    }

    /// Somebody copies the jar, if it is worth anything, and begins to use it.
    fn copy(&mut self) {
        self.after_a_while(self.arguments.theft, Event::Copy);
        let live = self.row.ended(&LIFETIMES, self.now).is_none();
        if self.theft.is_some() || !live {
            return;
        }
        self.tally.thefts += 1;
        self.owner.jar.line = 0;
        self.thief = Some(Browser { jar: self.owner.jar.clone(), before: None });
        let (at, bound) = (self.now, self.row.is_bound());
        self.tally.before_proof += u64::from(self.arguments.bound && !bound);
        let (rotations, rotated_twice) = (0, (false, false));
        self.theft = Some(Theft { at, rotations, thiefs_rotations: 0, rotated_twice, bound, last_use: at });
        self.after_a_while(self.visits_of(Party::Thief), Event::Visit(Party::Thief));
    }
}
