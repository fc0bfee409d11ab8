//! What an application under test answered.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, LOCATION};
use serde::de::DeserializeOwned;

use super::jar::SetCookie;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// Returns the page.
    pub fn body(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Tells whether the page says `text`.
    pub fn says(&self, text: &str) -> bool {
        self.body().contains(text)
    }

    /// Reads the body as JSON.
    ///
    /// # Panics
    /// If it is none, or of another form.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.body()))
    }

    /// Returns a header, empty where it is missing.
    ///
    /// # Panics
    /// If it is no text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns it without the name of its request, which alone tells apart what a visitor must not be able to.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    pub fn without_name(&self) -> Self {
        let mut headers = self.headers.clone();
        headers.remove("x-request-id");
        let name = self.header("x-request-id");
        assert_eq!(name.len(), 16, "{headers:?}");
        Self { status: self.status, headers, bytes: self.body().replace(name, "").into_bytes() }
    }

    /// Returns where a redirect leads.
    pub fn location(&self) -> &str {
        self.header(LOCATION.as_str())
    }

    /// Returns what the answer does to the cookie jar.
    pub fn cookies(&self) -> Vec<SetCookie> {
        SetCookie::all(&self.headers)
    }

    /// Returns the names of the cookies that it sets.
    pub fn set(&self) -> Vec<String> {
        self.cookies().into_iter().filter(|cookie| !cookie.deletes()).map(|cookie| cookie.name).collect()
    }

    /// Returns the names of the cookies that it takes away.
    pub fn cleared(&self) -> Vec<String> {
        self.cookies().into_iter().filter(SetCookie::deletes).map(|cookie| cookie.name).collect()
    }
}

/// Finds the token of the form that goes to `action`; empty where the page has none.
pub fn form_token(page: &str, action: &str) -> String {
    let form = page.split_once(&format!("action=\"{action}\"")).map_or("", |(_, form)| form);
    let token = form.split_once("name=\"form_token\" value=\"").map_or("", |(_, token)| token);
    token.split('"').next().unwrap_or_default().to_owned()
}
