//! What a process does: decide on the way in, carry that out on the way out.

use perennial::domain::rotation::{Circumstances, Decision};
use perennial::domain::session::EndReason;

use super::property::{Broken, Property, one_opens_past_the_window};
use super::protocol::{Change, Protocol, Row, Rows, Seconds, Secret, Swaps, Token, length, moment, seconds};
use super::version1;
use super::world::{Exchange, Page, Party, Restores, Setting, Stage, Version, World};

/// Returns the protocol that a process runs.
fn protocol_of(node: usize, setting: &Setting) -> &Protocol {
    match setting.hosts[node].version {
        Version::One => &version1::PROTOCOL,
        Version::Two => &setting.protocol,
    }
}

fn circumstances(now: Seconds, steady: bool, setting: &Setting) -> Circumstances {
    let reissue_in_place = setting.has_version_1();
    Circumstances { lifetimes: setting.lifetimes, now: moment(now), steady, reissue_in_place, binds: true }
}

impl<R: Rows> World<R> {
    /// The way in: read the row and decide.
    pub(super) fn arrive(&mut self, index: usize, node: usize, setting: &Setting, broken: &mut Broken) {
        let Exchange { party, presented, beside, .. } = self.exchanges[index];
        let read = self.rows.find();
        let protocol = protocol_of(node, setting);
        let (arrived, error, steady) = (self.now, self.error(node, setting), self.is_steady(node, setting));
        let circumstances = circumstances(arrived + error, steady, setting);
        let tokens = std::iter::once(presented).chain(beside);
        let plans = tokens.map(|token| (token, protocol.decide(&read, token, &circumstances)));
        let best = plans.reduce(|best, next| {
            let better = (protocol.rank)(next.1.decision) > (protocol.rank)(best.1.decision);
            if better { next } else { best }
        });
        let Some((chosen, plan)) = best else { return };
        let revoked = read.revoked.is_some();
        let opens = plan.decision.opens();
        broken.unless(!(revoked && opens), Property::NothingFollowsARevoke);
        broken.unless(!(opens && self.judged), Property::AJudgementIsForEverybody);
        let locked_out = self.rotated_twice[party.other() as usize];
        broken.unless(!(opens && locked_out), Property::NeverBothRotateTwice);
        if opens && party == Party::Owner {
            self.last_used = self.now;
        }
        let seen = seconds(read.session().seen(circumstances.now));
        if opens && setting.ages && seen > read.last_seen_at {
            self.rows.touch(seen);
        }
        let over = !opens && !matches!(plan.change, Change::Ends(_));
        if over {
            let may = self.may_turn_away(&read, plan.decision, node, setting);
            broken.unless(may, Property::NobodyIsSignedOutEarly);
            self.judge(plan.decision);
        }
        let page = Page { node, arrived, error, steady, interrupted: false, chosen, read, plan };
        if over || plan.change == Change::Stays && !setting.access_matters(party) {
            self.exchanges.remove(index);
        } else {
            let exchange = &mut self.exchanges[index];
            (exchange.deadline, exchange.socket, exchange.stage) = (None, None, Stage::Page(page));
        }
    }

    /// Tells whether a browser may be turned away, for the time being or for good.
    ///
    /// Idleness counts from the last use, and is never found early. A process whose clock is wrong may take a sign-in for
    /// expired or idle: it writes nothing, so this passes.
    fn may_turn_away(&self, row: &Row, decision: Decision, node: usize, setting: &Setting) -> bool {
        let wrong = self.nodes[node].set != 0;
        let ahead = setting.hosts[node].ahead;
        self.stolen
            || match decision {
                Decision::Ended(EndReason::Expired) => self.now + ahead >= row.expires_at || wrong,
                Decision::Ended(EndReason::Idle) => {
                    self.now - self.last_used >= length(setting.lifetimes.idle) || wrong
                }
                Decision::Ended(EndReason::SignedOut) => row.revoked.is_some(),
                // Version 1 turns the browser away after a restore, and leaves the row.
                Decision::Ended(EndReason::Restored) | Decision::Unknown => self.restored,
                Decision::Unsure => !self.is_steady(node, setting),
                _ => false,
            }
    }

