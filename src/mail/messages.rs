//! What the mails of Perennial tell: one type each, whose fields are the placeholders of its two templates.
//!
//! The templates are `templates/mail/*.txt` and `*.html`, or the operator's in their place; see [`MailTemplates`]. The
//! fields are ready to be read: how a time is put into words is not decided here.
//!
//! A mail to an address that nobody has confirmed contains nothing that its registrant wrote: not the name, not the
//! browser's name for itself. Otherwise whoever registers somebody else's address could have this server send them
//! anything, a link included.
//!
//! [`MailTemplates`]: super::MailTemplates

use std::fmt;

use serde::Serialize;

/// Something that is told by mail.
pub trait Message: Serialize {
    /// The name of its two templates, without `.txt` and `.html`.
    const TEMPLATE: &'static str;
}

/// A time as a mail shows it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TimeWords<'a> {
    /// For machines: `2026-11-21T08:30:00Z`.
    pub iso: &'a str,
    /// For people: `21 November 2026, 08:30 UTC`.
    pub words: &'a str,
}

/// A refresh token was used by two parties, and the sign-in was ended; only what this server found out for itself.
#[derive(Debug, Clone, Serialize)]
pub struct TheftNotice<'a> {
    /// When the theft was noticed.
    pub at: TimeWords<'a>,
    /// The address that presented the token, or words where there is none.
    pub address: &'a str,
    /// Where the sign-in had been used last, or words where that is not known.
    pub other_address: &'a str,
    /// The page that lists the user's sign-ins.
    pub devices_url: &'a str,
}

impl Message for TheftNotice<'_> {
    const TEMPLATE: &'static str = "refresh_token_replayed";
}

/// The link by which a new password is set.
#[derive(Serialize)]
pub struct ResetLink<'a> {
    /// The link; whoever holds it may set the password.
    pub url: &'a str,
    /// How many minutes it works.
    pub minutes: i64,
}

impl Message for ResetLink<'_> {
    const TEMPLATE: &'static str = "password_reset_requested";
}

/// Somebody made an account for the recipient; a link sets its password.
#[derive(Serialize)]
pub struct Invitation<'a> {
    /// The link; whoever holds it may set the password.
    pub url: &'a str,
    /// How long it works, in words.
    pub life: &'a str,
    /// The page that sends another link.
    pub again_url: &'a str,
}

impl Message for Invitation<'_> {
    const TEMPLATE: &'static str = "account_made";
}

/// A password was changed, and the sign-ins were ended.
#[derive(Debug, Clone, Serialize)]
pub struct PasswordChanged<'a> {
    /// When it was changed.
    pub at: TimeWords<'a>,
    /// The address it was changed from, or words where there is none.
    pub address: &'a str,
    /// Whether a mailed link did it, which ends every sign-in; otherwise the one that it was changed in goes on.
    pub by_link: bool,
    /// The page that sends a link to set another.
    pub reset_url: &'a str,
}

impl Message for PasswordChanged<'_> {
    const TEMPLATE: &'static str = "password_changed";
}

/// An account is locked, because too many wrong passwords were tried; only what this server found out for itself.
#[derive(Debug, Clone, Serialize)]
pub struct LockNotice<'a> {
    /// When the account was locked.
    pub at: TimeWords<'a>,
    /// The address that the last wrong password came from, or words where there is none.
    pub address: &'a str,
    /// How long the lock lasts; none if it lasts until the owner signs in or sets a new password.
    pub wait: Option<&'a str>,
    /// The site.
    pub site_url: &'a str,
}

impl Message for LockNotice<'_> {
    const TEMPLATE: &'static str = "account_locked";
}

/// Somebody has deleted their account.
#[derive(Debug, Clone, Serialize)]
pub struct AccountDeleted<'a> {
    /// When it was deleted.
    pub at: TimeWords<'a>,
    /// The address it was deleted from, or words where there is none.
    pub address: &'a str,
    /// The site.
    pub site_url: &'a str,
}

impl Message for AccountDeleted<'_> {
    const TEMPLATE: &'static str = "account_deleted";
}

/// The cookies of a bound sign-in came without a proof by its device; only what this server found out for itself.
#[derive(Debug, Clone, Serialize)]
pub struct CopyTried<'a> {
    /// When they came.
    pub at: TimeWords<'a>,
    /// The address they came from, or words where there is none.
    pub address: &'a str,
    /// The page that lists the user's sign-ins.
    pub devices_url: &'a str,
}

impl Message for CopyTried<'_> {
    const TEMPLATE: &'static str = "device_not_proven";
}

/// The link that confirms the address of a new account, and makes it.
#[derive(Serialize)]
pub struct RegistrationLink<'a> {
    /// The link; whoever holds it gets the account.
    pub url: &'a str,
    /// How many hours it works.
    pub hours: i64,
}

impl Message for RegistrationLink<'_> {
    const TEMPLATE: &'static str = "registration_requested";
}

/// Somebody entered the address of an account where a new one is wanted.
#[derive(Debug, Clone, Serialize)]
pub struct AddressInUse<'a> {
    /// The page to sign in.
    pub login_url: &'a str,
    /// The page that sends a link to set a new password.
    pub reset_url: &'a str,
}

impl Message for AddressInUse<'_> {
    const TEMPLATE: &'static str = "address_in_use";
}

/// The link that confirms the new address of an account.
#[derive(Serialize)]
pub struct EmailChangeLink<'a> {
    /// The link; whoever opens it lets the account have the address.
    pub url: &'a str,
    /// How many hours it works.
    pub hours: i64,
}

impl Message for EmailChangeLink<'_> {
    const TEMPLATE: &'static str = "email_change_requested";
}

/// The account has another address from now on; this goes to the old one.
#[derive(Serialize)]
pub struct EmailChanged<'a> {
    /// When it was changed.
    pub at: TimeWords<'a>,
    /// The client address that it was changed from, or words where there is none.
    pub address: &'a str,
    /// The link that undoes it.
    pub undo_url: &'a str,
    /// How many days the link works.
    pub days: i64,
}

impl Message for EmailChanged<'_> {
    const TEMPLATE: &'static str = "email_changed";
}

/// A device that the account did not know signed in.
#[derive(Serialize)]
pub struct NewDevice<'a> {
    /// When it signed in.
    pub at: TimeWords<'a>,
    /// The browser and its system, in words of ours.
    pub device: &'a str,
    /// The client address, or words where there is none.
    pub address: &'a str,
    /// The link that ends the sign-in.
    pub end_url: &'a str,
    /// The page that sends a link to set a new password.
    pub reset_url: &'a str,
}

impl Message for NewDevice<'_> {
    const TEMPLATE: &'static str = "new_device";
}

/// Prints the names alone: each of these holds a link that opens or changes an account.
macro_rules! secret_messages {
    ($($message:ident)*) => {
        $(
            impl fmt::Debug for $message<'_> {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(stringify!($message))
                }
            }
        )*
    };
}

secret_messages!(ResetLink Invitation RegistrationLink EmailChangeLink EmailChanged NewDevice);
