//! The settings as flags and environment variables of the same name.

use std::env::VarError;

use secrecy::SecretString;
use time::Duration;

use super::parse;
use super::settings::{SettingError, Settings};
use crate::domain::public_url::PublicUrl;
use crate::domain::session::Lifetimes;
use crate::store::url::DatabaseUrl;

/// bcrypt's cost below which a password is cheap to guess (OWASP Password Storage Cheat Sheet: at least 10).
const COST_FLOOR: u32 = 10;

/// Where nothing else is said.
const DEFAULT_BIND: &str = "127.0.0.1:8080";

/// Backups that are kept at most: a folder that can be looked through in no time.
const MOST_BACKUPS: u32 = 10_000;

macro_rules! arguments {
    ($($field:ident $variable:literal $value:literal $(secret $secret:literal)?: $help:literal;)*) => {
        /// The environment variables that are read.
        pub(super) const NAMES: &[&str] = &[$($variable),*];

        /// The settings as they were typed, not yet understood.
        ///
        /// Every one is optional text here, so that a bad value is answered by one line of ours that names the
        /// variable, and so that "not set" can be told from "set to the default".
        #[derive(Clone, Default)]
        pub struct Arguments {
            $(
                #[doc = concat!("`", $variable, "`, a `", $value, "`: `", $help, "`.")]
                pub $field: Option<String>,
            )*
        }

        /// The settings as flags and environment variables of the command line.
        #[cfg(feature = "cli")]
        #[derive(clap::Args)]
        pub struct Flags {
            $(
                #[arg(long, env = $variable, global = true, hide_env_values = true, value_name = $value, help = $help, help_heading = "Settings", allow_hyphen_values = true)]
                $field: Option<String>,
            )*
        }

        #[cfg(feature = "cli")]
        impl From<Flags> for Arguments {
            fn from(flags: Flags) -> Self {
                Self { $($field: flags.$field,)* }
            }
        }

        impl Arguments {
            /// Sets what is not set yet, by the name of its variable; returns whether it did.
            pub(super) fn fill(&mut self, name: &str, value: &str) -> bool {
                match name {
                    $($variable if self.$field.is_none() => self.$field = Some(value.to_owned()),)*
                    _ => return false,
                }
                true
            }

            /// Tells whether something is set, by the name of its variable.
            pub(super) fn is_set(&self, name: &str) -> bool {
                match name {
                    $($variable => self.$field.is_some(),)*
                    _ => false,
                }
            }

            /// Returns what is set, by the names of the variables.
            pub(crate) fn set(&self) -> Vec<(&'static str, &str)> {
                let all = [$(($variable, self.$field.as_deref()),)*];
                all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
            }

            /// Sets what is not set yet from the environment variables whose names begin with `prefix`.
            ///
            /// # Errors
            /// If a variable is not UTF-8; it is named, without the prefix, and not repeated.
            pub(crate) fn fill_from_environment(&mut self, prefix: &str) -> Result<(), SettingError> {
                $(
                    if self.$field.is_none() {
                        self.$field = variable(prefix, $variable)?;
                    }
                )*
                Ok(())
            }

            /// Reads the environment variables alone, for a program with a command line of its own.
            ///
            /// # Errors
            /// If a variable is not UTF-8; it is named and not repeated.
            pub fn from_environment() -> Result<Self, SettingError> {
                Ok(Self { $($field: variable("", $variable)?,)* })
            }
        }
    };
}

