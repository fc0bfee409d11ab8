//! `perennial deploy`: what the programs around this one need to know of it, as the settings in force have it.
//!
//! Printed rather than kept as files, so that it is of the version that runs, and names its own paths and addresses.

mod place;

use askama::Template;
use clap::ValueEnum;

use self::place::Place;
use super::output::{Failure, say, warn};
use crate::config::{Arguments, ClientAddressHeader, DatabaseUrl, Settings};

/// Settings that may hold a secret, and so are never printed into a file that others read.
const SECRET: [&str; 4] = ["JWT_SECRET_KEY", "DATABASE_URL", "DATABASE_DIRECT_URL", "SMTP_URL"];

/// What can be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Target {
    /// Two units: the service, and the socket that outlives it
    Systemd,
    /// A site
    Nginx,
    /// A whole configuration
    Haproxy,
    /// A Caddyfile
    Caddy,
    /// A Dockerfile that starts from nothing
    Docker,
    /// A dashboard of the metrics, to be imported
    Grafana,
    /// Rules for Prometheus
    Alerts,
}

#[derive(Template)]
#[template(path = "deploy/perennial.service", escape = "none")]
struct Systemd {
    program: String,
    environment: Vec<String>,
    secret_names: String,
    writable: Vec<String>,
    listen: String,
}

#[derive(Template)]
#[template(path = "deploy/nginx.conf", escape = "none")]
struct Nginx<'a> {
    forwarded: bool,
    upstream: &'a str,
    host: &'a str,
    port: u16,
}

#[derive(Template)]
#[template(path = "deploy/haproxy.cfg", escape = "none")]
struct Haproxy<'a> {
    forwarded: bool,
    upstream: &'a str,
    host: &'a str,
    port: u16,
}

#[derive(Template)]
#[template(path = "deploy/Caddyfile", escape = "none")]
struct Caddy<'a> {
    site: &'a str,
    upstream: &'a str,
}

#[derive(Template)]
#[template(path = "deploy/Dockerfile", escape = "none")]
struct Docker {
    port: u16,
    environment: Vec<String>,
    secret_names: String,
}

/// Prints what a target needs.
pub(super) fn run(target: Target, settings: &Settings, arguments: &Arguments) -> Result<(), Failure> {
    let text = match target {
        Target::Systemd => systemd(settings, arguments)?,
        Target::Nginx => {
            let place = Place::behind_proxy(settings);
            let forwarded = behind_proxy(settings);
            Nginx { forwarded, upstream: &place.for_nginx(), host: &place.host, port: place.port }.render()?
        }
        Target::Haproxy => {
            let place = Place::behind_proxy(settings);
            let forwarded = behind_proxy(settings);
            Haproxy { forwarded, upstream: &place.for_haproxy(), host: &place.host, port: place.port }.render()?
        }
        Target::Caddy => {
            if behind_proxy(settings) {
                let problem = "CLIENT_ADDRESS_HEADER: Caddy writes X-Forwarded-For, so this takes x-forwarded-for";
                return Err(Failure::Usage(problem.to_owned()));
            }
            let place = Place::behind_proxy(settings);
            Caddy { site: &place.site(), upstream: &place.for_caddy() }.render()?
        }
        Target::Docker => docker(settings, arguments)?,
        Target::Grafana => include_str!("../../../templates/deploy/grafana.json").to_owned(),
        Target::Alerts => include_str!("../../../templates/deploy/alerts.yml").to_owned(),
    };
    say(text.trim_end())
}

/// Says on standard error what a proxy on this machine needs that the settings lack; returns whether it has to write
/// `Forwarded`.
fn behind_proxy(settings: &Settings) -> bool {
    if !settings.public_url.as_ref().is_some_and(|url| url.is_secure()) {
        warn("PUBLIC_URL: set it to the https origin that people type; the certificate and the name are for that");
    }
    if settings.trusted_proxies.is_empty() {
        warn("TRUSTED_PROXIES: set it to 127.0.0.1,::1, or every sign-in seems to come from the proxy");
    }
    settings.client_address_header == ClientAddressHeader::Forwarded
}

fn systemd(settings: &Settings, arguments: &Arguments) -> Result<String, Failure> {
    let program = std::env::current_exe()?;
    let listen = match &settings.unix_socket {
        Some(path) => path.display().to_string(),
        None => settings.bind.to_string(),
    };
    let unit = Systemd {
        program: in_unit(&program.display().to_string()),
        // The socket has the address.
        environment: shown(arguments, &["BIND"]).map(|(name, value)| in_unit(&format!("{name}={value}"))).collect(),
        secret_names: secret_names(arguments),
        writable: writable(settings),
        listen: listen.replace('%', "%%"),
    };
    Ok(unit.render()?)
}

fn docker(settings: &Settings, arguments: &Arguments) -> Result<String, Failure> {
    let environment = shown(arguments, &["BIND"]).map(|(name, value)| format!("{name}={}", in_dockerfile(value)));
    let environment = environment.collect();
    Ok(Docker { port: settings.bind.port(), environment, secret_names: secret_names(arguments) }.render()?)
}

/// Returns the settings that are set and may be read by everybody, but for some.
fn shown<'a>(arguments: &'a Arguments, but: &'a [&str]) -> impl Iterator<Item = (&'static str, &'a str)> {
    let set = arguments.set().into_iter();
    set.filter(move |(name, value)| !is_secret(name, value) && !but.contains(name))
}

/// Returns the names of the settings that are set and may hold secrets.
fn secret_names(arguments: &Arguments) -> String {
    let set = arguments.set().into_iter();
    set.filter(|(name, value)| is_secret(name, value)).map(|(name, _)| name).collect::<Vec<_>>().join(" and ")
}

fn is_secret(name: &str, value: &str) -> bool {
    SECRET.contains(&name) && !value.starts_with("sqlite:")
}

/// Returns the folders outside the state directory that the settings have the program write to.
fn writable(settings: &Settings) -> Vec<String> {
    let database = match &settings.database {
        DatabaseUrl::Sqlite(file) => file.parent(),
        _ => None,
    };
    let backups = settings.backup_every.map(|_| settings.backup_dir.as_path());
    let mail = settings.smtp_url.is_none().then_some(settings.mail_dir.as_path());
    let folders = [database, backups, mail].into_iter().flatten();
    let outside = folders.filter(|folder| folder.is_absolute() && !folder.starts_with("/var/lib/perennial"));
    let mut paths: Vec<String> = outside.map(|folder| in_unit(&folder.display().to_string())).collect();
    paths.sort();
    paths.dedup();
    paths
}

/// Writes a word of a unit: in quotes where it needs them, and with nothing that systemd would replace
/// (`systemd.syntax(7)`).
fn in_unit(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    let plain = escaped.chars().all(|c| c.is_ascii_alphanumeric() || "/._-=:,@%+[]".contains(c));
    if plain { escaped } else { format!("\"{escaped}\"") }
}

/// Writes a value of a Dockerfile's `ENV`.
fn in_dockerfile(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_means_itself_in_a_unit() {
        assert_eq!(in_unit("PUBLIC_URL=https://example.org"), "PUBLIC_URL=https://example.org");
        assert_eq!(in_unit("SITE_NAME=Ada's \"100%\" \\ shop"), "\"SITE_NAME=Ada's \\\"100%%\\\" \\\\ shop\"");
    }

    #[test]
    fn a_value_means_itself_in_a_dockerfile() {
        assert_eq!(in_dockerfile("a $HOME \"b\" \\"), "\"a \\$HOME \\\"b\\\" \\\\\"");
    }
}
