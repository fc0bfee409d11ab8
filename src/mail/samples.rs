//! Examples of every mail: what a template may name, and what it is tried with before it is needed.

use minijinja::Value;
use minijinja::value::Serde;

use super::messages::{
    AccountDeleted, AddressInUse, EmailChangeLink, EmailChanged, Invitation, LockNotice, Message, NewDevice,
    PasswordChanged, RegistrationLink, ResetLink, TheftNotice, TimeWords,
};

/// A mail as it might be: the name of its templates, and what they are filled in with.
pub(super) struct Sample {
    pub(super) template: &'static str,
    pub(super) fields: Value,
}

fn sample<M: Message>(message: &M) -> Sample {
    Sample { template: M::TEMPLATE, fields: Value::from(Serde(message)) }
}

/// Returns at least one example of each mail; one whose template has a choice comes once for each outcome.
pub(super) fn samples() -> Vec<Sample> {
    let at = TimeWords { iso: "2026-11-21T08:30:00Z", words: "21 November 2026, 08:30 UTC" };
    let (address, reset_url) = ("192.0.2.1", "https://example.org/password-reset");
    let url = "https://example.org/verify-email/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let lock = LockNotice { at, address, wait: Some("30 seconds"), site_url: "https://example.org" };
    vec![
        sample(&TheftNotice { at, address, other_address: "198.51.100.7", devices_url: "https://example.org/devices" }),
        sample(&ResetLink { url, minutes: 30 }),
        sample(&Invitation { url, life: "30 minutes", again_url: reset_url }),
        sample(&AccountDeleted { at, address, site_url: "https://example.org" }),
        sample(&PasswordChanged { at, address, by_link: true, reset_url }),
        sample(&PasswordChanged { at, address, by_link: false, reset_url }),
        sample(&lock),
        sample(&LockNotice { wait: None, ..lock }),
        sample(&RegistrationLink { url, hours: 24 }),
        sample(&AddressInUse { login_url: "https://example.org/login", reset_url }),
        sample(&EmailChangeLink { url, hours: 24 }),
        sample(&EmailChanged { at, address, undo_url: url, days: 7 }),
        sample(&NewDevice { at, device: "Firefox on Linux", address, end_url: url, reset_url }),
    ]
}
