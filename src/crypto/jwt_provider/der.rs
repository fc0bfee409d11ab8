//! The little DER that `ring` does not read for us: the parts of a public RSA key, and the key inside an SPKI
//! (SubjectPublicKeyInfo).
//!
//! Lengths must have their shortest form, and none may exceed 65,535 bytes: no key that long is accepted.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

// The contents of an AlgorithmIdentifier: an object identifier and its parameters.
/// rsaEncryption with NULL (RFC 3279 section 2.3.1).
pub(super) const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// id-ecPublicKey with secp256r1 (RFC 5480 section 2.1.1).
pub(super) const P256: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// id-ecPublicKey with secp384r1 (RFC 5480 section 2.1.1).
pub(super) const P384: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
/// id-Ed25519 without parameters (RFC 8410 section 3).
pub(super) const ED25519: &[u8] = b"\x06\x03\x2b\x65\x70";

/// Takes the key out of an SPKI for this algorithm (RFC 5280 section 4.1), and returns anything else as it came.
pub(super) fn subject_public_key<'a>(key: &'a [u8], algorithm: &[u8]) -> &'a [u8] {
    let unwrapped = || {
        let (identifier, rest) = element(SEQUENCE, only(SEQUENCE, key)?)?;
        // A bit string begins with the number of bits that its last byte does not use: none, in a key.
        let key = only(BIT_STRING, rest)?.strip_prefix(&[0])?;
        (identifier == algorithm).then_some(key)
    };
    unwrapped().unwrap_or(key)
}

/// Takes `n` and `e` out of a public key, be it PKCS#1 (RFC 8017 appendix A.1.1) or that within an SPKI.
pub(super) fn rsa_public_key(key: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (n, rest) = element(INTEGER, only(SEQUENCE, subject_public_key(key, RSA))?)?;
    let e = only(INTEGER, rest)?;
    // The highest bit is the sign.
    let positive = |integer: &[u8]| integer.first().is_some_and(|byte| *byte < 0x80);
    (positive(n) && positive(e)).then(|| (without_leading_zeros(n), without_leading_zeros(e)))
}

pub(super) fn without_leading_zeros(integer: &[u8]) -> Vec<u8> {
    integer.iter().copied().skip_while(|byte| *byte == 0).collect()
}

/// Reads the contents of the one element that `input` is.
fn only(tag: u8, input: &[u8]) -> Option<&[u8]> {
    element(tag, input).and_then(|(contents, rest)| rest.is_empty().then_some(contents))
}

/// Reads the contents of the first element, which must have this tag, and what follows it.
fn element(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match input.strip_prefix(&[tag])? {
        [length @ 0x00..=0x7f, rest @ ..] => (usize::from(*length), rest),
        [0x81, length @ 0x80..=0xff, rest @ ..] => (usize::from(*length), rest),
        [0x82, high @ 0x01..=0xff, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}
