//! Passwords as people type them.

use std::fmt;

use zeroize::Zeroizing;

/// Bytes of a password at most: beyond, no hash is computed at all, so that a long one is no way to load the server.
pub const MAX_BYTES: usize = 1024;

/// A password, overwritten when it is dropped, and exactly as it was sent: not trimmed, not normalised, not cut (NIST SP 800-63B-4 section 3.1.1.2).
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Says why a text is refused as a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    /// Nothing was typed.
    #[error("Enter your password")]
    Empty,
    /// More than 1,024 bytes.
    #[error("The password must be 1,024 bytes or fewer")]
    TooLong,
    /// A new password shorter than the policy asks for.
    #[error("The password must be at least {minimum} characters; three random words make a good one")]
    TooShort {
        /// Characters (code points) asked for.
        minimum: usize,
    },
}

impl Password {
    /// Accepts a password that somebody signs in with; old ones may be shorter than today's policy.
    ///
    /// # Errors
    /// `Empty` or `TooLong`.
    pub fn entered(text: impl Into<Zeroizing<String>>) -> Result<Self, InvalidPassword> {
        let text = text.into();
        if text.is_empty() {
            Err(InvalidPassword::Empty)
        } else if text.len() > MAX_BYTES {
            Err(InvalidPassword::TooLong)
        } else {
            Ok(Self(text))
        }
    }

    /// Accepts a new password of at least `minimum` code points.
    ///
    /// There are no rules of composition and no expiry: both make passwords worse (NIST SP 800-63B-4 section 3.1.1.2).
    ///
    /// # Errors
    /// `Empty`, `TooLong` or `TooShort`.
    pub fn new(text: impl Into<Zeroizing<String>>, minimum: usize) -> Result<Self, InvalidPassword> {
        let password = Self::entered(text)?;
        if password.0.chars().count() < minimum {
            return Err(InvalidPassword::TooShort { minimum });
        }
        Ok(password)
    }

    /// Returns the text, for whoever judges it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the bytes to hash.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// Which pepper a hash was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PepperId(pub i64);

/// The key of the HMAC before bcrypt.
#[derive(Clone)]
pub struct Pepper {
    /// Its name, stored with each hash.
    pub id: PepperId,
    /// The key itself.
    pub key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pepper({})", self.id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_counts_code_points_and_binds_new_passwords_alone() {
        assert!(Password::new("ä".repeat(15), 15).is_ok());
        assert_eq!(Password::new("ä".repeat(14), 15).err(), Some(InvalidPassword::TooShort { minimum: 15 }));
        assert!(Password::entered("x".to_owned()).is_ok());
    }

    #[test]
    fn bytes_are_kept_exactly_and_the_limit_is_1024_of_them() {
        assert_eq!(
            Password::entered(" a\0b ".to_owned()).map(|p| p.as_bytes().to_vec()).ok(),
            Some(b" a\0b ".to_vec())
        );
        assert!(Password::entered("x".repeat(1024)).is_ok());
        assert_eq!(Password::entered("ä".repeat(513)).err(), Some(InvalidPassword::TooLong));
        assert_eq!(Password::entered(String::new()).err(), Some(InvalidPassword::Empty));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Password::entered("secret".to_owned())), "Ok(Password)");
    }
}
