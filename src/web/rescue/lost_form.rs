//! What is kept of a form: where it goes and its fields, but no password.

use serde::{Deserialize, Serialize};

use crate::domain::id::{KeptFormId, UserId};
use crate::domain::kept_form::{MAX_FIELDS, is_password};
use crate::web::forms::{TOKEN_FIELD, read_fields};
use crate::web::local_path::LocalPath;

/// Where the pages of forms that are kept are: the name of the form follows.
pub(crate) const KEPT: &str = "/rescue/";

/// A form that was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LostForm {
    /// The path, with its query, that it is sent to.
    pub(crate) to: String,
    /// Its fields in the order of the form; of a password, the name alone.
    pub(crate) fields: Vec<(String, Option<String>)>,
}

impl LostForm {
    /// Reads a form as it was sent; returns its token beside it. Nothing if it cannot be read, or has too many fields.
    pub(super) fn read(to: &LocalPath, body: &[u8]) -> Option<(Self, String)> {
        let (mut fields, mut token) = (Vec::new(), None);
        for (name, mut value) in read_fields(body)? {
            if name == TOKEN_FIELD {
                token.get_or_insert(std::mem::take(&mut *value));
            } else if is_password(&name) {
                fields.push((name, None));
            } else {
                fields.push((name, Some(std::mem::take(&mut *value))));
            }
        }
        let form = Self { to: to.as_str().to_owned(), fields };
        (form.fields.len() <= MAX_FIELDS).then_some((form, token?))
    }

    /// Writes it out, to be encrypted.
    pub(super) fn encode(&self) -> Vec<u8> {
        // Texts can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what was written out.
    pub(crate) fn decode(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// Returns what the fields of a kept form are encrypted for: one form of one user.
    pub(crate) fn context(id: KeptFormId, user: UserId) -> String {
        format!("fields of kept form {id} of user {user}")
    }

    /// Returns what the page of a kept form is encrypted for.
    pub(crate) fn page_context(id: KeptFormId, user: UserId) -> String {
        format!("page of kept form {id} of user {user}")
    }

    /// Returns the names of the fields whose passwords have to be typed again.
    pub(crate) fn passwords(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_kept_but_the_token_and_passwords() {
        let to = LocalPath::parse("/notes?page=2").unwrap();
        let body = b"title=A+b&form_token=t1&form_token=t2&Password=secret&title=c%0D%0Ad&empty=";
        let (form, token) = LostForm::read(&to, body).unwrap();
        assert_eq!(token, "t1");
        let kept = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        let fields =
            vec![kept("title", "A b"), ("Password".to_owned(), None), kept("title", "c\r\nd"), kept("empty", "")];
        assert_eq!(form, LostForm { to: "/notes?page=2".to_owned(), fields });
        assert_eq!(form.passwords().collect::<Vec<_>>(), ["Password"]);
        let written = form.encode();
        assert!(!String::from_utf8_lossy(&written).contains("secret"));
        assert_eq!(LostForm::decode(&written), Some(form));
    }

    #[test]
    fn what_is_no_form_or_has_no_token_is_not_kept() {
        let to = LocalPath::parse("/notes").unwrap();
        for body in [&b""[..], b"a=1", b"form_token=%ff", b"form_token=%zz"] {
            assert_eq!(LostForm::read(&to, body), None);
        }
        let many = format!("form_token=t{}", "&a".repeat(MAX_FIELDS));
        assert!(LostForm::read(&to, many.as_bytes()).is_some());
        assert_eq!(LostForm::read(&to, format!("{many}&a").as_bytes()), None);
    }
}
