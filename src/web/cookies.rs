//! The only reader of `Cookie` and the only writer of `Set-Cookie`.
//!
//! Why not the framework's: it percent-decodes names, trims Unicode space around them, takes the first of two of the
//! same name, and drops every cookie of a request at one byte that is no UTF-8. Each of these lets a cookie that
//! somebody planted stand for, or hide, a good one. Here names are matched on raw bytes, and every match is returned.

use actix_web::http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use cookie::{Cookie, SameSite};
use memchr::memchr;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::crypto::SignedValues;
use crate::domain::id::{DeviceId, FormId, SessionId};
use crate::domain::mail_token::{MailToken, RESET_LIFE};
use crate::session::{IssuedTokens, Presented, SolePair, TryName};
use crate::web::notice::Notice;

/// Cookies of one name that are looked at: every one costs a hash, and a browser keeps 180 of a site at most, so nobody
/// who plants cookies can put more of them before a good one.
const CANDIDATES: usize = 180;

/// Tokens of links that are looked at: each costs a look into the database. Only plain HTTP lets others plant any.
const RESET_CANDIDATES: usize = 8;

/// How long a device is known after its last sign-in: an owner who comes back after a long absence is the one whom a lock
/// would meet.
const DEVICE_KEPT: Duration = Duration::days(365);

/// How long a browser that came without a proof is known: longer than the mail about it waits.
const UNPROVEN_KEPT: Duration = Duration::hours(2);

/// The names of the cookies of this origin, and how they are set.
#[derive(Debug, Clone)]
pub(crate) struct CookieJar {
    secure: bool,
    access: &'static str,
    refresh: &'static str,
    form: &'static str,
    password_reset: &'static str,
    device: &'static str,
    unproven: &'static str,
}

/// A cookie that a browser renews by a proof.
#[derive(Serialize)]
pub(crate) struct Credential {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'static str,
    attributes: &'static str,
}

/// A browser that is not signed in, and what a page has still to tell its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormCookie {
    /// What its forms are bound to.
    pub(crate) id: FormId,
    /// A session whose end is still to be told on the sign-in page.
    pub(crate) ended: Option<SessionId>,
    /// What the next page says once.
    pub(crate) notice: Option<Notice>,
}

impl FormCookie {
    /// Names a browser that has nothing to be told.
    pub(crate) fn new(id: FormId) -> Self {
        Self { id, ended: None, notice: None }
    }

    /// Writes `id`, `id.session`, or `id..notice` and `id.session.notice`, which the version before takes for no cookie.
    fn encode(&self) -> String {
        let mut text = self.id.to_string();
        if self.ended.is_some() || self.notice.is_some() {
            text.push('.');
        }
        if let Some(ended) = self.ended {
            text.push_str(&ended.to_string());
        }
        if let Some(notice) = &self.notice {
            text.push('.');
            text.push_str(&notice.encode());
        }
        text
    }

    fn decode(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let id = parts.next()?.parse().ok()?;
        let ended = match parts.next() {
            None | Some("") => None,
            Some(ended) => Some(ended.parse().ok()?),
        };
        let notice = match parts.next() {
            None => None,
            Some(notice) => Some(Notice::decode(notice)?),
        };
        Some(Self { id, ended, notice })
    }
}

impl CookieJar {
    /// Names the cookies: with an https origin, the `__Host-` prefix keeps other hosts and plain HTTP from setting them
    /// (RFC 6265bis section 4.1.3.2).
    pub(crate) fn new(secure: bool) -> Self {
        let [access, refresh, form, password_reset, device, unproven] = if secure {
            [
                "__Host-access_token",
                "__Host-keep_signed_in",
                "__Host-form",
                "__Host-password_reset",
                "__Host-known_device",
                "__Host-unproven",
            ]
        } else {
            ["access_token", "keep_signed_in", "form", "password_reset", "known_device", "unproven"]
        };
        Self { secure, access, refresh, form, password_reset, device, unproven }
    }

