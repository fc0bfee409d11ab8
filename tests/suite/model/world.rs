//! Everything there is at a moment: the row, the browsers with their jars, and what is under way between them.

use perennial::domain::rotation::Decision;
use perennial::domain::session::{EndReason, Lifetimes};

use super::protocol::{InMemory, Protocol, Row, Rows, Seconds, Secret, Token, length};

/// Who holds the sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Party {
    Owner,
    Thief,
}

impl Party {
    /// Returns the other one.
    pub fn other(self) -> Self {
        match self {
            Self::Owner => Self::Thief,
            Self::Thief => Self::Owner,
        }
    }
}

/// What is possible.
#[derive(Clone, Copy)]
pub struct Setting {
    pub protocol: Protocol,
    pub lifetimes: Lifetimes,
    /// Requests that each party may have under way at once: tabs, and copies that the network makes.
    pub exchanges: [usize; 2],
    /// Whether the owner, too, presents anything it ever held at any moment. That is more than tabs, a network and
    /// crashes can do: a request that is late, repeated or lost is one that is made later, again or not at all, an
    /// answer that is late or lost is one that is used later or never, and a crash is a return to an older token. Both
    /// may also present tokens that are dead whether or not they ever held them.
    pub unbound: bool,
    /// Whether the owner's browser crashes.
    pub crashes: bool,
    /// Whether the jar is copied.
    pub theft: bool,
    /// Whether the sign-in is revoked.
    pub revokes: bool,
    /// Whether idleness and expiry are looked at; otherwise the sign-in does not age.
    pub ends: bool,
    /// Which answers may come late.
    pub late_answers: LateAnswers,
    /// Whether a request that was overtaken may arrive when the grace of the rotation that overtook it is over.
    pub late_requests: bool,
    /// How time passes.
    pub waits: &'static [Seconds],
    /// A page takes at most this long.
    pub longest_page: Seconds,
    /// Whether swaps are counted one by one.
    pub counts_swaps: bool,
}

/// Which answers may reach the browser late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LateAnswers {
    /// None: an answer arrives within the grace of the swap that made it, or never.
    Never,
    /// All but those that come later than the grace after the answer to their own retry.
    UntilTheGraceAfterTheRetry,
    /// All.
    Always,
}

impl Setting {
    /// Returns the grace.
    pub fn grace(&self) -> Seconds {
        length(self.lifetimes.reuse_grace)
    }
}

/// Cookies that a crash makes a browser forget: those of its last half minute (Chromium writes its jar that often).
pub const FORGOTTEN: Seconds = 30;

/// The two cookies of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Jar {
    pub refresh: Token,
    /// When the access token expires; none where it has.
    pub access_until: Option<Seconds>,
}

/// A message on its way, and the request that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Exchange {
    pub party: Party,
    /// Whether the browser that asked still runs.
    pub awaited: bool,
    pub presented: Token,
    /// When it is lost unless it arrived, where lateness is excluded.
    pub deadline: Option<Seconds>,
    pub stage: Stage,
}

/// How far an exchange is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// The request is under way.
    Request,
    /// The server has read the row and decided; the page is being made.
    Page { arrived: Seconds, read: Read, decision: Decided },
    /// The answer is under way.
    Answer { refresh: Option<Token>, access_until: Seconds, made: Seconds },
}

/// What of the row a page remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Read {
    pub generation: i32,
    pub active: Secret,
    pub previous: Option<Secret>,
}

/// A decision that leaves something to do on the way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Decided {
    Rotate,
    Overlap,
    Reissue,
    Replayed,
}

impl Decided {
    /// Leaves out the decisions that are final on the way in.
    pub fn of(decision: Decision) -> Option<Self> {
        match decision {
            Decision::Rotate => Some(Self::Rotate),
            Decision::Overlap => Some(Self::Overlap),
            Decision::Reissue => Some(Self::Reissue),
            Decision::Replayed => Some(Self::Replayed),
            Decision::Unknown | Decision::Ended(_) => None,
        }
    }
}

