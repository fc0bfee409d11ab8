//! What is odd about settings that make sense: said at the start in a line each, and again by `perennial doctor`.

use std::net::{IpAddr, Ipv4Addr};

use time::Duration;

use super::arguments::NAMES;
use super::settings::Settings;
use crate::domain::public_url::PublicUrl;

/// Messages that are under way for an hour are lost. Until the grace is over, a copied token goes unnoticed.
const LONGEST_GRACE: Duration = Duration::hours(1);

/// The cost from which on one password takes seconds of a processor: 15 is eight times the default.
const HIGHEST_COST: u32 = 15;

/// The shortest name that is taken for a misspelling. `BIND` is one letter away from too many words.
const SHORTEST_NAME: usize = 6;

/// Returns what is odd about the settings, if they make sense, and about the environment that they come from.
pub fn warnings(settings: Option<&Settings>) -> Vec<String> {
    let names: Vec<String> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    settings.map(of_values).unwrap_or_default().into_iter().chain(of_names(&names)).collect()
}

fn of_values(settings: &Settings) -> Vec<String> {
    let mut found = Vec::new();
    if settings.lifetimes.reuse_grace > LONGEST_GRACE {
        found.push(
            "REUSE_GRACE: over an hour is longer than any message is under way, and a copied sign-in goes unnoticed for four \
             times that"
                .to_owned(),
        );
    }
    if settings.bcrypt_cost > HIGHEST_COST {
        found.push(format!(
            "BCRYPT_COST: {} takes seconds for each sign-in, and as long for each wrong password; 12 is the default",
            settings.bcrypt_cost
        ));
    }
    if settings.trusted_proxies.iter().any(|network| network.prefix_len() == 0) {
        found.push(
            "TRUSTED_PROXIES: every address is trusted, so every client chooses the one that it is seen under; name the \
             proxies alone"
                .to_owned(),
        );
    }
    let this_machine = IpAddr::V4(Ipv4Addr::LOCALHOST);
    if settings.unix_socket.is_some() && !settings.trusted_proxies.iter().any(|it| it.contains(&this_machine)) {
        found.push(
            "TRUSTED_PROXIES: whoever comes by the Unix socket of BIND counts as 127.0.0.1, so add that, or every sign-in \
             seems to come from this machine"
                .to_owned(),
        );
    }
    if settings.public_url.as_ref().is_some_and(is_in_the_clear) {
        found.push(
            "PUBLIC_URL: over plain http, passwords and cookies can be read on their way; use https, with a proxy in front"
                .to_owned(),
        );
    }
    found
}

fn is_in_the_clear(url: &PublicUrl) -> bool {
    !url.is_secure() && !url.is_loopback()
}

/// Looks for variables that do nothing although somebody may believe that they do.
fn of_names(names: &[String]) -> Vec<String> {
    let found = names.iter().filter_map(|name| {
        let meant = meant(name)?;
        Some(format!("{name}: is no setting and does nothing; did you mean {meant}?"))
    });
    let mut found: Vec<String> = found.collect();
    found.sort();
    found
}

/// Returns the setting that a name is one letter away from, if it is none itself: one letter more, fewer or another, or two
/// swapped.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    let mut known = NAMES.iter();
    if name.len() < SHORTEST_NAME || NAMES.contains(&name) {
        return None;
    }
    known.find(|known| known.len() >= SHORTEST_NAME && strsim::osa_distance(known, name) == 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Arguments;

    fn said(change: impl FnOnce(&mut Arguments)) -> Vec<String> {
        let mut arguments = Arguments::default();
        change(&mut arguments);
        let found = of_values(&arguments.settings().unwrap());
        found.iter().map(|line| line.split(':').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn values_are_odd_beyond_a_bound_and_not_at_it() {
        assert_eq!(said(|_| {}), [""; 0]);
        assert_eq!(said(|settings| settings.reuse_grace = Some("1h".into())), [""; 0]);
        assert_eq!(said(|settings| settings.reuse_grace = Some("3601s".into())), ["REUSE_GRACE"]);
        assert_eq!(said(|settings| settings.bcrypt_cost = Some("15".into())), [""; 0]);
        assert_eq!(said(|settings| settings.bcrypt_cost = Some("16".into())), ["BCRYPT_COST"]);
        assert_eq!(said(|settings| settings.trusted_proxies = Some("10.0.0.0/8,::1".into())), [""; 0]);
        for everybody in ["0.0.0.0/0", "::/0", "10.0.0.1,0.0.0.0/0"] {
            assert_eq!(said(|settings| settings.trusted_proxies = Some(everybody.into())), ["TRUSTED_PROXIES"]);
        }
        for private in ["http://localhost:80", "http://127.0.0.1:8080", "http://[::1]", "https://example.org"] {
            assert_eq!(said(|settings| settings.public_url = Some(private.into())), [""; 0], "{private}");
        }
        assert_eq!(said(|settings| settings.public_url = Some("http://example.org".into())), ["PUBLIC_URL"]);
    }

    #[test]
    fn a_name_one_letter_away_is_a_misspelling_and_no_other_is() {
        for (name, setting) in [
            ("JWT_SECRET_KEYS", "JWT_SECRET_KEY"),
            ("ACESS_TOKEN_TTL", "ACCESS_TOKEN_TTL"),
            ("ACCESS_TOKNE_TTL", "ACCESS_TOKEN_TTL"),
            ("DATABASE_URI", "DATABASE_URL"),
            ("SITE_NAMES", "SITE_NAME"),
        ] {
            assert_eq!(meant(name), Some(setting), "{name}");
        }
        for name in ["PATH", "KIND", "BLIND", "MAIL", "HOME", "DATABASE", "PUBLIC_URLS_OLD", "access_token_ttl"] {
            assert_eq!(meant(name), None, "{name}");
        }
        for name in NAMES {
            assert_eq!(meant(name), None, "{name} is a setting itself");
        }
    }
}
