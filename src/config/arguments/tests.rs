//! What a setting takes, and what is said of what it does not.

use std::path::PathBuf;

use super::*;
use crate::config::settings::ClientAddressHeader;

fn error(arguments: Arguments) -> Option<String> {
    arguments.settings().err().map(|error| error.to_string())
}

#[test]
fn the_defaults_are_the_contracts() {
    let lifetimes = Arguments::default().settings().map(|settings| settings.lifetimes);
    assert_eq!(
        lifetimes,
        Ok(Lifetimes {
            access: Duration::minutes(15),
            kept: Duration::days(30),
            idle: Duration::days(14),
            browser_session: Duration::hours(24),
            reuse_grace: Duration::seconds(30),
        })
    );
}

#[test]
fn the_older_names_are_read_only_where_the_newer_are_unset() {
    let older = Arguments { token_expiry_hours: Some("0.5".into()), ..Arguments::default() };
    assert_eq!(older.settings().map(|s| s.lifetimes.access), Ok(Duration::minutes(30)));
    let both = Arguments { access_token_ttl: Some("1m".into()), ..older };
    assert_eq!(both.settings().map(|s| s.lifetimes.access), Ok(Duration::minutes(1)));
}

#[test]
fn a_bad_value_is_named_with_what_it_takes() {
    let bad = Arguments { access_token_ttl: Some("soon".into()), ..Arguments::default() };
    assert_eq!(
        error(bad).as_deref(),
        Some("ACCESS_TOKEN_TTL: takes a duration such as 90s, 15m, 36h or 30d, at most 3650d")
    );
    let bad = Arguments { jwt_secret_key: Some("hunter2".into()), ..Arguments::default() };
    assert!(error(bad).is_some_and(|line| line.starts_with("JWT_SECRET_KEY: takes") && !line.contains("hunter2")));
}

#[test]
fn a_server_of_many_nodes_needs_a_key_that_they_share() {
    let postgres = Arguments { database_url: Some("postgres://localhost/x".into()), ..Arguments::default() };
    assert!(error(postgres.clone()).is_some_and(|line| line.starts_with("JWT_SECRET_KEY: is required")));
    assert_eq!(error(Arguments { jwt_secret_key: Some("k".repeat(32)), ..postgres }), None);
    let wrong = Arguments { database_url: Some("mysql://ada:hunter2@localhost/x".into()), ..Arguments::default() };
    assert!(error(wrong).is_some_and(|line| line.starts_with("DATABASE_URL: takes") && !line.contains("hunter2")));
}

#[test]
fn a_bad_mail_setting_is_named_without_its_password() {
    let bad = Arguments { smtp_url: Some("smtp://ada:hunter2@".into()), ..Arguments::default() };
    assert!(error(bad).is_some_and(|line| line.starts_with("SMTP_URL: takes smtps://") && !line.contains("hunter2")));
    let bad = Arguments { mail_from: Some("Perennial".into()), ..Arguments::default() };
    assert!(error(bad).is_some_and(|line| line.starts_with("MAIL_FROM: takes")));
    let good = Arguments { smtp_url: Some("smtp://ada:hunter2@localhost".into()), ..Arguments::default() };
    assert!(!format!("{good:?} {:?}", good.settings().unwrap()).contains("hunter2"));
    assert_eq!(Arguments::default().settings().unwrap().mail_dir, PathBuf::from("mail"));
}

#[test]
fn one_header_is_believed_and_its_name_has_no_case() {
    for (text, header) in [
        (None, ClientAddressHeader::XForwardedFor),
        (Some("X-Forwarded-For"), ClientAddressHeader::XForwardedFor),
        (Some("forwarded"), ClientAddressHeader::Forwarded),
    ] {
        let chosen = Arguments { client_address_header: text.map(str::to_owned), ..Arguments::default() };
        assert_eq!(chosen.settings().map(|settings| settings.client_address_header), Ok(header));
    }
    for text in ["", "x-real-ip", "x-forwarded-for,forwarded"] {
        let bad = Arguments { client_address_header: Some(text.into()), ..Arguments::default() };
        assert_eq!(error(bad).as_deref(), Some("CLIENT_ADDRESS_HEADER: takes x-forwarded-for or forwarded"));
    }
}

#[test]
fn a_cheap_hash_is_for_this_machine_alone() {
    let cheap = Arguments { bcrypt_cost: Some("4".into()), ..Arguments::default() };
    assert_eq!(error(cheap.clone()), None);
    let public = Arguments { public_url: Some("https://example.org".into()), ..cheap };
    assert!(error(public).is_some_and(|line| line.starts_with("BCRYPT_COST")));
}