arguments! {
    bind "BIND" "ADDRESS:PORT|unix:PATH": "Address to listen on, or a Unix socket; a socket that systemd passes on (LISTEN_FDS) replaces it [default: 127.0.0.1:8080]";
    public_url "PUBLIC_URL" "URL": "The one origin of all links and Origin checks; https turns on Secure cookies and HSTS [default: http://localhost:<port>]";
    database_url "DATABASE_URL" "URL": "Where the data lives: sqlite:// and a path, or postgres://user:password@host/database [default: sqlite://perennial.db]";
    database_direct_url "DATABASE_DIRECT_URL" "URL": "The PostgreSQL server itself, where DATABASE_URL leads to a pooler in transaction mode: notifications, advisory locks and migrations go there [default: none]";
    database_schema "DATABASE_SCHEMA" "NAME": "A schema of PostgreSQL for Perennial's tables alone, made where it is missing [default: none, the first of the user's search_path]";
    jwt_secret_key "JWT_SECRET_KEY" "SECRETS": "One or more secrets of at least 32 bytes, comma-separated: the first signs, all verify; required with PostgreSQL [default: made once, kept in perennial.key]";
    access_token_ttl "ACCESS_TOKEN_TTL" "DURATION": "Life of an access token [default: 15m]";
    token_expiry_hours "TOKEN_EXPIRY_HOURS" "HOURS": "The same as a decimal number of hours, read where ACCESS_TOKEN_TTL is unset";
    refresh_token_ttl "REFRESH_TOKEN_TTL" "DURATION": "Absolute life of a kept sign-in, never extended [default: 30d]";
    refresh_token_expiry_days "REFRESH_TOKEN_EXPIRY_DAYS" "DAYS": "The same as a decimal number of days, read where REFRESH_TOKEN_TTL is unset";
    idle_ttl "IDLE_TTL" "DURATION": "A kept sign-in not used for this long ends [default: 14d]";
    session_ttl "SESSION_TTL" "DURATION": "Absolute life of a sign-in without \"keep me signed in\" [default: 24h]";
    reuse_grace "REUSE_GRACE" "DURATION": "How long the token just replaced still signs parallel tabs in [default: 30s]";
    password_min_length "PASSWORD_MIN_LENGTH" "NUMBER": "Characters of a new password at least, 8 or more [default: 15]";
    bcrypt_cost "BCRYPT_COST" "NUMBER": "Cost of a password hash, 4 to 31; below 10 only where PUBLIC_URL is this machine [default: 12]";
    registration "REGISTRATION" "open|closed": "Whether strangers may make an account [default: open]";
    trusted_proxies "TRUSTED_PROXIES" "NETWORKS": "Networks whose word on the client's address is believed [default: none]";
    client_address_header "CLIENT_ADDRESS_HEADER" "x-forwarded-for|forwarded": "The one header that is believed from TRUSTED_PROXIES; the other one is ignored [default: x-forwarded-for]";
    connections_per_address "CONNECTIONS_PER_ADDRESS" "NUMBER": "Open connections of one client address; trusted proxies are exempt [default: 256]";
    drain_time "DRAIN_TIME" "DURATION": "How long readiness says 503 before the listener closes [default: 1s]";
    smtp_url "SMTP_URL" "URL": "The mail server: smtps://user:password@host, or smtp://host, with ?tls=required or ?tls=opportunistic for STARTTLS [default: none, each mail is written as a file to MAIL_DIR]";
    mail_from "MAIL_FROM" "MAILBOX": "Whom mail is from [default: Perennial, no-reply at the host of PUBLIC_URL]";
    mail_dir "MAIL_DIR" "FOLDER": "Where mail is written without SMTP_URL; made when first needed [default: mail]";
    mail_template_dir "MAIL_TEMPLATE_DIR" "FOLDER": "A folder whose files replace the texts of the mails; docs/mail.md says what they may hold [default: none]";
    site_name "SITE_NAME" "NAME": "What pages and mails call the site [default: Perennial]";
    static_dir "STATIC_DIR" "FOLDER": "A folder whose files replace the embedded ones of the same name [default: none]";
    device_binding "DEVICE_BINDING" "on|off": "Bind sign-ins to their devices, where a browser can: a copy of its cookies is then worthless [default: on]";
    event_retention "EVENT_RETENTION" "DURATION": "How long audit events are kept [default: 180d]";
    backup_every "BACKUP_EVERY" "DURATION": "How often the server backs a SQLite database up by itself [default: none]";
    backup_keep "BACKUP_KEEP" "NUMBER": "How many of these backups are kept [default: 28]";
    backup_dir "BACKUP_DIR" "FOLDER": "Where they are; made when first needed [default: backups]";
    metrics_bind "METRICS_BIND" "ADDRESS:PORT": "Address that serves /metrics for Prometheus, and nothing else [default: none]";
    log_format "LOG_FORMAT" "text|json": "How log lines are written [default: text]";
    debug_auth "DEBUG_AUTH" "true|false": "Log why each request was or was not signed in, without secrets [default: false]";
    log_requests "LOG_REQUESTS" "true|false": "Log one line per request: method, path without the query, status, duration, client address [default: false]";
}

impl Settings {
    /// Reads the environment variables, with the default of each that is not set.
    ///
    /// # Errors
    /// The first setting that makes no sense, and what it takes.
    pub fn from_environment() -> Result<Self, SettingError> {
        Arguments::from_environment()?.settings()
    }
}

