//! Identifiers.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::{Builder, Uuid};

/// A user's number in the database; the `sub` claim of an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(pub i64);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Says that a text is not an identifier of the kind asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier")]
pub struct InvalidId;

impl FromStr for UserId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self).map_err(|_| InvalidId)
    }
}

/// Names one session: one sign-in on one device; the `sid` claim of an access token.
///
/// It is no secret: knowing it opens nothing. New ones are UUIDs of version 7 (RFC 9562), which begin with the time, so
/// rows that live and die together lie together on disk. The version before made names of 22 characters of base64url,
/// and can read no others: they stay as they are, and are made while a process of that version may run beside this one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId {
    bytes: [u8; 16],
    compact: bool,
}

/// Characters of a UUID in its usual form.
const UUID_LENGTH: usize = 36;

impl SessionId {
    /// Makes the name of a session that begins at `now`.
    pub fn new(now: OffsetDateTime, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.unix_timestamp().saturating_mul(1000)).unwrap_or_default();
        let uuid = Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        Self { bytes: uuid.into_bytes(), compact: false }
    }

    /// Names a session by sixteen bytes, whatever they are.
    #[cfg(any(test, feature = "internals"))]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self { bytes, compact: false }
    }

    /// Returns the same name in the form that the version before can read.
    #[must_use]
    pub fn compact(self) -> Self {
        Self { compact: true, ..self }
    }

    /// Returns the bytes of the name, whatever its form.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.bytes
    }

    /// Returns what follows the name in a text that begins with it.
    ///
    /// To write the name is quicker than to read the text, and most texts that are asked about do begin with it.
    pub(super) fn strip_from<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        text.strip_prefix(self.write(&mut [0; UUID_LENGTH]))
    }

    /// Writes the name into `room`, and returns it.
    fn write<'a>(&self, room: &'a mut [u8; UUID_LENGTH]) -> &'a [u8] {
        if self.compact {
            Base64(self.bytes).write(room)
        } else {
            Uuid::from_bytes(self.bytes).as_hyphenated().encode_lower(room).as_bytes()
        }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(self.write(&mut [0; UUID_LENGTH])).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl FromStr for SessionId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.len() == UUID_LENGTH {
            let uuid = Uuid::try_parse(text).map_err(|_| InvalidId)?;
            // One spelling, or two texts would name one row.
            let canonical = !text.bytes().any(|byte| byte.is_ascii_uppercase());
            return if canonical { Ok(Self { bytes: uuid.into_bytes(), compact: false }) } else { Err(InvalidId) };
        }
        Base64::parse(text).map(|Base64(bytes)| Self { bytes, compact: true })
    }
}

/// Names one browser for the lockout, whoever signs in with it; it outlives its sign-ins.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceId([u8; 16]);

impl DeviceId {
    /// Names a browser that has no name yet after the form that it sends: clicked twice, its button makes one name.
    pub fn after(form: FormId) -> Self {
        let digest = Sha256::new_with_prefix("device after form").chain_update(form.as_bytes()).finalize();
        let mut name = [0; 16];
        name.iter_mut().zip(digest).for_each(|(byte, hashed)| *byte = hashed);
        Self(name)
    }

    /// Names a program that keeps no name, after where it is and what it calls itself: good for telling it from others, and
    /// nothing that anybody has to prove.
    pub fn of_program(address: &str, user_agent: &str) -> Self {
        let digest = Sha256::new_with_prefix("device of program").chain_update(address).chain_update([0]);
        let mut name = [0; 16];
        name.iter_mut().zip(digest.chain_update(user_agent).finalize()).for_each(|(byte, hashed)| *byte = hashed);
        Self(name)
    }

    /// Returns the bytes of the name.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Base64(self.0).fmt(f)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceId")
    }
}

impl FromStr for DeviceId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Base64::parse(text).map(|Base64(bytes)| Self(bytes))
    }
}

/// Names one browser that is not signed in, so that a form made for it works in it alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FormId([u8; 16]);

impl FormId {
    /// Makes a name of sixteen random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the name.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for FormId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Base64(self.0).fmt(f)
    }
}

impl fmt::Debug for FormId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FormId({self})")
    }
}

impl FromStr for FormId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Base64::parse(text).map(|Base64(bytes)| Self(bytes))
    }
}

/// Names one form that is kept until its user has signed in; nobody can guess it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeptFormId([u8; 16]);

impl KeptFormId {
    /// Makes a name of sixteen random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the name.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for KeptFormId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Base64(self.0).fmt(f)
    }
}

impl fmt::Debug for KeptFormId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeptFormId({self})")
    }
}

impl FromStr for KeptFormId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Base64::parse(text).map(|Base64(bytes)| Self(bytes))
    }
}

/// Sixteen bytes, written as 22 characters of unpadded base64url.
struct Base64([u8; 16]);

/// Characters of sixteen bytes in unpadded base64url.
const BASE64_LENGTH: usize = 22;

impl Base64 {
    fn parse(text: &str) -> Result<Self, InvalidId> {
        if text.len() != BASE64_LENGTH {
            return Err(InvalidId);
        }
        let mut bytes = [0; 16];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(16) => Ok(Self(bytes)),
            _ => Err(InvalidId),
        }
    }

    /// Writes the characters into `room`, which has [`BASE64_LENGTH`] bytes at least, and returns them.
    fn write<'a>(&self, room: &'a mut [u8]) -> &'a [u8] {
        let length = URL_SAFE_NO_PAD.encode_slice(self.0, room).unwrap_or_default();
        room.get(..length).unwrap_or_default()
    }
}

impl fmt::Display for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(self.write(&mut [0; BASE64_LENGTH])).map_err(|_| fmt::Error)?)
    }
}

/// Names one process for as long as it runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId([u8; 16]);

impl NodeId {
    /// Makes a name of sixteen random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Base64(self.0).fmt(f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

impl FromStr for NodeId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Base64::parse(text).map(|Base64(bytes)| Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 8:30 UTC);

    #[test]
    fn a_session_id_is_a_uuid_of_version_7_that_begins_with_the_time() {
        let id = SessionId::new(NOW, [0xFF; 10]).to_string();
        assert_eq!(id, "01a1fd3a-0340-7fff-bfff-ffffffffffff");
        let later = SessionId::new(NOW + time::Duration::SECOND, [0; 10]).to_string();
        assert!(id < later, "{id} {later}");
    }

    #[test]
    fn both_forms_survive_the_way_through_text() {
        let id = SessionId::new(NOW, [7; 10]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.compact().to_string().len(), 22);
        assert_eq!(id.compact().to_string().parse(), Ok(id.compact()));
        assert_ne!(id, id.compact());
        let form = FormId::from_bytes(*b"0123456789abcdef");
        assert_eq!(form.to_string().parse(), Ok(form));
    }

    #[test]
    fn other_lengths_alphabets_and_trailing_bits_are_refused() {
        for text in [
            "",
            "short",
            "0123456789012345678901",
            "MDEyMzQ1Njc4OWFiY2RlZg==",
            "MDEyMzQ1Njc4OWFiY2RlZ!",
            "019AA5A1-C9C0-7FFF-BFFF-FFFFFFFFFFFF",
            "019aa5a1c9c07fffbfffffffffffffff",
            "{19aa5a1-c9c0-7fff-bfff-fffffffffff}",
        ] {
            assert_eq!(text.parse::<SessionId>(), Err(InvalidId), "{text}");
        }
    }
}
