//! A person with an account.

use std::fmt;
use std::str::FromStr;

use email_address::{EmailAddress, Options};
use icu_properties::props::{
    BinaryProperty, DefaultIgnorableCodePoint, EnumeratedProperty, GeneralCategory, GeneralCategoryGroup,
};
use time::OffsetDateTime;

use crate::domain::client::is_deceptive;
use crate::domain::id::UserId;
use crate::domain::time_zone::TimeZone;

/// Bytes of an e-mail address at most (RFC 5321 section 4.5.3.1.3: a path of 256 with its angle brackets).
const EMAIL_MAX_BYTES: usize = 254;

/// Characters of a name at most; W3C "Personal names around the world" knows none that is longer.
const NAME_MAX_CHARACTERS: usize = 200;

/// Characters of a role at most: a word and no text.
const ROLE_MAX_CHARACTERS: usize = 50;

/// An e-mail address, trimmed and in lower case, as accounts are found by it.
///
/// Lower case throughout: no provider of note tells two boxes apart by case, and people do type their name with a
/// capital letter. ASCII only in the local part and the domain, so that two addresses that look alike are alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

/// Says that a text is no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Enter an email address in the form name@example.com")]
pub struct InvalidEmail;

impl Email {
    /// Returns the address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim_matches([' ', '\t', '\r', '\n']).to_ascii_lowercase();
        let options = Options::default().without_display_text().without_domain_literal();
        let shaped = text.is_ascii()
            && text.len() <= EMAIL_MAX_BYTES
            && !text.contains(['"', '(', ')', '<', '>', '\\'])
            && EmailAddress::parse_with_options(&text, options).is_ok();
        shaped.then_some(Self(text)).ok_or(InvalidEmail)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name a person wants to be called by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullName(String);

/// Says why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing, or only spaces.
    #[error("Enter your name")]
    Empty,
    /// More than 200 characters.
    #[error("Your name must be 200 characters or fewer")]
    TooLong,
    /// Control characters or bidirectional overrides, which change how the text around a name is shown.
    #[error("Your name must not contain control characters")]
    ControlCharacter,
    /// Nothing that a reader would see.
    #[error("Your name must have at least one character that can be seen")]
    Invisible,
}

impl FullName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FullName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let text = text.trim();
        if text.is_empty() {
            Err(InvalidName::Empty)
        } else if text.chars().count() > NAME_MAX_CHARACTERS {
            Err(InvalidName::TooLong)
        } else if text.chars().any(is_deceptive) {
            Err(InvalidName::ControlCharacter)
        } else if !text.chars().any(is_visible) {
            Err(InvalidName::Invisible)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// Tells whether a character can be seen by itself.
///
/// By Unicode's general categories (UAX #44 section 5.7.1), separators, format and control characters cannot, and a mark is
/// seen only on a letter. Some letters and symbols are blank all the same: those with the property
/// `Default_Ignorable_Code_Point`, such as the Hangul fillers, and two blank symbols. Code points that the Unicode data does
/// not assign count as visible, so that a name in a newer script is accepted.
///
/// A name may contain invisible characters beside visible ones: some scripts need joiners.
fn is_visible(c: char) -> bool {
    const BLANK_SYMBOLS: [char; 2] = ['\u{2800}', '\u{1D159}'];
    let invisible = GeneralCategoryGroup::Separator
        .union(GeneralCategoryGroup::Mark)
        .union(GeneralCategoryGroup::Control)
        .union(GeneralCategoryGroup::Format);
    !invisible.contains(GeneralCategory::for_char(c))
        && !DefaultIgnorableCodePoint::for_char(c)
        && !BLANK_SYMBOLS.contains(&c)
}

/// What a person may do, by a name that the application chooses.
///
/// Perennial itself knows two: an `admin` runs the site, and the first account is one; a `user` uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role(RoleName);

#[derive(Debug, Clone, PartialEq, Eq)]
enum RoleName {
    BuiltIn(BuiltIn),
    Other(Box<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BuiltIn {
    User,
    Admin,
}

impl Role {
    /// Uses the site.
    pub const USER: Self = Self(RoleName::BuiltIn(BuiltIn::User));

    /// Runs the site.
    pub const ADMIN: Self = Self(RoleName::BuiltIn(BuiltIn::Admin));

    /// Returns the name of the role.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            RoleName::BuiltIn(BuiltIn::User) => "user",
            RoleName::BuiltIn(BuiltIn::Admin) => "admin",
            RoleName::Other(name) => name,
        }
    }
}

/// Says that a text is no name of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRole {
    /// Nothing, too long, or with characters that change how the text around them is shown.
    #[error(
        "takes user, admin or a word of the application's own: 1 to {ROLE_MAX_CHARACTERS} characters without spaces"
    )]
    Form,
    /// One of the two that are built in, with capital letters: it would be a role that opens nothing.
    #[error("takes user and admin in lower case")]
    Case,
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        let plain = !text.chars().any(|c| is_deceptive(c) || c.is_whitespace() || !is_visible(c));
        if text.is_empty() || text.chars().count() > ROLE_MAX_CHARACTERS || !plain {
            return Err(InvalidRole::Form);
        }
        let built_in = [Self::USER, Self::ADMIN];
        if built_in.iter().any(|role| role.as_str() != text && role.as_str().eq_ignore_ascii_case(text)) {
            return Err(InvalidRole::Case);
        }
        Ok(Self::from(text.to_owned()))
    }
}

