//! The parameters that a PostgreSQL URL may carry, as libpq 18 knows them.
//!
//! libpq finds a wrong one only when it connects, and in words that do not name the setting. Its own parser is within
//! reach of `unsafe` code alone, so this is its list (PostgreSQL manual, 34.1.2 "Parameter Key Words"); a test holds both
//! side by side.

use percent_encoding::percent_decode_str;

use super::invalid::{InvalidDatabaseUrl, Meant};

/// What the value of a parameter may be.
#[derive(Debug, Clone, Copy)]
enum Value {
    Text,
    Number,
    Ports,
    Choice(&'static [&'static str], &'static str),
}

const SWITCH: Value = Value::Choice(&["0", "1"], "0 or 1");

const GSS_MODES: Value = Value::Choice(&["disable", "prefer", "require"], "disable, prefer or require");

const PARAMETERS: [(&str, Value); 51] = [
    ("service", Value::Text),
    ("user", Value::Text),
    ("password", Value::Text),
    ("passfile", Value::Text),
    ("channel_binding", GSS_MODES),
    ("connect_timeout", Value::Number),
    ("dbname", Value::Text),
    ("host", Value::Text),
    ("hostaddr", Value::Text),
    ("port", Value::Ports),
    ("client_encoding", Value::Text),
    ("options", Value::Text),
    ("application_name", Value::Text),
    ("fallback_application_name", Value::Text),
    ("keepalives", SWITCH),
    ("keepalives_idle", Value::Number),
    ("keepalives_interval", Value::Number),
    ("keepalives_count", Value::Number),
    ("tcp_user_timeout", Value::Number),
    (
        "sslmode",
        Value::Choice(
            &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
            "disable, allow, prefer, require, verify-ca or verify-full",
        ),
    ),
    ("sslnegotiation", Value::Choice(&["postgres", "direct"], "postgres or direct")),
    ("sslcompression", SWITCH),
    ("sslcert", Value::Text),
    ("sslkey", Value::Text),
    ("sslcertmode", Value::Choice(&["disable", "allow", "require"], "disable, allow or require")),
    ("sslpassword", Value::Text),
    ("sslrootcert", Value::Text),
    ("sslcrl", Value::Text),
    ("sslcrldir", Value::Text),
    ("sslsni", SWITCH),
    ("requirepeer", Value::Text),
    ("require_auth", Value::Text),
    ("min_protocol_version", Value::Text),
    ("max_protocol_version", Value::Text),
    ("ssl_min_protocol_version", Value::Text),
    ("ssl_max_protocol_version", Value::Text),
    ("gssencmode", GSS_MODES),
    ("krbsrvname", Value::Text),
    ("gsslib", Value::Text),
    ("gssdelegation", SWITCH),
    ("replication", Value::Text),
    (
        "target_session_attrs",
        Value::Choice(
            &["any", "read-write", "read-only", "primary", "standby", "prefer-standby"],
            "any, read-write, read-only, primary, standby or prefer-standby",
        ),
    ),
    ("load_balance_hosts", Value::Choice(&["disable", "random"], "disable or random")),
    ("scram_client_key", Value::Text),
    ("scram_server_key", Value::Text),
    ("oauth_issuer", Value::Text),
    ("oauth_client_id", Value::Text),
    ("oauth_client_secret", Value::Text),
    ("oauth_scope", Value::Text),
    ("sslkeylogfile", Value::Text),
    // Only in a URL, for the clients of Java: it stands for sslmode=require.
    ("ssl", Value::Choice(&["true"], "true")),
];

/// Checks the part of a URL after the question mark.
pub(super) fn check(query: &str) -> Result<(), InvalidDatabaseUrl> {
    let pairs = query.strip_suffix('&').unwrap_or(query).split('&').take(if query.is_empty() { 0 } else { usize::MAX });
    for (index, pair) in pairs.enumerate() {
        let number = index + 1;
        let Some((name, value)) = pair.split_once('=') else {
            return Err(InvalidDatabaseUrl::Parameter { number, meant: Meant(None) });
        };
        let [name, value] = [name, value].map(|text| percent_decode_str(text).decode_utf8_lossy());
        let Some((known, takes)) = PARAMETERS.iter().find(|(known, _)| *known == name) else {
            return Err(InvalidDatabaseUrl::Parameter { number, meant: Meant(nearest(&name)) });
        };
        match takes {
            Value::Number if value.parse::<i32>().is_err() => {
                return Err(InvalidDatabaseUrl::Value { name: known, takes: "a whole number" });
            }
            Value::Ports if !value.split(',').all(is_port) => return Err(InvalidDatabaseUrl::Port),
            Value::Choice(choices, takes) if !choices.contains(&value.as_ref()) => {
                return Err(InvalidDatabaseUrl::Value { name: known, takes });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Tells whether a text is a port; libpq takes its default where one is left out.
pub(super) fn is_port(text: &str) -> bool {
    text.is_empty() || text.parse().is_ok_and(|port: u16| port > 0)
}

fn nearest(name: &str) -> Option<&'static str> {
    let distances = PARAMETERS.iter().map(|(known, _)| (strsim::osa_distance(known, name), *known));
    distances.filter(|(distance, _)| *distance <= 2).min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use diesel::{Connection, PgConnection};

    use super::*;

    /// What libpq says to a URL whose only host is a folder without a socket.
    fn libpq_says(parameter: &str) -> String {
        let url = format!("postgres:///db?host=/nowhere&{parameter}");
        PgConnection::establish(&url).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn libpq_knows_every_parameter_of_the_list_and_no_other() {
        for (name, _) in PARAMETERS {
            let said = libpq_says(&format!("{name}=true"));
            assert!(!said.contains("invalid URI query parameter"), "{name}: {said}");
        }
        for wrong in ["foo", "sslmod", "SSLMODE"] {
            let said = libpq_says(&format!("{wrong}=1"));
            assert!(said.contains("invalid URI query parameter"), "{wrong}: {said}");
        }
    }

    #[test]
    fn libpq_takes_every_choice_of_the_list_and_no_other() {
        for (name, value) in PARAMETERS {
            let Value::Choice(choices, said) = value else { continue };
            for choice in choices {
                assert!(said.contains(choice), "{name}={choice} is not told");
                let said = libpq_says(&format!("{name}={choice}"));
                // A choice that this build of libpq lacks is one all the same.
                assert!(!said.contains(&format!("invalid {name} value")), "{name}={choice}: {said}");
            }
            // Switches, and parameters of what this build leaves out, are looked at later or not at all.
            if !matches!(name, "keepalives" | "sslcompression" | "sslsni" | "gssdelegation" | "ssl") {
                let said = libpq_says(&format!("{name}=bogus"));
                assert!(said.contains(&format!("invalid {name} value")), "{name}=bogus: {said}");
            }
        }
    }
}
