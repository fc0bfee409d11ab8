//! An address with the name of whoever it belongs to.

use std::fmt;
use std::str::FromStr;

use crate::domain::client::is_deceptive;

/// An address with or without a name: `no-reply@example.org`, or `Perennial <no-reply@example.org>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    name: Option<String>,
    address: String,
}

/// Says that a text is no mailbox; it is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("takes an address such as Perennial <no-reply@example.org>")]
pub struct InvalidMailbox;

impl Mailbox {
    /// Returns the same address under another name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// Returns the name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the address alone.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl FromStr for Mailbox {
    type Err = InvalidMailbox;

    fn from_str(text: &str) -> Result<Self, InvalidMailbox> {
        if text.chars().any(is_deceptive) { Err(InvalidMailbox) } else { parse(text) }
    }
}

/// Reads it as the mail library will read the header.
#[cfg(feature = "smtp")]
fn parse(text: &str) -> Result<Mailbox, InvalidMailbox> {
    let mailbox: lettre::message::Mailbox = text.parse().map_err(|_| InvalidMailbox)?;
    Ok(Mailbox { name: mailbox.name, address: mailbox.email.to_string() })
}

/// Reads an address, or a name without quotation marks and an address in angle brackets.
#[cfg(not(feature = "smtp"))]
fn parse(text: &str) -> Result<Mailbox, InvalidMailbox> {
    let (name, address) = match text.strip_suffix('>') {
        Some(rest) => rest.rsplit_once('<').ok_or(InvalidMailbox)?,
        None => ("", text),
    };
    let (name, address) = (name.trim(), address.trim());
    let plain = !name.contains(['"', '<', '>', '@', ',', ';', ':', '\\']) && !address.contains([' ', '<', '>', ',']);
    let (local, host) = address.rsplit_once('@').ok_or(InvalidMailbox)?;
    if plain && !local.is_empty() && !local.contains('@') && !host.is_empty() && address.is_ascii() {
        Ok(Mailbox { name: (!name.is_empty()).then(|| name.to_owned()), address: address.to_owned() })
    } else {
        Err(InvalidMailbox)
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address),
            None => f.write_str(&self.address),
        }
    }
}
