//! Form tokens: a form works only in the browser it was made for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::key_ring::{KeyRing, Purpose};
use super::key_state::{KeyState, NoSigningKey, PerKey};
use crate::domain::id::{FormId, KeptFormId, SessionId};

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
    /// None where a key cannot be one of an HMAC, which holds for no key of 32 bytes.
    keys: PerKey<Option<Hmac<Sha256>>>,
}

impl FormTokens {
    /// Prepares the keys.
    pub fn new(keys: &KeyRing, state: &KeyState) -> Self {
        let prepare = |_, key: Zeroizing<[u8; 32]>| Hmac::new_from_slice(key.as_slice()).ok();
        Self { keys: PerKey::new(keys, state, Purpose::FormToken, prepare) }
    }

    /// Makes the token for forms bound to `binding`.
    ///
    /// # Errors
    /// If this process lacks the key that signs.
    pub fn token(&self, binding: FormBinding) -> Result<String, NoSigningKey> {
        Ok(self.written(binding)?.as_str().to_owned())
    }

    /// Makes it for whoever shows the forms of one binding again and again, and keeps it.
    ///
    /// # Errors
    /// As [`FormTokens::token`].
    pub fn written(&self, binding: FormBinding) -> Result<WrittenFormToken, NoSigningKey> {
        let key = self.keys.signing()?.as_ref().ok_or(NoSigningKey)?;
        let mut text = [b'A'; TOKEN_CHARACTERS];
        // The text is exactly as long as what is written into it.
        let written = URL_SAFE_NO_PAD.encode_slice(bound(key, binding).finalize().into_bytes(), &mut text);
        debug_assert!(matches!(written, Ok(TOKEN_CHARACTERS)), "{written:?}");
        Ok(WrittenFormToken(text))
    }

    /// Makes the token for the page that a form that was kept is sent from: it says which one, so that it is sent once.
    ///
    /// # Errors
    /// As [`FormTokens::token`].
    pub fn token_of_kept(&self, binding: FormBinding, kept: KeptFormId) -> Result<String, NoSigningKey> {
        let key = self.keys.signing()?.as_ref().ok_or(NoSigningKey)?;
        let tag = URL_SAFE_NO_PAD.encode(bound_to_kept(key, binding, kept).finalize().into_bytes());
        Ok(format!("{tag}.{kept}"))
    }

    /// Tells whether `token` was made for forms bound to `binding`, in constant time.
    pub fn verify(&self, token: &str, binding: FormBinding) -> bool {
        self.verify_by(token, |key| bound(key, binding))
    }

    /// Returns the kept form that `token` was made for, if it was made for one and is bound to `binding`.
    pub fn verify_kept(&self, token: &str, binding: FormBinding) -> Option<KeptFormId> {
        let (tag, kept) = token.split_once('.')?;
        let kept = kept.parse().ok()?;
        self.verify_by(tag, |key| bound_to_kept(key, binding, kept)).then_some(kept)
    }

    /// Tells whether a form may be of `binding`: whether it is still to be carried out is another question.
    pub fn accepts(&self, token: &str, binding: FormBinding) -> bool {
        self.verify(token, binding) || self.verify_kept(token, binding).is_some()
    }

    fn verify_by(&self, tag: &str, bound: impl Fn(&Hmac<Sha256>) -> Hmac<Sha256>) -> bool {
        let Ok(presented) = URL_SAFE_NO_PAD.decode(tag) else { return false };
        self.keys.verifying().flatten().any(|key| bound(key).verify_slice(&presented).is_ok())
    }
}

fn bound(key: &Hmac<Sha256>, binding: FormBinding) -> Hmac<Sha256> {
    let text = match binding {
        FormBinding::Session(id) => format!("session {id}"),
        FormBinding::Browser(id) => format!("browser {id}"),
    };
    key.clone().chain_update(text)
}

fn bound_to_kept(key: &Hmac<Sha256>, binding: FormBinding, kept: KeptFormId) -> Hmac<Sha256> {
    bound(key, binding).chain_update(format!(" kept {kept}"))
}

impl std::fmt::Debug for FormTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FormTokens")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::key_state::tests::{ring, say};

    fn tokens(letters: &str) -> (FormTokens, KeyState) {
        let (keys, state) = ring(letters);
        (FormTokens::new(&keys, &state), state)
    }

    #[test]
    fn a_token_is_good_for_its_binding_alone() {
        let (tokens, _) = tokens("ab");
        let mine = FormBinding::Session(SessionId::from_bytes([1; 16]));
        let token = tokens.token(mine).unwrap();
        assert!(tokens.verify(&token, mine));
        assert!(!tokens.verify(&token, FormBinding::Session(SessionId::from_bytes([2; 16]))));
        assert!(!tokens.verify(&token, FormBinding::Browser(FormId::from_bytes([1; 16]))));
        for broken in ["", "A", &token[1..], &format!("{token}A"), "not base64!"] {
            assert!(!tokens.verify(broken, mine), "{broken}");
        }
    }

    #[test]
    fn the_token_of_a_kept_form_is_of_that_form_and_of_its_binding() {
        let (tokens, _) = tokens("ab");
        let mine = FormBinding::Session(SessionId::from_bytes([1; 16]));
        let (kept, other) = (KeptFormId::from_bytes([5; 16]), KeptFormId::from_bytes([6; 16]));
        let token = tokens.token_of_kept(mine, kept).unwrap();
        assert_eq!(tokens.verify_kept(&token, mine), Some(kept));
        assert!(tokens.accepts(&token, mine) && !tokens.verify(&token, mine));
        assert_eq!(tokens.verify_kept(&token, FormBinding::Session(SessionId::from_bytes([2; 16]))), None);
        let ordinary = tokens.token(mine).unwrap();
        for forged in [token.replace(&kept.to_string(), &other.to_string()), format!("{ordinary}.{kept}"), ordinary] {
            assert_eq!(tokens.verify_kept(&forged, mine), None, "{forged}");
        }
    }

    #[test]
    fn a_page_rendered_before_a_key_change_still_posts() {
        let binding = FormBinding::Browser(FormId::from_bytes([1; 16]));
        let old = tokens("a").0.token(binding).unwrap();
        assert!(tokens("ba").0.verify(&old, binding));
        assert!(!tokens("bc").0.verify(&old, binding));
        let (tokens, state) = tokens("ba");
        say(&state, "a", "");
        assert_eq!(tokens.token(binding).unwrap(), old);
        say(&state, "b", "a");
        assert!(!tokens.verify(&old, binding), "nor from a dropped key");
        say(&state, "c", "a");
        assert_eq!(tokens.token(binding), Err(NoSigningKey));
    }
}