impl std::fmt::Debug for Arguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Arguments")
    }
}

impl Arguments {
    /// Understands every setting, or names the first that makes no sense.
    ///
    /// # Errors
    /// The setting and what it takes.
    pub fn settings(&self) -> Result<Settings, SettingError> {
        let public_url = self
            .public_url
            .as_deref()
            .map(str::parse::<PublicUrl>)
            .transpose()
            .map_err(|error| SettingError { name: "PUBLIC_URL", problem: error.to_string() })?;
        let place = self.bind.as_deref().unwrap_or(DEFAULT_BIND);
        let unix_socket = place.strip_prefix("unix:").map(|path| read("BIND", path, parse::socket_path)).transpose()?;
        if unix_socket.is_some() && public_url.is_none() {
            let problem = "is required with a Unix socket: the origin under which people reach the site";
            return Err(SettingError { name: "PUBLIC_URL", problem: problem.to_owned() });
        }
        let bind = if unix_socket.is_some() { DEFAULT_BIND } else { place };
        let bind = read("BIND", bind, parse::address)?;
        let database = self.database()?;
        Ok(Settings {
            bind,
            unix_socket,
            secret_keys: self.secret_keys(&database)?,
            backup_every: self.backup_every(&database)?,
            database,
            lifetimes: self.lifetimes()?,
            password_min_length: read(
                "PASSWORD_MIN_LENGTH",
                self.password_min_length.as_deref().unwrap_or("15"),
                |text| parse::number(text, 8, 1024),
            )? as usize,
            bcrypt_cost: self.bcrypt_cost(public_url.as_ref().is_none_or(PublicUrl::is_loopback))?,
            registration: read("REGISTRATION", self.registration.as_deref().unwrap_or("open"), parse::choice)?,
            trusted_proxies: read("TRUSTED_PROXIES", self.trusted_proxies.as_deref().unwrap_or(""), parse::networks)?,
            client_address_header: read(
                "CLIENT_ADDRESS_HEADER",
                self.client_address_header.as_deref().unwrap_or("x-forwarded-for"),
                // Names of headers have no case (RFC 9110 section 5.1), and people write them with capitals.
                |text| parse::choice(&text.to_ascii_lowercase()),
            )?,
            connections_per_address: read(
                "CONNECTIONS_PER_ADDRESS",
                self.connections_per_address.as_deref().unwrap_or("256"),
                |text| parse::number(text, 1, 1_000_000),
            )? as usize,
            drain_time: read("DRAIN_TIME", self.drain_time.as_deref().unwrap_or("1s"), parse::duration)?.unsigned_abs(),
            smtp_url: optional("SMTP_URL", &self.smtp_url, parse::smtp_url)?,
            mail_from: optional("MAIL_FROM", &self.mail_from, parse::mailbox)?,
            mail_dir: read("MAIL_DIR", self.mail_dir.as_deref().unwrap_or("mail"), parse::folder_to_make)?,
            mail_template_dir: optional("MAIL_TEMPLATE_DIR", &self.mail_template_dir, parse::folder)?,
            static_dir: optional("STATIC_DIR", &self.static_dir, parse::folder)?,
            site_name: read("SITE_NAME", self.site_name.as_deref().unwrap_or("Perennial"), parse::site_name)?,
            event_retention: read(
                "EVENT_RETENTION",
                self.event_retention.as_deref().unwrap_or("180d"),
                parse::lifetime,
            )?,
            backup_keep: read("BACKUP_KEEP", self.backup_keep.as_deref().unwrap_or("28"), |text| {
                parse::number(text, 1, MOST_BACKUPS)
            })? as usize,
            backup_dir: read("BACKUP_DIR", self.backup_dir.as_deref().unwrap_or("backups"), parse::folder_to_make)?,
            metrics_bind: optional("METRICS_BIND", &self.metrics_bind, parse::address)?,
            device_binding: read("DEVICE_BINDING", self.device_binding.as_deref().unwrap_or("on"), parse::choice)?,
            log_format: read("LOG_FORMAT", self.log_format.as_deref().unwrap_or("text"), parse::choice)?,
            debug_auth: read("DEBUG_AUTH", self.debug_auth.as_deref().unwrap_or("false"), parse::flag)?,
            log_requests: read("LOG_REQUESTS", self.log_requests.as_deref().unwrap_or("false"), parse::flag)?,
            public_url,
        })
    }