    /// The way out: carry the decision out, and answer.
    pub(super) fn leave(&mut self, index: usize, setting: &Setting, broken: &mut Broken) {
        let Stage::Page(Page { node, interrupted, chosen, ref read, plan, .. }) = self.exchanges[index].stage else {
            return;
        };
        let read = read.clone();
        let protocol = protocol_of(node, setting);
        let now = self.clock(node, setting);
        let swaps = match protocol.swaps {
            Swaps::Uninterrupted => !interrupted,
            Swaps::WhenSteady => self.is_steady(node, setting),
            Swaps::Always => true,
        };
        match plan.change {
            Change::Stays => self.answer(index, None, setting),
            Change::Replaced { .. } if !swaps => self.answer(index, None, setting),
            Change::Replaced { generation, .. } => {
                let fresh = Secret(u32::try_from(self.line.len()).expect("fewer secrets than that"));
                let after = protocol.row_after(plan, &read, fresh, now).expect("a row with a new secret");
                let before = self.rows.find();
                if !self.rows.swap(&read, &after) {
                    return self.look_again(index, true, setting);
                }
                broken.unless(before.revoked.is_none(), Property::NothingFollowsARevoke);
                let token = Token { generation, secret: fresh };
                self.note_swap(self.exchanges[index].party, chosen, broken);
                self.check_secrets(token, &before, now, setting, broken);
                self.answer(index, Some(token), setting);
            }
            Change::Ends(because) => {
                if !self.rows.end_unmoved(&read, because, now) {
                    return self.look_again(index, false, setting);
                }
                let quietly = because == EndReason::Restored && self.restored;
                broken.unless(self.stolen || quietly, Property::NobodyIsSignedOutEarly);
                self.judge(plan.decision);
                self.exchanges.remove(index);
            }
        }
    }

    /// Notes that a request is turned away by a judgement on its token.
    fn judge(&mut self, decision: Decision) {
        self.judged |= matches!(decision, Decision::Replayed | Decision::Restored | Decision::RenewalsLost);
    }

    /// Decides again, with the row that somebody else left, as of the arrival of the request.
    fn look_again(&mut self, index: usize, was_swap: bool, setting: &Setting) {
        let Stage::Page(page) = &mut self.exchanges[index].stage else { return };
        let protocol = protocol_of(page.node, setting);
        let found = self.rows.find();
        let circumstances = circumstances(page.arrived + page.error, page.steady, setting);
        let again = match was_swap {
            true => protocol.decide_again(&found, page.chosen, &circumstances),
            false => protocol.decide(&found, page.chosen, &circumstances),
        };
        (page.read, page.plan) = (found, again);
        let gives = again.decision.opens() && setting.access_matters(self.exchanges[index].party);
        if again.change == Change::Stays && !gives {
            // The page itself goes out, without cookies.
            self.exchanges.remove(index);
        }
    }

    /// Sends the answer off.
    fn answer(&mut self, index: usize, refresh: Option<Token>, setting: &Setting) {
        let Exchange { party, awaited, .. } = self.exchanges[index];
        let nothing = refresh.is_none() && !setting.access_matters(party);
        if !awaited || setting.unbound || nothing {
            self.exchanges.remove(index);
            self.held[party as usize].extend(refresh);
            return;
        }
        let on_time = party == Party::Owner && !setting.late_answers;
        let exchange = &mut self.exchanges[index];
        exchange.deadline = on_time.then_some(self.now + setting.grace());
        let access_until = self.now + length(setting.lifetimes.access);
        exchange.stage = Stage::Answer { refresh, access_until, made: self.now };
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

    /// Tries every pair of tokens that were handed out and may still open the row.
    fn check_secrets(&mut self, fresh: Token, before: &Row, now: Seconds, setting: &Setting, broken: &mut Broken) {
        if !setting.unbound || setting.restores != Restores::Never {
            return;
        }
        let held = self.held.iter().flatten().copied().filter(|token| before.knows(*token));
        let mut handed_out: Vec<Token> = held.chain([fresh]).collect();
        handed_out.sort_unstable();
        handed_out.dedup();
        let row = self.rows.find();
        let circumstances = circumstances(now, true, setting);
        let one = one_opens_past_the_window(&setting.protocol, &row, &handed_out, &circumstances);
        broken.unless(one, Property::OneSecretPastTheWindow);
    }
}
