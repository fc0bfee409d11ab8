//! A cookie jar that behaves like that of a browser.

use actix_web::http::header::{HeaderMap, SET_COOKIE};
use time::{Duration, OffsetDateTime};

/// A `Set-Cookie` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetCookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The attributes without `Max-Age`, in alphabetical order.
    pub attributes: Vec<String>,
    /// Its life in seconds; `None` where it lasts as long as the browser session.
    pub max_age: Option<i64>,
}

impl SetCookie {
    /// Reads every `Set-Cookie` header.
    ///
    /// # Panics
    /// If one of them cannot be read.
    pub fn all(headers: &HeaderMap) -> Vec<Self> {
        headers.get_all(SET_COOKIE).map(|value| Self::parse(value.to_str().unwrap())).collect()
    }

    fn parse(text: &str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let (ages, mut attributes): (Vec<_>, Vec<_>) =
            parts.map(str::to_owned).partition(|part| part.starts_with("Max-Age="));
        attributes.sort();
        let max_age = ages.first().map(|age| age["Max-Age=".len()..].parse().unwrap());
        Self { name: name.to_owned(), value: value.to_owned(), attributes, max_age }
    }

    /// Tells whether a browser would take it (RFC 6265bis section 5.7).
    fn is_acceptable(&self) -> bool {
        let has = |attribute: &str| self.attributes.iter().any(|found| found == attribute);
        !self.name.starts_with("__Host-") || (has("Secure") && has("Path=/") && !self.has_domain())
    }

    fn has_domain(&self) -> bool {
        self.attributes.iter().any(|attribute| attribute.starts_with("Domain="))
    }

    /// Tells whether it takes the cookie away.
    pub fn deletes(&self) -> bool {
        self.max_age.is_some_and(|age| age <= 0)
    }
}

/// A cookie in the jar.
#[derive(Debug, Clone)]
struct Kept {
    name: String,
    value: String,
    until: Option<OffsetDateTime>,
}

/// The cookies of one browser.
#[derive(Debug, Clone, Default)]
pub(super) struct Jar(Vec<Kept>);

impl Jar {
    /// Takes in what an answer sets and deletes.
    pub(super) fn take_in(&mut self, set: &[SetCookie], now: OffsetDateTime) {
        for cookie in set.iter().filter(|cookie| cookie.is_acceptable()) {
            self.remove(&cookie.name);
            if !cookie.deletes() {
                let until = cookie.max_age.map(|age| now + Duration::seconds(age));
                self.0.push(Kept { name: cookie.name.clone(), value: cookie.value.clone(), until });
            }
        }
    }

    /// Returns the `Cookie` header of a request, if there is anything to send.
    pub(super) fn header(&self, now: OffsetDateTime) -> Option<String> {
        let alive = self.0.iter().filter(|cookie| cookie.until.is_none_or(|until| now < until));
        let pairs: Vec<_> = alive.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Returns the value of a cookie.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|cookie| cookie.name == name).map(|cookie| cookie.value.clone())
    }

    /// Puts a cookie in by hand, for the browser session.
    pub(super) fn put(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.0.push(Kept { name: name.to_owned(), value: value.to_owned(), until: None });
    }

    /// Takes a cookie out.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|cookie| cookie.name != name);
    }

    /// Forgets what a browser forgets when it closes.
    pub(super) fn close(&mut self) {
        self.0.retain(|cookie| cookie.until.is_some());
    }
}
