//! A process of the version before this one, as far as a database can tell: what it decided and what it wrote, frozen.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use perennial::crypto::{KeyRing, KeyState, SignedValues};
use perennial::domain::clock::{Clock, ManualClock};
use sha2::{Digest, Sha256};

use super::app::{KEY, TestApp};
use super::browser::Browser;
use super::database::{Rows, blob, hex};

/// The grace of that version, within which the token just replaced signed in; it had no window.
const GRACE: i64 = 30;

/// What that version made of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It could not read it, or knew no such sign-in.
    Unknown,
    /// The sign-in was over, for a reason.
    Ended(String),
    /// The active token was replaced by the next generation.
    Rotate,
    /// The token just replaced signed in.
    Overlap,
    /// A lost secret was replaced, in the same generation.
    Reissue,
    /// Two parties held the sign-in.
    Replayed,
}

/// One process of that version, with the key and the clock of an application.
pub struct VersionBefore {
    rows: Rows,
    refresh_cookie: SignedValues,
    clock: Arc<ManualClock>,
}

/// What it read of a row.
struct Row {
    generation: i64,
    token_hash: String,
    previous_hash: String,
    rotated_at: i64,
    revoked_because: String,
}

impl VersionBefore {
    /// Starts one on the database of `app`.
    pub fn beside(app: &TestApp) -> Self {
        let keys = KeyRing::new(KEY.into(), []);
        let refresh_cookie = SignedValues::for_refresh_cookie(&keys, &KeyState::new(&keys));
        Self { rows: app.rows(), refresh_cookie, clock: Arc::clone(&app.clock) }
    }

    /// Signs the first user in, kept, and puts the refresh cookie into the jar of `browser`.
    pub fn sign_in(&mut self, browser: &Browser) {
        let (id, secret, now) = (URL_SAFE_NO_PAD.encode(random::<16>()), random::<32>(), self.now());
        let (hash, ends) = (blob(&Sha256::digest(secret)), now + 30 * 86_400);
        self.rows.execute(&format!(
            "INSERT INTO sessions (id, user_id, generation, token_hash, previous_hash, rotated_at, created_at, \
             authenticated_at, last_seen_at, expires_at, kept, revoked_at, revoked_because, user_agent, address) \
             VALUES ('{id}', 1, 0, {hash}, NULL, {now}, {now}, {now}, {now}, {ends}, TRUE, NULL, NULL, '', ''); \
             UPDATE users SET last_login_at = {now} WHERE id = 1; \
             INSERT INTO auth_events (user_id, event_type, details, created_at) VALUES (1, 'signed_in', '{{}}', {now})"
        ));
        self.put(browser, &id, 0, secret);
    }

    /// Answers a visit by the refresh token that `browser` holds; what the answer brings arrives there, or gets lost.
    pub fn visit(&mut self, browser: &Browser, arrives: bool) -> Judgement {
        let Some((id, generation, secret)) = self.read(&browser.cookie("keep_signed_in")) else {
            return Judgement::Unknown;
        };
        let Some(row) = self.row(&id) else { return Judgement::Unknown };
        let presented = format!("{:x}", Sha256::digest(secret));
        let judgement = self.judge(&row, generation, &presented);
        let (next, previous) = match judgement {
            Judgement::Rotate => (row.generation + 1, blob(&Sha256::digest(secret)).to_string()),
            Judgement::Reissue => (row.generation, "previous_hash".to_owned()),
            _ => return judgement,
        };
        let (fresh, now) = (random::<32>(), self.now());
        let (hash, before) = (blob(&Sha256::digest(fresh)), hex("token_hash"));
        self.rows.execute(&format!(
            "UPDATE sessions SET generation = {next}, previous_hash = {previous}, token_hash = {hash}, \
             rotated_at = {now}, last_seen_at = {now} \
             WHERE id = '{id}' AND generation = {} AND {before} = '{}' AND revoked_at IS NULL",
            row.generation, row.token_hash
        ));
        if arrives {
            self.put(browser, &id, next, fresh);
        }
        judgement
    }

    /// Ends a sign-in from another device.
    pub fn revoke(&mut self, id: &str) {
        let now = self.now();
        self.rows.execute(&format!(
            "UPDATE sessions SET revoked_at = {now}, revoked_because = 'revoked' \
             WHERE id = '{id}' AND revoked_at IS NULL"
        ));
    }

    fn judge(&self, row: &Row, generation: i64, presented: &str) -> Judgement {
        if !row.revoked_because.is_empty() {
            Judgement::Ended(row.revoked_because.clone())
        } else if generation > row.generation {
            Judgement::Unknown
        } else if generation == row.generation && presented == row.token_hash {
            Judgement::Rotate
        } else if generation == row.generation - 1 && presented == row.previous_hash {
            let within = (self.now() - row.rotated_at).abs() <= GRACE;
            if within { Judgement::Overlap } else { Judgement::Reissue }
        } else {
            Judgement::Replayed
        }
    }

    fn row(&mut self, id: &str) -> Option<Row> {
        let text = self.rows.text(&format!(
            "coalesce((SELECT generation || ' ' || {} || ' ' || coalesce({}, '') || ' ' || rotated_at || ' ' || \
             coalesce(revoked_because, '') FROM sessions WHERE id = '{id}'), '')",
            hex("token_hash"),
            hex("previous_hash")
        ));
        let [generation, token_hash, previous_hash, rotated_at, revoked_because] =
            text.split(' ').collect::<Vec<_>>().try_into().ok()?;
        Some(Row {
            generation: generation.parse().unwrap(),
            token_hash: token_hash.to_owned(),
            previous_hash: previous_hash.to_owned(),
            rotated_at: rotated_at.parse().unwrap(),
            revoked_because: revoked_because.to_owned(),
        })
    }

    /// Reads a refresh cookie, where the name of the sign-in has the form that this version knows.
    fn read(&self, cookie: &str) -> Option<(String, i64, [u8; 32])> {
        let value = self.refresh_cookie.verify(cookie)?;
        let [id, generation, secret] = value.split('.').collect::<Vec<_>>().try_into().ok()?;
        let secret = URL_SAFE_NO_PAD.decode(secret).ok()?.try_into().ok()?;
        (id.len() == 22).then(|| (id.to_owned(), generation.parse().unwrap(), secret))
    }

    fn put(&self, browser: &Browser, id: &str, generation: i64, secret: [u8; 32]) {
        let value = format!("{id}.{generation}.{}", URL_SAFE_NO_PAD.encode(secret));
        browser.put("keep_signed_in", &self.refresh_cookie.sign(&value).unwrap());
    }

    fn now(&self) -> i64 {
        self.clock.now().unix_timestamp()
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}
