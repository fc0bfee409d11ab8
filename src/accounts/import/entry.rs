//! One record of a file of users: what it must hold, and what may be wrong with it.

use crate::crypto::{NoPlainBcrypt, PlainBcrypt};
use crate::domain::user::{Email, FullName, InvalidName};
use crate::store::user_import::ImportedUser;

/// What a record may hold, by its names in the file.
pub const COLUMNS: [&str; 4] = ["email", "full_name", "password_hash", "is_active"];

/// What a record holds, as text.
#[derive(Default, Clone)]
pub struct Fields {
    /// `email`
    pub email: Option<String>,
    /// `full_name`
    pub full_name: Option<String>,
    /// `password_hash`
    pub password_hash: Option<String>,
    /// `is_active`
    pub is_active: Option<String>,
}

impl Fields {
    /// Returns the field of this name, if a record has one.
    pub fn named(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "email" => Some(&mut self.email),
            "full_name" => Some(&mut self.full_name),
            "password_hash" => Some(&mut self.password_hash),
            "is_active" => Some(&mut self.is_active),
            _ => None,
        }
    }
}

/// Why a line cannot be imported. It repeats nothing of the line but an address, since the rest may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineProblem {
    /// Bytes that are no text.
    #[error("is not UTF-8")]
    NotText,
    /// Another number of fields than the header has.
    #[error("has {found} fields, and the header has {expected}")]
    FieldCount {
        /// Fields of the line.
        found: usize,
        /// Fields of the header.
        expected: usize,
    },
    /// No JSON, or no object.
    #[error("is no JSON object")]
    NoObject,
    /// A field of another type than text, or truth for `is_active`.
    #[error("{0} is of the wrong type")]
    Type(&'static str),
    /// A field that users do not have; a misspelt `is_active` would activate everybody.
    #[error("has an unknown field; there are email, full_name, password_hash and is_active")]
    UnknownField,
    /// A field that every line must have.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The address is none.
    #[error("email is no address in the form name@example.com")]
    Email,
    /// The name is none.
    #[error("{0}")]
    Name(&'static str),
    /// The hash is none that can be verified.
    #[error("password_hash {0}")]
    Hash(#[from] NoPlainBcrypt),
    /// Neither true nor false.
    #[error("is_active takes true, false, 1 or 0")]
    IsActive,
    /// The address is in the file already.
    #[error("{email} is on line {first} already")]
    Repeated {
        /// The address.
        email: Email,
        /// The line that has it first.
        first: u64,
    },
    /// The address has an account already.
    #[error("{0} has an account already")]
    Taken(Email),
}

impl From<InvalidName> for LineProblem {
    fn from(problem: InvalidName) -> Self {
        Self::Name(match problem {
            InvalidName::Empty => "full_name is empty",
            InvalidName::TooLong => "full_name is longer than 200 characters",
            InvalidName::ControlCharacter => "full_name has control characters",
            InvalidName::Invisible => "full_name has no character that can be seen",
        })
    }
}

/// Reads a user from the fields of a record.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn read(fields: &Fields) -> Result<ImportedUser, LineProblem> {
    let required = |value: &'_ Option<String>, name| value.clone().ok_or(LineProblem::Missing(name));
    let email = required(&fields.email, "email")?.parse::<Email>().map_err(|_| LineProblem::Email)?;
    let full_name = required(&fields.full_name, "full_name")?.parse::<FullName>()?;
    let hash = PlainBcrypt::parse(required(&fields.password_hash, "password_hash")?.trim())?;
    let is_active = match fields.is_active.as_deref().map(str::trim) {
        None => true,
        Some(text) if text == "1" || text.eq_ignore_ascii_case("true") => true,
        Some(text) if text == "0" || text.eq_ignore_ascii_case("false") => false,
        Some(_) => return Err(LineProblem::IsActive),
    };
    Ok(ImportedUser { email, full_name, password_hash: hash.into_text(), is_active })
}
