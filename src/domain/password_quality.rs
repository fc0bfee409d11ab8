//! What makes a password too easy to guess.
//!
//! Three questions: is it on a list of leaked passwords, is it made of what everybody knows of its owner, and does
//! [`zxcvbn`](https://docs.rs/zxcvbn) (Wheeler, "zxcvbn: Low-Budget Password Strength Estimation", USENIX Security 2016)
//! need too few guesses for it. There are no rules of composition (NIST SP 800-63B-4 section 3.1.1.2).
//!
//! It takes some tenths of a millisecond as a rule, and 70 ms for the worst input found, so call it where passwords are
//! hashed. The first call builds zxcvbn's dictionaries, which takes 20 ms and 8 MB that stay.

use zeroize::Zeroizing;
use zxcvbn::zxcvbn;

use crate::domain::leaked_passwords;
use crate::domain::password::Password;

/// Guesses that a password must take at least, by zxcvbn's count.
///
/// zxcvbn calls 10^8 "safely unguessable" and gives them to any three words, however common: `thisismypassword`. Three times
/// that refuses such ones, and of three random words of a Diceware list one set in a thousand if they are written together,
/// and none with anything in between.
const GUESSES: u64 = 300_000_000;

/// Characters from which on a password must take that many guesses. A shorter one, where the operator allows it, could
/// not: zxcvbn gives a random character ten guesses.
const FULL_LENGTH: usize = 11;

/// How many of its characters a shorter password may waste, which a random one does by holding a word or a date.
const WASTE: usize = 2;

/// Guesses for the shortest passwords: those that sign in may be from a time when no length was asked for.
const FEWEST_GUESSES: u64 = 1_000_000;

/// Characters that are looked at: zxcvbn takes time by the square of them and more, 0.7 s for the worst of 100. What is
/// hard to guess by its first 32 is hard to guess.
const LOOKED_AT: usize = 32;

/// Letters of a word at least that counts as its owner's: shorter ones are part of too many others.
const SHORTEST_WORD: usize = 3;

/// Guesses that what is left of a password must take where words of its owner's were taken out: six random characters.
const GUESSES_BESIDE_OWN: u64 = 1_000_000;

/// Why a password is too easy to guess; in words, to somebody who chooses one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// It is known from other sites.
    #[error(
        "This password is on lists of common and leaked passwords. Choose another: three random words make a good one."
    )]
    Leaked,
    /// It is what everybody knows of its owner or the site.
    #[error(
        "This password is made of your name, your email address or the name of this site. Choose another: three random words make a good one."
    )]
    Personal,
    /// It is made of what is tried first.
    #[error(
        "This password is easy to guess: it is made of very common words or patterns. Choose another: three random words make a good one."
    )]
    Guessable,
}

impl Weakness {
    const ALL: [Self; 3] = [Self::Leaked, Self::Personal, Self::Guessable];

    /// Returns the name of the weakness.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leaked => "leaked",
            Self::Personal => "personal",
            Self::Guessable => "guessable",
        }
    }

    /// Finds a weakness by its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|weakness| weakness.as_str() == name)
    }
}

/// What everybody knows of somebody: the words of their name and address, and those of the site.
#[derive(Debug, Clone, Default)]
pub struct OwnWords {
    /// Letters and digits in lower case, the longest first.
    words: Vec<String>,
    /// What is written as a whole.
    phrases: Vec<String>,
}

impl OwnWords {
    /// Collects the words of a name, an e-mail address, and the name and the host of the site.
    pub fn new(full_name: &str, email: &str, site_name: &str, host: &str) -> Self {
        let (local, domain) = email.rsplit_once('@').unwrap_or((email, ""));
        let phrases: Vec<_> = [full_name, email, local, domain, host, site_name].map(str::to_lowercase).into();
        let parts =
            [full_name, local, without_last_label(domain), without_last_label(host), site_name].map(str::to_lowercase);
        let split = parts.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        let mut words: Vec<_> =
            split.map(str::to_owned).chain(parts.iter().map(|text| plain(text).to_string())).collect();
        words.retain(|word| word.chars().count() >= SHORTEST_WORD);
        words.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        words.dedup();
        Self { words, phrases }
    }

    /// Returns what is left of a text of letters and digits without these words; nothing if it has none of them.
    fn taken_out_of(&self, text: &str) -> Option<Zeroizing<String>> {
        let mut left = Zeroizing::new(text.to_owned());
        for word in self.words.iter().filter(|word| text.contains(word.as_str())) {
            left = Zeroizing::new(left.replace(word.as_str(), ""));
        }
        (left.len() < text.len()).then_some(left)
    }

    fn dictionary(&self) -> Vec<&str> {
        self.phrases.iter().chain(&self.words).map(String::as_str).collect()
    }
}

/// Returns a domain without its last label, which many share: `org`.
fn without_last_label(domain: &str) -> &str {
    domain.rsplit_once('.').map_or(domain, |(labels, _)| labels)
}

/// Returns the letters and digits of a text in lower case.
fn plain(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect())
}

