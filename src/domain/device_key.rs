//! The public key of a device that a sign-in is bound to.

/// Bytes of a key: x and y of a point on P-256, 32 each (RFC 7518 section 6.2.1).
pub const DEVICE_KEY_BYTES: usize = 64;

/// What both coordinates follow.
const UNCOMPRESSED: u8 = 4;

/// The public key of a device: the coordinates of a point on P-256, as the browser registered them.
///
/// It is no secret: it verifies what the device signs, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceKey([u8; DEVICE_KEY_BYTES]);

impl DeviceKey {
    /// Wraps the bytes of x and y.
    pub const fn from_bytes(bytes: [u8; DEVICE_KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of x and y, for the database.
    pub fn as_bytes(&self) -> &[u8; DEVICE_KEY_BYTES] {
        &self.0
    }

    /// Returns the point as libraries read it, uncompressed (SEC 1 section 2.3.3).
    pub fn uncompressed_point(&self) -> [u8; DEVICE_KEY_BYTES + 1] {
        let mut point = [UNCOMPRESSED; DEVICE_KEY_BYTES + 1];
        if let Some((_, coordinates)) = point.split_first_mut() {
            coordinates.copy_from_slice(&self.0);
        }
        point
    }
}