impl From<Decided> for Decision {
    fn from(decided: Decided) -> Self {
        match decided {
            Decided::Rotate => Self::Rotate,
            Decided::Overlap => Self::Overlap,
            Decided::Reissue => Self::Reissue,
            Decided::Replayed => Self::Replayed,
        }
    }
}

/// Everything there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World<R> {
    pub now: Seconds,
    pub rows: R,
    pub jar: Jar,
    /// What the jar held before, and until when: what a crash may bring back.
    pub earlier: Vec<(Jar, Seconds)>,
    /// Every token that the thief ever held, and the owner where it is unbound; the thief's is empty before the copy.
    pub held: [Vec<Token>; 2],
    /// Whether the jar was copied.
    pub stolen: bool,
    pub exchanges: Vec<Exchange>,
    /// For each secret, how many rotations in line led to it since the copy: 0, 1, or 2 for more.
    pub line: Vec<u8>,
    /// Who was given something for what it was given since the copy.
    pub rotated_twice: [bool; 2],
    /// Swaps of each party since the copy, up to 2.
    pub swaps: [u8; 2],
    /// When the owner last rotated, or came in beside a rotation.
    pub last_used: Seconds,
}

impl<R: Rows> World<R> {
    /// Begins a sign-in that was just answered.
    pub fn begun(rows: R, now: Seconds, lifetimes: &Lifetimes) -> Self {
        let refresh = Token { generation: 0, secret: Secret(0) };
        Self {
            now,
            rows,
            jar: Jar { refresh, access_until: Some(now + length(lifetimes.access)) },
            earlier: Vec::new(),
            held: [vec![refresh], Vec::new()],
            stolen: false,
            exchanges: Vec::new(),
            line: vec![0],
            rotated_twice: [false; 2],
            swaps: [0; 2],
            last_used: now,
        }
    }

    /// Returns the tokens that open nothing, one for each number of generations that it may be behind.
    ///
    /// It goes by the names that [`World::canonical`] gives.
    pub fn dead_tokens(&mut self) -> impl Iterator<Item = Token> + use<R> {
        let newest = self.rows.find().generation;
        (0..=newest.min(2))
            .map(move |behind| Token { generation: newest - behind, secret: Secret(2 + behind.unsigned_abs()) })
    }

    /// Returns how many requests and answers of a party are under way.
    pub fn under_way(&self, party: Party) -> usize {
        self.exchanges.iter().filter(|exchange| exchange.party == party).count()
    }
}