    fn database(&self) -> Result<DatabaseUrl, SettingError> {
        let url =
            read("DATABASE_URL", self.database_url.as_deref().unwrap_or("sqlite://perennial.db"), parse::database)?;
        optional("DATABASE_DIRECT_URL", &self.database_direct_url, |text| {
            url.clone().beside(parse::database(text)?).map_err(|error| error.to_string())
        })
        .map(|pooled| pooled.unwrap_or(url))
        .and_then(|url| match &self.database_schema {
            Some(schema) => {
                read("DATABASE_SCHEMA", schema, |text| url.in_schema(text).map_err(|error| error.to_string()))
            }
            None => Ok(url),
        })
    }

    /// A key file is of one machine, and the nodes on one server must agree on the keys.
    fn secret_keys(&self, database: &DatabaseUrl) -> Result<Option<Vec<SecretString>>, SettingError> {
        let keys = optional("JWT_SECRET_KEY", &self.jwt_secret_key, parse::secrets)?;
        if keys.is_none() && database.file().is_none() {
            let problem = "is required with PostgreSQL, and the same on every node; `perennial secret` makes one";
            return Err(SettingError { name: "JWT_SECRET_KEY", problem: problem.to_owned() });
        }
        Ok(keys)
    }

    /// A server is backed up with its own tools, and whoever counts on these backups must hear of it.
    fn backup_every(&self, database: &DatabaseUrl) -> Result<Option<Duration>, SettingError> {
        let every = optional("BACKUP_EVERY", &self.backup_every, parse::lifetime)?;
        if every.is_some() && database.file().is_none() {
            let problem = "is for a SQLite database alone: back PostgreSQL up with pg_dump";
            return Err(SettingError { name: "BACKUP_EVERY", problem: problem.to_owned() });
        }
        Ok(every)
    }

    fn lifetimes(&self) -> Result<Lifetimes, SettingError> {
        let access = match (&self.access_token_ttl, &self.token_expiry_hours) {
            (None, Some(hours)) => read("TOKEN_EXPIRY_HOURS", hours, |text| parse::decimal(text, Duration::HOUR))?,
            (ttl, _) => read("ACCESS_TOKEN_TTL", ttl.as_deref().unwrap_or("15m"), parse::lifetime)?,
        };
        let kept = match (&self.refresh_token_ttl, &self.refresh_token_expiry_days) {
            (None, Some(days)) => read("REFRESH_TOKEN_EXPIRY_DAYS", days, |text| parse::decimal(text, Duration::DAY))?,
            (ttl, _) => read("REFRESH_TOKEN_TTL", ttl.as_deref().unwrap_or("30d"), parse::lifetime)?,
        };
        Ok(Lifetimes {
            access,
            kept,
            idle: read("IDLE_TTL", self.idle_ttl.as_deref().unwrap_or("14d"), parse::lifetime)?,
            browser_session: read("SESSION_TTL", self.session_ttl.as_deref().unwrap_or("24h"), parse::lifetime)?,
            reuse_grace: read("REUSE_GRACE", self.reuse_grace.as_deref().unwrap_or("30s"), parse::duration)?,
        })
    }

    fn bcrypt_cost(&self, loopback: bool) -> Result<u32, SettingError> {
        let cost = read("BCRYPT_COST", self.bcrypt_cost.as_deref().unwrap_or("12"), |text| parse::number(text, 4, 31))?;
        if cost < COST_FLOOR && !loopback {
            let problem = format!("takes {COST_FLOOR} or more where PUBLIC_URL is not this machine");
            return Err(SettingError { name: "BCRYPT_COST", problem });
        }
        Ok(cost)
    }
}

fn read<T>(
    name: &'static str,
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, parse::Takes>,
) -> Result<T, SettingError> {
    parse(text).map_err(|problem| SettingError { name, problem })
}

fn variable(prefix: &str, name: &'static str) -> Result<Option<String>, SettingError> {
    match std::env::var(format!("{prefix}{name}")) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(SettingError { name, problem: "takes text in UTF-8".to_owned() }),
    }
}

fn optional<T>(
    name: &'static str,
    text: &Option<String>,
    parse: impl FnOnce(&str) -> Result<T, parse::Takes>,
) -> Result<Option<T>, SettingError> {
    text.as_deref().map(|text| read(name, text, parse)).transpose()
}

#[cfg(test)]
mod tests;