/// Says what makes a password too easy to guess, if anything does.
pub fn weakness(password: &Password, own: &OwnWords) -> Option<Weakness> {
    let text = password.as_str();
    if leaked_passwords::contains(text) {
        return Some(Weakness::Leaked);
    }
    let start = beginning(text);
    let dictionary = own.dictionary();
    let left = own.taken_out_of(&plain(&start));
    if left.as_ref().is_some_and(|left| zxcvbn(left, &[]).guesses() < GUESSES_BESIDE_OWN) {
        return Some(Weakness::Personal);
    }
    if zxcvbn(&start, &dictionary).guesses() >= guesses_needed(text.chars().count()) {
        return None;
    }
    Some(if left.is_some() { Weakness::Personal } else { Weakness::Guessable })
}

fn beginning(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.chars().take(LOOKED_AT).collect())
}

/// Returns how many guesses a password of this many characters must take.
fn guesses_needed(length: usize) -> u64 {
    if length >= FULL_LENGTH {
        return GUESSES;
    }
    let digits = u32::try_from(length.saturating_sub(WASTE)).unwrap_or_default();
    10_u64.saturating_pow(digits).max(FEWEST_GUESSES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<Weakness> {
        let own =
            OwnWords::new("Ada María Lovelace", "countess.ada@engine.example", "Perennial", "sign-in.example.org");
        weakness(&Password::entered(text.to_owned()).unwrap(), &own)
    }

    #[test]
    fn random_words_are_accepted_in_whatever_way_they_are_written() {
        for good in [
            "three random words",
            "correct horse battery staple 42",
            "orchard lantern + meadow %41",
            "orchard lantern meadow",
            "orchard-lantern-meadow",
            "orchardlanternmeadow",
            "OrchardLanternMeadow",
            "cat dog house blue",
            "kaffee tasse fenster",
            "дерево окно облако",
            "窓の外の青い鳥と赤い花が咲いた朝",
            "kX9#mP2$vL5@qR8",
            "9f8a7d6c5b4e3f2a",
        ] {
            assert_eq!(found(good), None, "{good}");
        }
    }

    #[test]
    fn what_leaked_is_refused() {
        for leaked in [
            "manchesterunited",
            "ManchesterUnited",
            "123456789012345",
            "password123456789",
            "bismillah1234567",
            "password1",
        ] {
            assert_eq!(found(leaked), Some(Weakness::Leaked), "{leaked}");
        }
    }

    #[test]
    fn a_common_password_that_is_repeated_padded_or_typed_along_the_keys_is_refused() {
        for guessable in [
            "password12345678999",
            "passwordpasswordpassword",
            "P@ssw0rdP@ssw0rd",
            "qwertyuiopasdfghj",
            "letmeinletmeinletmein",
            "summer2026summer2026",
            "manchesterunited1",
            "letmeinplease2026",
            "footballbaseballbasketball",
            "aaaaaaaaaaaaaaaaaaaab",
            "abcabcabcabcabcabcabc",
            &"a".repeat(1024),
        ] {
            assert_eq!(found(guessable), Some(Weakness::Guessable), "{guessable}");
        }
    }

    #[test]
    fn what_everybody_knows_of_its_owner_is_refused_however_it_is_written() {
        for personal in [
            "adalovelace1815",
            "Ada María Lovelace",
            "Ada-Maria-Lovelace!",
            "countess.ada@engine.example",
            "LovelaceLovelace",
            "Lovelace 1815 Lovelace",
            "perennialperennial",
            "Perennial password",
            "sign-in.example.org",
            "countess countess 123",
        ] {
            assert_eq!(found(personal), Some(Weakness::Personal), "{personal}");
        }
    }

    #[test]
    fn a_word_of_ones_own_beside_random_ones_does_no_harm() {
        for good in
            ["lovelace orchard lantern", "ada kX9#mP2$vL5", "a perennial orchard lantern", "adamant meadow lantern"]
        {
            assert_eq!(found(good), None, "{good}");
        }
    }

    #[test]
    fn a_short_password_is_measured_by_what_a_random_one_of_its_length_takes() {
        for good in ["kX9#mP2$", "zq7!vh2w", "x0the9Vq", "rT4%wq"] {
            assert_eq!(found(good), None, "{good}");
        }
        for weak in ["123456", "letmein", "summer26", "Passw0rd!", "ada1815", "x", "kX9#"] {
            assert!(found(weak).is_some(), "{weak}");
        }
    }

    #[test]
    fn a_name_without_words_of_its_own_says_nothing_of_a_password() {
        let own = OwnWords::new("X", "x@y.zz", "Perennial", "localhost");
        let password = Password::entered("orchard lantern meadow".to_owned()).unwrap();
        assert_eq!(weakness(&password, &own), None);
    }

    #[test]
    fn a_weakness_is_found_by_its_name() {
        for weakness in Weakness::ALL {
            assert_eq!(Weakness::named(weakness.as_str()), Some(weakness));
        }
        assert_eq!(Weakness::named(""), None);
    }
}