impl World<InMemory> {
    /// Returns the one state that stands for all that differ only in what nothing turns on.
    ///
    /// * Time is told from now, and an age that is past every limit it is compared with is that limit and a bit.
    /// * `decide` compares secrets and generations only, so the active secret is 0, its predecessor 1, and one that is
    ///   neither is named for how many generations it is behind: none, one, or more.
    /// * A line of rotations is looked at for tokens that still open something; the order of exchanges is no matter.
    ///
    /// With the number of exchanges bounded this makes the states finite, so no bound on the length of a run is needed.
    pub fn canonical(mut self, setting: &Setting) -> Self {
        let now = self.now;
        let beat = setting.waits.iter().copied().min().unwrap_or(1);
        let row = self.rows.0.clone();
        let newest = row.generation.min(2);
        let name = |token: &mut Token| {
            let behind = (row.generation - token.generation).clamp(0, 2);
            token.secret = if token.secret == row.active {
                Secret(0)
            } else if Some(token.secret) == row.previous {
                Secret(1)
            } else {
                Secret(2 + behind.unsigned_abs())
            };
            token.generation = newest - behind;
        };
        if setting.unbound {
            self.jar = Jar { refresh: Token { generation: row.generation, secret: row.active }, access_until: None };
        }
        name(&mut self.jar.refresh);
        self.jar.access_until = self.jar.access_until.filter(|until| *until > now).map(|until| until - now);
        let current = self.jar;
        self.earlier.retain(|(_, until)| now - until <= FORGOTTEN);
        for (jar, until) in &mut self.earlier {
            name(&mut jar.refresh);
            jar.access_until = jar.access_until.filter(|until| *until > now).map(|until| until - now);
            *until -= now;
        }
        self.earlier.retain(|(jar, _)| *jar != current);
        self.earlier.reverse();
        let mut kept: Vec<(Jar, Seconds)> = Vec::new();
        for (jar, until) in self.earlier {
            if !kept.iter().any(|(other, _)| *other == jar) {
                kept.push((jar, until));
            }
        }
        kept.reverse();
        self.earlier = kept;
        if !setting.unbound {
            self.held[Party::Owner as usize].clear();
        }
        for held in &mut self.held {
            held.iter_mut().for_each(name);
            held.retain(|token| !setting.unbound || token.secret <= Secret(1));
            held.sort_unstable();
            held.dedup();
        }
        let oldest = setting.grace() + beat;
        for exchange in &mut self.exchanges {
            name(&mut exchange.presented);
            exchange.deadline = exchange.deadline.map(|deadline| deadline - now);
            match &mut exchange.stage {
                Stage::Request => {}
                Stage::Page { arrived, read, decision } => {
                    // Of a row that has moved, nothing matters but that it did: every swap on it is lost.
                    let stands = (read.generation, read.active) == (row.generation, row.active);
                    *read = Read {
                        generation: if stands { newest } else { -1 },
                        active: Secret(0),
                        previous: read.previous.filter(|_| stands).map(|_| Secret(1)),
                    };
                    *arrived -= now;
                    match *decision {
                        Decided::Reissue if !stands => *decision = Decided::Rotate,
                        // Nothing is done for a parallel request, so it may take its time.
                        Decided::Overlap => {
                            *arrived = 0;
                            *read = Read { generation: -1, active: Secret(0), previous: None };
                        }
                        _ => {}
                    }
                }
                Stage::Answer { refresh, access_until, made } => {
                    if let Some(token) = refresh {
                        name(token);
                    }
                    *access_until = (*access_until - now).max(0);
                    *made = (*made - now).max(-oldest);
                    if setting.late_answers != LateAnswers::UntilTheGraceAfterTheRetry {
                        exchange.presented = Token { generation: 0, secret: Secret(0) };
                    }
                    if exchange.party == Party::Thief {
                        (*access_until, *made) = (0, 0);
                    } else if setting.late_requests {
                        *made = 0;
                    }
                }
            }
        }
        let in_vain = |stage: &Stage| matches!(stage, Stage::Page { decision: Decided::Overlap, .. });
        self.exchanges.retain(|exchange| !setting.unbound || !in_vain(&exchange.stage));
        self.exchanges.sort_unstable();
        let line = |secret: Secret| self.line.get(secret.0 as usize).copied().unwrap_or(0);
        self.line = vec![line(row.active), row.previous.map_or(0, line), 0, 0, 0];
        if !self.stolen || !setting.counts_swaps {
            self.swaps = [0; 2];
        }
        let pages = self.exchanges.iter().any(|exchange| matches!(exchange.stage, Stage::Page { .. }));
        let idle = length(setting.lifetimes.idle);
        let oldest = if pages { oldest + setting.longest_page } else { oldest };
        self.rows.0 = Row {
            generation: newest,
            active: Secret(0),
            previous: row.previous.map(|_| Secret(1)),
            rotated_at: (row.rotated_at - now).max(-oldest),
            last_seen_at: if setting.ends { (row.last_seen_at - now).max(-idle) } else { 0 },
            expires_at: if setting.ends { (row.expires_at - now).max(0) } else { length(setting.lifetimes.kept) },
            revoked: row.revoked.map(|_| (0, EndReason::SignedOut)),
        };
        self.last_used = if setting.ends { (self.last_used - now).max(-idle) } else { 0 };
        self.now = 0;
        self
    }
}
