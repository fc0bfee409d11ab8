//! Access tokens: issued and verified without the database.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::jwt_provider;
use super::key_ring::{KeyRing, Purpose};
use super::key_state::{KeyState, NoSigningKey, PerKey};
use super::random::{RandomError, random_bytes};
use crate::domain::access_token::{AccessToken, LEEWAY_SECONDS};
use crate::domain::audience::Audience;

/// The `typ` of an access token (RFC 9068 section 2.1): no other JWT can pass for one (RFC 8725 section 3.11).
const TOKEN_TYPE: &str = "at+jwt";

/// Bytes of a token at most; ours are about 400, and a longer one is not worth a hash.
const MAX_TOKEN_BYTES: usize = 4096;

/// The claims as they stand in the token: RFC 9068's set without anything personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    /// Who issued it: the public URL.
    iss: String,
    /// Whom it is for: the pages of the public URL, or the API below it.
    aud: String,
    /// The user.
    sub: String,
    /// The session.
    sid: String,
    /// When it was issued, in Unix seconds.
    iat: u32,
    /// When it expires, in Unix seconds.
    exp: u32,
    /// Its own name, so that no two tokens are alike.
    jti: String,
    /// When the password was last entered, in Unix seconds.
    auth_time: u32,
    /// Not issued by us, but obeyed where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<u32>,
}

/// Issues access tokens of one audience with the key that signs, and verifies those of every key that was not dropped.
pub struct AccessTokens {
    audience: Audience,
    issuer: String,
    /// The audience as the claim `aud` names it.
    named: String,
    life: Duration,
    keys: PerKey<Prepared>,
    validation: Validation,
}

/// What is prepared for one key.
struct Prepared {
    header: Header,
    signing: EncodingKey,
    verifying: DecodingKey,
}

/// Why a text is no access token; for the log of `DEBUG_AUTH`, never for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More than 4,096 bytes.
    #[error("oversized")]
    Oversized,
    /// No JWS in compact form, or claims of the wrong shape.
    #[error("malformed: {0}")]
    Malformed(String),
    /// Another `typ`.
    #[error("typ is not at+jwt")]
    Type,
    /// Header parameters that it asks us to understand and that we do not (RFC 7515 section 4.1.11).
    #[error("crit is present")]
    Critical,
    /// A `kid` that names none of our keys or one that was dropped, or none at all.
    #[error("kid names none of the keys")]
    UnknownKey,
    /// It would live for longer than an access token does.
    #[error("exp is further from iat than an access token lives")]
    Life,
    /// Expired, or from the future.
    #[error("not in force at this time")]
    Time,
}

/// Why no token could be issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// No random bytes for its `jti`.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// No key to sign it with.
    #[error(transparent)]
    Key(#[from] NoSigningKey),
    /// Claims that cannot be written, such as a time before 1970.
    #[error("cannot write an access token: {0}")]
    Encode(String),
}

impl AccessTokens {
    /// Prepares the keys of the tokens for pages once; `issuer` is the public URL, and the audience too, and no token is
    /// good for longer than `life`.
    pub fn new(keys: &KeyRing, state: &KeyState, issuer: &str, life: Duration) -> Self {
        Self::prepare(keys, state, Audience::Pages, issuer, life)
    }

    /// Prepares the keys of the tokens for the API once: keys of their own, and an audience of their own, `/api` below the
    /// public URL, so that the tokens of pages and of the API never interchange (RFC 8725 sections 3.9 and 3.12).
    pub fn for_api(keys: &KeyRing, state: &KeyState, issuer: &str, life: Duration) -> Self {
        Self::prepare(keys, state, Audience::Api, issuer, life)
    }

    fn prepare(keys: &KeyRing, state: &KeyState, audience: Audience, issuer: &str, life: Duration) -> Self {
        jwt_provider::install();
        let (purpose, named) = match audience {
            Audience::Pages => (Purpose::AccessToken, issuer.to_owned()),
            Audience::Api => (Purpose::ApiAccessToken, format!("{issuer}/api")),
        };
        let keys = PerKey::new::<32>(keys, state, purpose, |id, key| {
            let mut header = Header::new(Algorithm::HS256);
            header.typ = Some(TOKEN_TYPE.to_owned());
            header.kid = Some(id.to_string());
            let (signing, verifying) =
                (EncodingKey::from_secret(key.as_slice()), DecodingKey::from_secret(key.as_slice()));
            Prepared { header, signing, verifying }
        });
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[&named]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The library would ask the machine for the time; `AccessToken::is_current` is told it.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self { audience, issuer: issuer.to_owned(), named, life, keys, validation }
    }

