//! What stands for an account, a device or a client address where something is counted: a hash, so that no backup holds the
//! addresses of people who have no account here.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use crate::domain::id::DeviceId;
use crate::domain::throttle::counted_address;
use crate::domain::user::Email;

pub(super) fn account_key(email: &Email) -> Vec<u8> {
    key("account", &[email.as_str().as_bytes()])
}

pub(super) fn device_key(account: &[u8], device: DeviceId) -> Vec<u8> {
    key("device", &[account, device.as_bytes()])
}

pub(super) fn form_key(kind: &'static str, address: IpAddr) -> Vec<u8> {
    key("form by address", &[kind.as_bytes(), address_text(address).as_bytes()])
}

pub(super) fn address_text(address: IpAddr) -> String {
    counted_address(address).to_string()
}

/// Returns what stands for something that is counted; no two parts run into each other.
pub(super) fn key(kind: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut digest = Sha256::new_with_prefix(kind);
    for part in parts {
        digest.update([0]);
        digest.update(part);
    }
    digest.finalize().to_vec()
}
