//! Form tokens: a form works only in the browser it was made for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::key_ring::{KeyRing, Purpose};
use crate::domain::id::{FormId, SessionId};

/// What a form is bound to: the sign-in, or, signed out, the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormBinding {
    /// A signed-in page: the form dies with the sign-in, and outlives every rotation.
    Session(SessionId),
    /// A signed-out page: the form works with the cookie it was made for.
    Browser(FormId),
}

/// Characters of a form token: 32 bytes in unpadded base64url.
const TOKEN_CHARACTERS: usize = 43;

/// A form token, written out.
#[derive(Clone)]
pub struct WrittenFormToken([u8; TOKEN_CHARACTERS]);

impl WrittenFormToken {
    /// Returns it as it goes into a hidden field.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Debug for WrittenFormToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WrittenFormToken")
    }
}

/// Makes and checks form tokens: an HMAC of what the form is bound to (OWASP CSRF Prevention Cheat Sheet, "Signed
/// Double-Submit Cookie").
///
/// Nothing is stored, so a form stays good across a restart and on every node.
#[derive(Clone)]
pub struct FormTokens {
    keys: Vec<Hmac<Sha256>>,
}

impl FormTokens {
    /// Prepares the keys.
    pub fn new(keys: &KeyRing) -> Self {
        let keys = keys.derive::<32>(Purpose::FormToken);
        Self { keys: keys.filter_map(|key| Hmac::new_from_slice(key.as_slice()).ok()).collect() }
    }

    /// Makes the token for forms bound to `binding`.
    pub fn token(&self, binding: FormBinding) -> String {
        self.written(binding).as_str().to_owned()
    }

    /// Makes it for whoever shows the forms of one binding again and again, and keeps it.
    pub fn written(&self, binding: FormBinding) -> WrittenFormToken {
        let mut text = [b'A'; TOKEN_CHARACTERS];
        let mac = self.keys.first().map(|key| bound(key, binding).finalize().into_bytes());
        // The text is exactly as long as what is written into it.
        let written = mac.map(|mac| URL_SAFE_NO_PAD.encode_slice(mac, &mut text));
        debug_assert!(matches!(written, Some(Ok(TOKEN_CHARACTERS))), "{written:?}");
        WrittenFormToken(text)
    }

    /// Tells whether `token` was made for forms bound to `binding`, in constant time.
    pub fn verify(&self, token: &str, binding: FormBinding) -> bool {
        let Ok(presented) = URL_SAFE_NO_PAD.decode(token) else { return false };
        self.keys.iter().any(|key| bound(key, binding).verify_slice(&presented).is_ok())
    }
}

fn bound(key: &Hmac<Sha256>, binding: FormBinding) -> Hmac<Sha256> {
    let text = match binding {
        FormBinding::Session(id) => format!("session {id}"),
        FormBinding::Browser(id) => format!("browser {id}"),
    };
    key.clone().chain_update(text)
}

impl std::fmt::Debug for FormTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FormTokens")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(secrets: [&str; 2]) -> FormTokens {
        let [first, second] = secrets.map(|secret| secret.repeat(32).into());
        FormTokens::new(&KeyRing::new(first, [second]))
    }

    #[test]
    fn a_token_is_good_for_its_binding_alone() {
        let tokens = tokens(["a", "b"]);
        let mine = FormBinding::Session(SessionId::from_bytes([1; 16]));
        let token = tokens.token(mine);
        assert!(tokens.verify(&token, mine));
        assert!(!tokens.verify(&token, FormBinding::Session(SessionId::from_bytes([2; 16]))));
        assert!(!tokens.verify(&token, FormBinding::Browser(FormId::from_bytes([1; 16]))));
        for broken in ["", "A", &token[1..], &format!("{token}A"), "not base64!"] {
            assert!(!tokens.verify(broken, mine), "{broken}");
        }
    }

    #[test]
    fn a_page_rendered_before_a_key_change_still_posts() {
        let binding = FormBinding::Browser(FormId::from_bytes([1; 16]));
        let old = tokens(["a", "a"]).token(binding);
        assert!(tokens(["b", "a"]).verify(&old, binding));
        assert!(!tokens(["b", "c"]).verify(&old, binding));
    }
}