impl From<String> for Role {
    fn from(name: String) -> Self {
        let known = [Self::USER, Self::ADMIN].into_iter().find(|role| role.as_str() == name);
        known.unwrap_or_else(|| Self(RoleName::Other(name.into_boxed_str())))
    }
}

/// A person with an account, as the database knows them now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The number of the account.
    pub id: UserId,
    /// The address they sign in with.
    pub email: Box<str>,
    /// The name they are greeted by.
    pub full_name: Box<str>,
    /// What they may do.
    pub role: Role,
    /// Whether they may sign in at all.
    pub is_active: bool,
    /// When they last signed in with a password.
    pub last_login_at: Option<OffsetDateTime>,
    /// When they did so the time before; the same as the last where nobody noted it.
    pub previous_login_at: Option<OffsetDateTime>,
    /// The time zone that they read times in; UTC where they have chosen none.
    pub time_zone: Option<TimeZone>,
}

impl User {
    /// Returns when they last signed in, apart from the session that began at `this`: on another device since, or the time
    /// before. Nothing at the first sign-in of all.
    pub fn last_login_besides(&self, this: OffsetDateTime) -> Option<OffsetDateTime> {
        self.last_login_at.filter(|at| *at > this).or(self.previous_login_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_trimmed_and_folded() {
        assert_eq!(" Ada@Example.ORG\t".parse::<Email>().map(|e| e.0).as_deref(), Ok("ada@example.org"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "a b@example.org",
            "ada@exa mple.org",
            "ada@example.org\r\nBcc: x",
            "аda@example.org",
            "\"a\"@example.org",
            "Ada <ada@example.org>",
            "ada@[127.0.0.1]",
        ] {
            assert_eq!(text.parse::<Email>(), Err(InvalidEmail), "{text:?}");
        }
        assert_eq!(format!("{}@example.org", "a".repeat(250)).parse::<Email>(), Err(InvalidEmail));
    }

    #[test]
    fn a_role_is_one_word_and_the_built_in_ones_are_in_lower_case() {
        for role in ["user", "admin", "editor", "Éditeur", "support:tier-2"] {
            assert_eq!(role.parse::<Role>().map(|role| role.as_str().to_owned()).as_deref(), Ok(role));
        }
        assert_eq!("admin".parse::<Role>(), Ok(Role::ADMIN));
        for role in ["Admin", "ADMIN", "User"] {
            assert_eq!(role.parse::<Role>(), Err(InvalidRole::Case), "{role}");
        }
        for role in ["", " ", "two words", "a\u{1b}[2J", "\u{202e}nimda", "\u{200b}", &"x".repeat(51)] {
            assert_eq!(role.parse::<Role>(), Err(InvalidRole::Form), "{role:?}");
        }
    }

    #[test]
    fn a_name_of_nothing_that_can_be_seen_is_refused() {
        for name in [
            "\u{200b}",
            "\u{200d}\u{feff}",
            "\u{ad}",
            "\u{34f}",
            "\u{115f}\u{1160}",
            "\u{3164}",
            "\u{ffa0}",
            "\u{2800} \u{2800}",
            "\u{1d159}",
            "\u{fe0f}",
            "\u{e0041}",
            "\u{180e}",
            "\u{301}",
            "\u{2060}\u{a0}\u{2060}",
        ] {
            assert_eq!(name.parse::<FullName>(), Err(InvalidName::Invisible), "{name:?}");
        }
        assert_eq!("\u{a0}\u{3000}".parse::<FullName>(), Err(InvalidName::Empty));
    }

    #[test]
    fn names_are_whatever_people_are_called() {
        for name in ["X", "Ada Lovelace", "María-José O'Neill", "毛泽东", "<b>"] {
            assert_eq!(name.parse::<FullName>().map(|n| n.0).as_deref(), Ok(name));
        }
        assert_eq!("  ".parse::<FullName>(), Err(InvalidName::Empty));
        assert_eq!("a\u{202e}b".parse::<FullName>(), Err(InvalidName::ControlCharacter));
        for name in ["a\u{200d}b", "نا\u{200c}م", "\u{e000}", "e\u{301}", "❤\u{fe0f}", "7", "-"] {
            assert_eq!(name.parse::<FullName>().map(|n| n.0).as_deref(), Ok(name), "{name:?}");
        }
        assert_eq!("x".repeat(201).parse::<FullName>(), Err(InvalidName::TooLong));
    }
}