    /// Reads the cookies that sign in.
    pub(crate) fn presented<'a>(&self, headers: &'a HeaderMap) -> Presented<'a> {
        let mut presented = Presented::default();
        for (name, value) in pairs(headers) {
            let found = if name == self.access.as_bytes() {
                &mut presented.access
            } else if name == self.refresh.as_bytes() {
                &mut presented.refresh
            } else {
                continue;
            };
            // A value that is no text verifies as nothing.
            let value = std::str::from_utf8(value).unwrap_or_default();
            if found.len() < CANDIDATES {
                found.push(value);
            }
        }
        presented
    }

    /// Reads the cookies of a request that has one access token, at most one refresh token, as nearly every one has, and at
    /// most one form cookie, which comes beside them, unverified.
    pub(crate) fn sole<'a>(&self, headers: &'a HeaderMap) -> Option<(SolePair<'a>, Option<&'a [u8]>)> {
        let (mut access, mut refresh, mut form) = (None, None, None);
        for (name, value) in pairs(headers) {
            let found = if name == self.access.as_bytes() {
                &mut access
            } else if name == self.refresh.as_bytes() {
                &mut refresh
            } else if name == self.form.as_bytes() {
                &mut form
            } else {
                continue;
            };
            if found.replace(value).is_some() {
                return None;
            }
        }
        Some((SolePair { access: access?, refresh }, form))
    }

    /// Reads the form cookie: the first that we signed.
    pub(crate) fn form(&self, headers: &HeaderMap, signed: &SignedValues) -> Option<FormCookie> {
        pairs(headers)
            .filter(|(name, _)| *name == self.form.as_bytes())
            .take(CANDIDATES)
            .find_map(|(_, value)| Self::verified_form(value, signed))
    }

    /// Reads the value of a form cookie, if we signed it.
    pub(crate) fn verified_form(value: &[u8], signed: &SignedValues) -> Option<FormCookie> {
        FormCookie::decode(&signed.verify(std::str::from_utf8(value).ok()?)?)
    }

    /// Reads the cookie that names the device: the first that we signed.
    pub(crate) fn device(&self, headers: &HeaderMap, signed: &SignedValues) -> Option<DeviceId> {
        pairs(headers)
            .filter(|(name, _)| *name == self.device.as_bytes())
            .take(CANDIDATES)
            .find_map(|(_, value)| signed.verify(std::str::from_utf8(value).ok()?)?.parse().ok())
    }

    /// Writes the cookie that names the device, for as long as the accounts know it.
    pub(crate) fn set_device(&self, headers: &mut HeaderMap, device: DeviceId, signed: &SignedValues) {
        match signed.sign(&device.to_string()) {
            Ok(value) => self.append(headers, self.device, &value, Some(DEVICE_KEPT)),
            Err(error) => tracing::warn!(%error, "an answer went out without the cookie that names its device"),
        }
    }

    /// Writes the cookies of a session that began or was renewed.
    pub(crate) fn set_tokens(&self, headers: &mut HeaderMap, tokens: &IssuedTokens) {
        let life = |end: OffsetDateTime| end - tokens.issued_at;
        // A browser that renews by proofs does so when the cookie is about to end, and so must know when that is.
        let ends = tokens.kept || tokens.by_proof;
        self.append(headers, self.access, &tokens.access, ends.then(|| life(tokens.access_expires_at)));
        if let Some(refresh) = &tokens.refresh {
            self.append(headers, self.refresh, refresh, tokens.kept.then(|| life(tokens.session_expires_at)));
        }
    }

    /// Describes the cookie that a proof renews, as [`CookieJar::set_tokens`] sets it and a browser keeps it in mind.
    pub(crate) fn renewed_by_proof(&self) -> Credential {
        let attributes =
            if self.secure { "Path=/; Secure; HttpOnly; SameSite=Lax" } else { "Path=/; HttpOnly; SameSite=Lax" };
        Credential { kind: "cookie", name: self.access, attributes }
    }

    /// Takes an access token away that did not count: as long as a browser has it, it has no reason to renew it by a proof.
    pub(crate) fn clear_access(&self, headers: &mut HeaderMap) {
        self.append(headers, self.access, "", Some(Duration::ZERO));
    }

    /// Reads the cookie that names a browser which came without a proof: the first that we signed.
    pub(crate) fn unproven(&self, headers: &HeaderMap, signed: &SignedValues) -> Option<TryName> {
        pairs(headers)
            .filter(|(name, _)| *name == self.unproven.as_bytes())
            .take(CANDIDATES)
            .find_map(|(_, value)| signed.verify(std::str::from_utf8(value).ok()?)?.parse().ok())
    }

    /// Names a browser that came without a proof, or takes its name away.
    pub(crate) fn set_unproven(&self, headers: &mut HeaderMap, name: Option<&TryName>, signed: &SignedValues) {
        match name.map(|name| signed.sign(name.as_str())) {
            Some(Ok(value)) => self.append(headers, self.unproven, &value, Some(UNPROVEN_KEPT)),
            Some(Err(error)) => tracing::warn!(%error, "an answer went out without the cookie that names its browser"),
            None => self.append(headers, self.unproven, "", Some(Duration::ZERO)),
        }
    }

    /// Takes the cookies of a session away: only the answer to the visitor's own sign-out does.
    pub(crate) fn clear_tokens(&self, headers: &mut HeaderMap) {
        for name in [self.access, self.refresh] {
            self.append(headers, name, "", Some(Duration::ZERO));
        }
    }

    /// Writes the form cookie, or takes it away.
    pub(crate) fn set_form(&self, headers: &mut HeaderMap, form: Option<&FormCookie>, signed: &SignedValues) {
        match form {
            Some(form) => match signed.sign(&form.encode()) {
                Ok(value) => self.append(headers, self.form, &value, None),
                Err(error) => tracing::warn!(%error, "an answer went out without its form cookie"),
            },
            None => self.append(headers, self.form, "", Some(Duration::ZERO)),
        }
    }

    /// Reads the tokens of links to set a new password: a planted one hides no good one.
    pub(crate) fn password_reset(&self, headers: &HeaderMap) -> Vec<MailToken> {
        pairs(headers)
            .filter(|(name, _)| *name == self.password_reset.as_bytes())
            .filter_map(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok())
            .take(RESET_CANDIDATES)
            .collect()
    }

    /// Writes the token of a link to set a new password, for as long as the link may work.
    pub(crate) fn set_password_reset(&self, headers: &mut HeaderMap, token: &MailToken) {
        self.append(headers, self.password_reset, &token.reveal(), Some(RESET_LIFE));
    }

    /// Takes the token of a link away.
    pub(crate) fn clear_password_reset(&self, headers: &mut HeaderMap) {
        self.append(headers, self.password_reset, "", Some(Duration::ZERO));
    }

    fn append(&self, headers: &mut HeaderMap, name: &'static str, value: &str, life: Option<Duration>) {
        let cookie =
            Cookie::build((name, value)).http_only(true).same_site(SameSite::Lax).path("/").secure(self.secure).build();
        let mut text = cookie.to_string();
        if let Some(life) = life {
            text.push_str(&format!("; Max-Age={}", life.whole_seconds().max(0)));
        }
        match HeaderValue::try_from(text) {
            Ok(value) => headers.append(SET_COOKIE, value),
            Err(_) => tracing::error!(cookie = name, "a cookie has a value that no header can carry"),
        }
    }
}