    /// Issues a signed token.
    ///
    /// # Errors
    /// If there are no random bytes, this process lacks the key that signs, or a time is outside 1970–2106.
    pub fn issue(&self, token: &AccessToken) -> Result<String, IssueError> {
        let seconds = |moment: OffsetDateTime| {
            u32::try_from(moment.unix_timestamp()).map_err(|error| IssueError::Encode(error.to_string()))
        };
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.named.clone(),
            sub: token.user.to_string(),
            sid: token.session.to_string(),
            iat: seconds(token.issued_at)?,
            exp: seconds(token.expires_at)?,
            jti: URL_SAFE_NO_PAD.encode(random_bytes::<16>()?),
            auth_time: seconds(token.authenticated_at)?,
            nbf: None,
        };
        let key = self.keys.signing()?;
        jsonwebtoken::encode(&key.header, &claims, &key.signing).map_err(|error| IssueError::Encode(error.to_string()))
    }

    /// Verifies everything about `text` at `now`: form, algorithm, type, key, signature, issuer, audience, life and times.
    ///
    /// # Errors
    /// Why it is not an access token in force. To the caller that is a cache miss and never an answer.
    pub fn verify(&self, text: &str, now: OffsetDateTime) -> Result<AccessToken, Refusal> {
        let token = self.verify_late(text, now)?;
        if token.is_current(now) { Ok(token) } else { Err(Refusal::Time) }
    }

    /// Verifies a token as [`AccessTokens::verify`] does, but lets one pass that ran out so short a while ago that it counts
    /// where its sign-in is bound to a device; whoever takes it looks that up.
    ///
    /// # Errors
    /// As there.
    pub fn verify_late(&self, text: &str, now: OffsetDateTime) -> Result<AccessToken, Refusal> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::Oversized);
        }
        let malformed = |error: jsonwebtoken::errors::Error| Refusal::Malformed(error.to_string());
        let header = jsonwebtoken::decode_header(text).map_err(malformed)?;
        if header.typ.as_deref() != Some(TOKEN_TYPE) {
            return Err(Refusal::Type);
        }
        if header.crit.is_some() || header.extras.inner().contains_key("b64") {
            return Err(Refusal::Critical);
        }
        let named = header.kid.as_deref().and_then(|kid| self.keys.named(kid.parse().ok()?));
        let key = named.ok_or(Refusal::UnknownKey)?;
        let claims = jsonwebtoken::decode::<Claims>(text, &key.verifying, &self.validation).map_err(malformed)?.claims;
        // Whoever got hold of a key for a moment must not make a token for the rest of the year. One that was issued before
        // the access life was shortened is set aside as well; its refresh token gets another in the same request.
        let lives = i64::from(claims.exp) - i64::from(claims.iat);
        if lives > self.life.whole_seconds().saturating_add(LEEWAY_SECONDS) {
            return Err(Refusal::Life);
        }
        let moment = |seconds: u32| {
            OffsetDateTime::from_unix_timestamp(i64::from(seconds))
                .map_err(|error| Refusal::Malformed(error.to_string()))
        };
        let token = AccessToken {
            audience: self.audience,
            user: claims.sub.parse().map_err(|_| Refusal::Malformed("sub".to_owned()))?,
            session: claims.sid.parse().map_err(|_| Refusal::Malformed("sid".to_owned()))?,
            // A token is in force from the later of the two; see `AccessToken::is_current`.
            issued_at: moment(claims.iat.max(claims.nbf.unwrap_or(0)))?,
            expires_at: moment(claims.exp)?,
            authenticated_at: moment(claims.auth_time)?,
        };
        if token.is_current_if_bound(now) { Ok(token) } else { Err(Refusal::Time) }
    }
}

impl std::fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessTokens")
    }
}

#[cfg(test)]
mod tests;
