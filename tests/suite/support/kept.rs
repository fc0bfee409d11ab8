//! The forms of pages that rescue what was sent, as a browser reads and sends them.

use actix_web::http::StatusCode;

use super::{Answer, Browser};
use super::{EMAIL, PASSWORD};

/// A form as it stands on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageForm {
    pub action: String,
    /// The names and values of its hidden fields.
    pub fields: Vec<(String, String)>,
    /// The names of the fields for passwords.
    pub passwords: Vec<String>,
}

impl PageForm {
    /// Finds the form with a button of these words.
    pub fn with_button(page: &str, words: &str) -> Option<Self> {
        let form = page.split("<form ").skip(1).find(|form| {
            let form = form.split("</form>").next().unwrap();
            form.contains(&format!(">{words}</button>"))
        })?;
        let form = form.split("</form>").next()?;
        let mut found = Self { action: attribute(form, "action")?, fields: Vec::new(), passwords: Vec::new() };
        for input in form.split("<input ").skip(1) {
            let input = input.split('>').next()?;
            match attribute(input, "type")?.as_str() {
                "hidden" => found.fields.push((attribute(input, "name")?, attribute(input, "value")?)),
                "password" => found.passwords.push(attribute(input, "name")?),
                other => panic!("a field of type {other}"),
            }
        }
        Some(found)
    }

    /// Returns the value of a field.
    pub fn get(&self, wanted: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// Presses its button, with these passwords typed in.
    pub async fn send(&self, browser: &Browser, passwords: &[(&str, &str)]) -> Answer {
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let fields: Vec<_> = fields.chain(passwords.iter().copied()).collect();
        browser.post(&self.action, &fields).await
    }
}

/// Returns an attribute of a tag as a browser reads it.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, value) = tag.split_once(&format!("{name}=\""))?;
    let mut text = value.split('"').next()?.to_owned();
    for (code, letter) in [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")] {
        text = text.replace(code, letter);
    }
    Some(text)
}

/// Returns where an answer leads after signing in: to the page of a form that was kept.
pub fn kept_at(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    let next = answer.location().strip_prefix("/login?next=");
    let page = next.unwrap_or_else(|| panic!("nothing was kept: {}", answer.location())).replace("%2F", "/");
    assert!(page.starts_with("/rescue/"), "{page}");
    page
}

/// Signs in by the page that an answer leads to, and returns the page that comes then.
pub async fn sign_in_after(browser: &Browser, answer: &Answer) -> Answer {
    let page = kept_at(answer);
    let fields = [("email", EMAIL), ("password", PASSWORD), ("keep_signed_in", "on"), ("next", &page)];
    let signed_in = browser.submit(answer.location(), "/login", &fields).await;
    assert_eq!((signed_in.status, signed_in.location()), (StatusCode::SEE_OTHER, page.as_str()));
    browser.get(&page).await
}
