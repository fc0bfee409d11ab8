//! Everything there is at a moment: the row, the browsers with their jars, the processes, and what is under way.

use perennial::domain::session::Lifetimes;

use super::protocol::{FIRST_NEW, Plan, Protocol, Row, Rows, Seconds, Secret, Token, length};

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

/// A process on the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    pub version: Version,
    /// How far its clock is ahead, always.
    pub ahead: Seconds,
}

/// Which protocol a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    One,
    Two,
}

/// Whether an older row may be put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restores {
    Never,
    /// While no process runs: each starts anew, and is unsteady.
    AtAStandstill,
    /// Under the processes that run.
    UnderWay,
}

/// What is possible.
#[derive(Clone, Copy)]
pub struct Setting {
    /// What processes of the second version run.
    pub protocol: Protocol,
    pub lifetimes: Lifetimes,
    pub hosts: &'static [Host],
    /// Requests that each party may have under way at once: tabs, and copies that the network makes.
    pub exchanges: [usize; 2],
    /// Whether the owner, too, presents anything it ever held at any moment. That is more than tabs, a network and
    /// crashes can do: a request that is late, repeated or lost is one that is made later, again or not at all, an
    /// answer that is late or lost is one that is used later or never, and a crash is a return to an older token. Both
    /// may also present tokens that are dead whether or not they ever held them.
    pub unbound: bool,
    /// Whether the owner's browser crashes.
    pub crashes: bool,
    /// Whether the owner's browser may keep a cookie beside the ones that follow, and send both.
    pub keeps_old_cookies: bool,
    /// Whether an answer may reach the browser twice.
    pub repeats: bool,
    /// Renewals in a row that may be lost or forgotten.
    pub losses: i32,
    /// Whether the jar is copied.
    pub theft: bool,
    /// Whether the sign-in is revoked.
    pub revokes: bool,
    /// Whether the sign-in ages, so that idleness and expiry come.
    pub ages: bool,
    /// How many of the processes sleep at times.
    pub sleepers: usize,
    /// By how much the clock of the first process may be set wrong; it is set right later.
    pub jumps: &'static [Seconds],
    /// Whether a process whose clock differs from that of others is taken out, before it may judge again.
    pub takes_wrong_clocks_out: bool,
    pub restores: Restores,
    /// Whether an answer may come later than the grace after the swap that made it.
    pub late_answers: bool,
    /// Whether a request may come later than the grace, and what a process sleeps without knowing it, after it was sent.
    pub late_requests: bool,
    /// How long a process may sleep without knowing it, with a request in its socket.
    pub stall: Seconds,
    /// How long after a rotation a request may come that was sent before the browser stored what the rotation gave, where
    /// version 1 asks for that.
    pub overtaken: Option<Seconds>,
    /// How time passes.
    pub waits: &'static [Seconds],
    /// A page takes at most this long.
    pub longest_page: Seconds,
    /// How often an owner visits at least who stores what comes; otherwise the owner comes at any time, or never.
    pub visits: Option<Seconds>,
    /// Whether swaps are counted one by one.
    pub counts_swaps: bool,
}

impl Setting {
    /// Returns the grace.
    pub fn grace(&self) -> Seconds {
        length(self.lifetimes.reuse_grace)
    }

    /// Returns the window.
    pub fn window(&self) -> Seconds {
        length(self.lifetimes.window())
    }

    /// Tells whether a process of version 1 runs on the database, so that reissues stay in place.
    pub fn has_version_1(&self) -> bool {
        self.hosts.iter().any(|host| host.version == Version::One)
    }

    /// Tells whether an answer without a refresh token changes anything for whoever gets it.
    pub fn access_matters(&self, party: Party) -> bool {
        !self.unbound && party == Party::Owner && !self.lifetimes.access.is_zero()
    }
}

/// What a crash makes a browser forget: the cookies of its last half minute (Chromium writes its jar that often).
pub const FORGOTTEN: Seconds = 30;

/// The cookies of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Jar {
    pub refresh: Token,
    /// A refresh cookie that no answer replaces; it is sent beside the other.
    pub old: Option<Token>,
    /// When the access token expires; none where it has.
    pub access_until: Option<Seconds>,
}

/// A process: whether it runs, and what it knows of its own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Node {
    pub asleep: bool,
    /// When it woke, was started, or had its clock set.
    pub disturbed: Option<Seconds>,
    /// By how much its clock is set wrong.
    pub set: Seconds,
}

/// A message on its way, and the request that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Exchange {
    pub party: Party,
    /// Whether the browser that asked still runs.
    pub awaited: bool,
    pub presented: Token,
    /// The other cookie that came with it.
    pub beside: Option<Token>,
    /// The process in whose socket it waits.
    pub socket: Option<usize>,
    /// When it is lost unless it arrived.
    pub deadline: Option<Seconds>,
    pub stage: Stage,
}

