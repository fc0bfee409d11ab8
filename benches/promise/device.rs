//! One device, its person, and whoever copied its jar: events in the order of their time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use perennial::domain::id::{SessionId, UserId};
use perennial::domain::rotation::{Circumstances, Decision, Effect, Transition, decide};
use perennial::domain::session::{EndReason, Lifetimes, Revocation, Session, end_of_minute};
use perennial::domain::token::{RefreshSecret, RefreshToken, SECRET_BYTES};
use time::{Duration, OffsetDateTime};

use super::Arguments;
use super::random::Random;
use super::tally::{Caught, Tally};

/// The defaults of the program.
const LIFETIMES: Lifetimes = Lifetimes {
    access: Duration::minutes(15),
    kept: Duration::days(30),
    idle: Duration::days(14),
    browser_session: Duration::hours(24),
    reuse_grace: Duration::seconds(30),
};

const DAY: f64 = 86_400.0;

/// What a crash makes a browser forget.
const FORGOTTEN: Duration = Duration::seconds(30);

/// Who holds a copy of the sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Party {
    Owner,
    Thief,
}

/// The two cookies.
#[derive(Debug, Clone)]
struct Jar {
    refresh: RefreshToken,
    /// Rotations in line that led to it since the copy.
    line: u64,
    access_until: OffsetDateTime,
}

/// A browser, and what it held until when.
#[derive(Debug)]
struct Browser {
    jar: Jar,
    before: Option<(Jar, OffsetDateTime)>,
}

/// A request on its way through the server.
#[derive(Debug)]
struct Exchange {
    party: Party,
    presented: RefreshToken,
    line: u64,
    read: Option<(Session, Transition, Circumstances)>,
    /// What the answer sets; the refresh token is missing where nothing was renewed.
    answer: Option<(Option<(RefreshToken, u64)>, OffsetDateTime)>,
}

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

/// A theft under way.
#[derive(Debug)]
struct Theft {
    at: OffsetDateTime,
    rotations: u64,
    thiefs_rotations: u64,
    rotated_twice: (bool, bool),
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
        let (row, owner) = sign_in(now, 0);
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
                return;
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

    /// A person opens a page or three; a thief one.
    fn visit(&mut self, party: Party) {
        if self.browser(party).is_none() {
            return;
        }
        self.after_a_while(self.arguments.visits, Event::Visit(party));
        let tabs = if party == Party::Owner { 1 + self.random.below(3) } else { 1 };
        self.tally.visits += u64::from(party == Party::Owner);
        for _ in 0..tabs {
            self.within(3.0, Event::Ask(party));
        }
    }

    /// A request leaves, if its access token is not good any more.
    fn ask(&mut self, party: Party) {
        let Some(jar) = self.browser(party).map(|browser| browser.jar.clone()) else { return };
        if jar.access_until > self.now && self.row.revoked.is_none() {
            self.row.last_seen_at = self.row.seen(self.now);
            return;
        }
        let (presented, line) = (jar.refresh, jar.line);
        let exchange = Exchange { party, presented, line, read: None, answer: None };
        let number = self.number();
        self.exchanges.insert(number, exchange);
        self.within(3.0, Event::Arrive(number));
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
        let transition = decide(Some(&self.row), &exchange.presented, &circumstances);
        let party = exchange.party;
        match (transition.decision, transition.effect) {
            (decision, _) if decision.opens() => {
                exchange.read = Some((self.row.clone(), transition, circumstances));
                self.exchanges.insert(number, exchange);
                self.within(3.0, Event::Leave(number));
            }
            // A process that has just woken up judges nobody: whoever gets a 503 tries again.
            (Decision::Unsure, _) => self.within(90.0, Event::Ask(party)),
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
        self.tally.expired_first += u64::from(self.theft.take().is_some());
        self.tally.sign_ins += 1;
        self.thief = None;
        self.exchanges.clear();
        let number = self.number();
        (self.row, self.owner) = sign_in(self.now, number);
    }

    /// The way out, as the server goes it.
    fn leave(&mut self, number: u64) {
        let Some(mut exchange) = self.exchanges.remove(&number) else { return };
        let Some((read, mut transition, circumstances)) = exchange.read.take() else { return };
        let unmoved = (self.row.generation, self.row.token_hash) == (read.generation, read.token_hash);
        if transition.effect != Effect::Stays && !(unmoved && self.row.revoked.is_none()) {
            transition = decide(Some(&self.row), &exchange.presented, &circumstances).after_lost_swap();
        }
        let party = exchange.party;
        match transition.decision {
            Decision::Overlap => self.tally.overlaps += 1,
            Decision::Reissue => self.tally.reissues += 1,
            decision if !decision.opens() => return,
            _ => {}
        }
        let refresh = self.swap(&exchange, &transition);
        if self.random.happens(self.arguments.loss) {
            self.tally.lost += 1;
            // Whoever sees no page tries again.
            self.within(90.0, Event::Ask(party));
            return;
        }
        exchange.answer = Some((refresh, LIFETIMES.access_expires(self.now, &self.row)));
        self.exchanges.insert(number, exchange);
        if self.random.happens(self.arguments.late) {
            self.tally.late += 1;
            self.within(90.0, Event::Ask(party));
            let late = self.now + Duration::seconds(31 + self.random.below(90) as i64);
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
        let Some((refresh, access_until)) = exchange.answer else { return };
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
        browser.jar = Jar { refresh, line, access_until };
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
        self.theft = Some(Theft { at: self.now, rotations: 0, thiefs_rotations: 0, rotated_twice: (false, false) });
        self.after_a_while(self.arguments.visits, Event::Visit(Party::Thief));
    }
}

fn token(generation: i64, number: u64) -> RefreshToken {
    let mut bytes = [0; SECRET_BYTES];
    for (byte, value) in bytes.iter_mut().zip(number.to_le_bytes()) {
        *byte = value;
    }
    let secret = RefreshSecret::from_bytes(bytes);
    RefreshToken { session: SessionId::from_bytes([0; 16]), generation, secret }
}

fn sign_in(now: OffsetDateTime, number: u64) -> (Session, Browser) {
    let refresh = token(0, number);
    let row = Session {
        id: refresh.session,
        user_id: UserId(1),
        generation: 0,
        token_hash: refresh.secret.hash(),
        previous_hash: None,
        rotated_at: now,
        created_at: now,
        authenticated_at: now,
        last_seen_at: end_of_minute(now),
        expires_at: LIFETIMES.sign_in_ends(now, true),
        kept: true,
        shared_computer: false,
        revoked: None,
        user_agent: String::new(),
        address: String::new(),
        device_key: None,
        proved_generation: None,
    };
    let access_until = LIFETIMES.access_expires(now, &row);
    (row, Browser { jar: Jar { refresh, line: 0, access_until }, before: None })
}
