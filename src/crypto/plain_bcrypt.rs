//! Password hashes of other programs.

use bcrypt::HashParts;

/// The lowest cost that bcrypt knows; its highest is 31.
const LOWEST_COST: u32 = 4;

/// The highest cost that is taken: some seconds of a processor for each try to sign in. At 31, one try would take days.
const HIGHEST_COST: u32 = 16;

/// A plain bcrypt hash, as most programs store it: `$2a$`, `$2b$` or `$2y$`. It has no `Debug`, so that none is logged.
pub struct PlainBcrypt(String);

/// Says why a text is no hash that a password can be verified against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPlainBcrypt {
    /// Something else.
    #[error("is no bcrypt hash: that has 60 characters and begins with $2a$, $2b$ or $2y$")]
    Form,
    /// It takes too long to verify.
    #[error("has the cost {0}, and each sign-in would take minutes or days: the highest is {HIGHEST_COST}")]
    Cost(u32),
}

impl PlainBcrypt {
    /// Accepts a hash.
    ///
    /// # Errors
    /// `Form` or `Cost`.
    pub fn parse(text: &str) -> Result<Self, NoPlainBcrypt> {
        let version = ["$2a$", "$2b$", "$2y$"].iter().any(|version| text.starts_with(version));
        let parts =
            text.parse::<HashParts>().ok().filter(|_| version && text.len() == 60).ok_or(NoPlainBcrypt::Form)?;
        match parts.get_cost() {
            LOWEST_COST..=HIGHEST_COST => Ok(Self(text.to_owned())),
            cost @ ..=31 if cost > HIGHEST_COST => Err(NoPlainBcrypt::Cost(cost)),
            _ => Err(NoPlainBcrypt::Form),
        }
    }

    /// Returns the text, for the database.
    pub fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_every_current_version_are_taken() {
        let hash = bcrypt::hash("x", 4).unwrap();
        for version in ["$2a$", "$2b$", "$2y$"] {
            let hash = hash.replacen("$2b$", version, 1);
            assert_eq!(PlainBcrypt::parse(&hash).map(PlainBcrypt::into_text).ok(), Some(hash));
        }
        let php = "$2y$10$.vGA1O9wmRjrwAVXD98HNOgsNpDczlqm3Jq7KnEd1rVAGv3Fykk1a";
        assert!(PlainBcrypt::parse(php).is_ok());
    }

    #[test]
    fn anything_else_is_refused() {
        let hash = bcrypt::hash("x", 4).unwrap();
        for other in [
            "",
            "secret",
            "$2b$",
            &hash[..59],
            &format!("{hash}x"),
            &format!(" {hash}"),
            &hash.replacen("$2b$", "$2x$", 1),
            &hash.replacen("$2b$", "$2$", 1),
            &hash.replacen("$04$", "$03$", 1),
            &hash.replacen("$04$", "$99$", 1),
            &hash.replacen("$04$", "$4$0", 1),
            &format!("{}!", &hash[..59]),
            "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$abcdefghijklmnopqrstuvwxyz",
        ] {
            assert_eq!(PlainBcrypt::parse(other).err(), Some(NoPlainBcrypt::Form), "{other}");
        }
        assert_eq!(PlainBcrypt::parse(&hash.replacen("$04$", "$20$", 1)).err(), Some(NoPlainBcrypt::Cost(20)));
    }
}