/// How far an exchange is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The request is under way.
    Request,
    /// The server has read the row and decided; the page is being made.
    Page(Page),
    /// The answer is under way.
    Answer { refresh: Option<Token>, access_until: Seconds, made: Seconds },
}

/// What the way in leaves for the way out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Page {
    pub node: usize,
    pub arrived: Seconds,
    /// How wrong the clock was that told the time of arrival.
    pub error: Seconds,
    /// Whether the process could judge then.
    pub steady: bool,
    /// Whether the process slept, or its clock was set, since.
    pub interrupted: bool,
    /// The token that counted.
    pub chosen: Token,
    pub read: Row,
    pub plan: Plan,
}

/// Everything there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World<R> {
    pub now: Seconds,
    pub rows: R,
    pub nodes: Vec<Node>,
    pub jar: Jar,
    /// What the jar held before, and until when: what a crash may bring back.
    pub earlier: Vec<(Jar, Seconds)>,
    /// Every token that the thief ever held, and the owner where it is unbound; the thief's is empty before the copy.
    pub held: [Vec<Token>; 2],
    /// Whether the jar was copied.
    pub stolen: bool,
    pub exchanges: Vec<Exchange>,
    /// The row as it was saved.
    pub backup: Option<Row>,
    /// Whether it was put back.
    pub restored: bool,
    /// Whether a request was turned away by a judgement: its sign-in is over for everybody.
    pub judged: bool,
    /// For each secret, how many rotations in line led to it since the copy: 0, 1, or 2 for more.
    pub line: Vec<u8>,
    /// Who was given something for what it was given since the copy.
    pub rotated_twice: [bool; 2],
    /// Swaps of each party since the copy, up to 2.
    pub swaps: [u8; 2],
    /// When the owner was last signed in.
    pub last_used: Seconds,
}

impl<R: Rows> World<R> {
    /// Begins a sign-in that was answered a while ago.
    pub fn begun(rows: R, now: Seconds, setting: &Setting) -> Self {
        let refresh = Token { generation: 0, secret: Secret(0) };
        Self {
            now,
            rows,
            nodes: vec![Node { asleep: false, disturbed: None, set: 0 }; setting.hosts.len()],
            jar: Jar { refresh, old: None, access_until: Some(now + length(setting.lifetimes.access)) },
            earlier: Vec::new(),
            held: [vec![refresh], Vec::new()],
            stolen: false,
            exchanges: Vec::new(),
            backup: None,
            restored: false,
            judged: false,
            line: vec![0; FIRST_NEW as usize],
            rotated_twice: [false; 2],
            swaps: [0; 2],
            last_used: now,
        }
    }

    /// Returns what the clock of a process shows.
    pub fn clock(&self, node: usize, setting: &Setting) -> Seconds {
        self.now + self.error(node, setting)
    }

    /// Returns how wrong the clock of a process is.
    pub fn error(&self, node: usize, setting: &Setting) -> Seconds {
        setting.hosts[node].ahead + self.nodes[node].set
    }

    /// Tells whether a process has run, and its clock gone, without a break for the length of the window.
    pub fn is_steady(&self, node: usize, setting: &Setting) -> bool {
        self.nodes[node].disturbed.is_none_or(|at| self.now - at >= setting.window())
    }

    /// Tells whether a process gets requests: one whose clock differs from the others' is soon taken out.
    pub fn is_ready(&self, node: usize, setting: &Setting) -> bool {
        let Node { asleep, set, .. } = self.nodes[node];
        let taken_out = setting.takes_wrong_clocks_out && setting.hosts.len() > 1 && set != 0;
        !(asleep || taken_out && self.is_steady(node, setting))
    }

    /// Returns how many requests and answers of a party are under way.
    pub fn under_way(&self, party: Party) -> usize {
        self.exchanges.iter().filter(|exchange| exchange.party == party).count()
    }

    /// Tells whether the jar may come to be `jar`, or stay it after a loss, without more renewals in a row being lost
    /// than may be. What the server has still to do for a browser that is gone is lost besides.
    pub fn may_fall_behind(&self, row: &Row, jar: Jar, crashes: bool, setting: &Setting) -> bool {
        let answers = |exchange: &Exchange| matches!(exchange.stage, Stage::Answer { .. });
        let in_vain = |exchange: &&Exchange| {
            exchange.party == Party::Owner && (crashes || !exchange.awaited) && !answers(exchange)
        };
        let in_vain = i32::try_from(self.exchanges.iter().filter(in_vain).count()).expect("a few requests");
        setting.theft || row.generation + in_vain - jar.refresh.generation <= setting.losses
    }
}