/// Splits every `Cookie` header into names and values, as bytes.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.get_all(COOKIE).flat_map(|header| parts(header.as_bytes())).filter_map(|pair| {
        let pair = pair.trim_ascii();
        let (name, value) = pair.split_at_checked(memchr(b'=', pair)?)?;
        Some((name, value.get(1..)?))
    })
}

/// Splits at each semicolon. A value has hundreds of bytes, so they are not looked at one by one.
fn parts(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(header);
    std::iter::from_fn(move || {
        let text = rest?;
        let (part, after) = match memchr(b';', text) {
            Some(end) => (text.get(..end)?, text.get(end + 1..)),
            None => (text, None),
        };
        rest = after;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &[u8]) -> (Vec<String>, Vec<String>) {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_bytes(header).unwrap());
        let jar = CookieJar::new(true);
        let presented = jar.presented(&headers);
        let owned = |values: Vec<&str>| values.into_iter().map(str::to_owned).collect();
        (owned(presented.access), owned(presented.refresh))
    }

    #[test]
    fn names_are_matched_on_raw_bytes() {
        let nothing = (vec![], vec![]);
        for header in [
            "%5F_Host-access_token=x",
            "__host-access_token=x",
            "access_token=x",
            "__Host-access_token =x",
            "\u{a0}__Host-access_token=x",
            "\u{2003}__Host-access_token=x",
            "__Host-access_token",
            "x__Host-access_token=x",
            "__Host-access_tokenx=x",
            "$Version=1, __Host-access_token=x",
        ] {
            assert_eq!(read(header.as_bytes()), nothing, "{header}");
        }
    }

    #[test]
    fn every_cookie_of_the_name_is_found_among_any_others() {
        let header = b"a=\xff\xfe; __Host-access_token=1; =; ;; b; __Host-keep_signed_in=r; __Host-access_token=2";
        assert_eq!(read(header), (vec!["1".into(), "2".into()], vec!["r".into()]));
        assert_eq!(read(b"__Host-access_token=\xff"), (vec![String::new()], vec![]));
    }

    #[test]
    fn a_header_full_of_cookies_costs_a_bounded_number_of_hashes() {
        let header = "__Host-keep_signed_in=x; ".repeat(1000);
        assert_eq!(read(header.as_bytes()).1.len(), CANDIDATES);
    }

    #[test]
    fn a_form_cookie_brings_back_what_it_was_given() {
        let id = FormId::from_bytes([7; 16]);
        let session = SessionId::new(OffsetDateTime::UNIX_EPOCH, [3; 10]);
        for (ended, notice) in [
            (None, None),
            (Some(session), None),
            (None, Some(Notice::OthersSignedOut(2))),
            (Some(session), Some(Notice::TheftAcknowledged)),
        ] {
            let form = FormCookie { id, ended, notice };
            assert_eq!(FormCookie::decode(&form.encode()), Some(form));
        }
        assert_eq!(FormCookie::new(id).encode(), id.to_string());
        for broken in ["", ".", &format!("{id}.x"), &format!("{id}..x"), &format!("{id}...theft-")] {
            assert_eq!(FormCookie::decode(broken), None, "{broken}");
        }
    }

    #[test]
    fn the_attributes_are_the_contracts() {
        let set = |secure| {
            let mut headers = HeaderMap::new();
            let jar = CookieJar::new(secure);
            jar.append(&mut headers, jar.access, "v", Some(Duration::MINUTE));
            headers.get(SET_COOKIE).unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(set(true), "__Host-access_token=v; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60");
        assert_eq!(set(false), "access_token=v; HttpOnly; SameSite=Lax; Path=/; Max-Age=60");
        let (mut headers, token) = (HeaderMap::new(), MailToken::from_bytes([7; 32]));
        CookieJar::new(true).set_password_reset(&mut headers, &token);
        let expected = "; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=1800";
        let expected = format!("__Host-password_reset={}{expected}", *token.reveal());
        assert_eq!(headers.get(SET_COOKIE).unwrap(), &expected);
    }
}
