//! Where the data lives.

mod invalid;
mod parameters;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

pub use self::invalid::{InvalidDatabaseUrl, NoSchema, NotPooled};

/// Whether this build can speak TLS to PostgreSQL.
pub const POSTGRES_TLS: bool = cfg!(feature = "postgres-tls");

/// A SQLite file, or a PostgreSQL server.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// A SQLite file: one machine.
    #[cfg(feature = "sqlite")]
    Sqlite(PathBuf),
    /// A PostgreSQL server: any number of machines.
    #[cfg(feature = "postgres")]
    Postgres(PostgresUrl),
    /// A PostgreSQL server behind a pooler that gives a connection of its own to a transaction and to nothing longer, as
    /// PgBouncer does in transaction mode.
    #[cfg(feature = "postgres")]
    Pooled {
        /// The pooler, for what is done in one transaction.
        pooler: PostgresUrl,
        /// The server itself, for what outlives a transaction: notifications and advisory locks; and for migrations.
        server: PostgresUrl,
    },
}

impl DatabaseUrl {
    /// Puts the server itself beside the pooler in front of it.
    ///
    /// # Errors
    /// If one of them is no PostgreSQL URL.
    pub fn beside(self, server: Self) -> Result<Self, NotPooled> {
        match (self, server) {
            #[cfg(feature = "postgres")]
            (Self::Postgres(pooler), Self::Postgres(server)) => Ok(Self::Pooled { pooler, server }),
            _ => Err(NotPooled),
        }
    }

    /// Puts the tables into a schema of this name.
    ///
    /// # Errors
    /// If it cannot be the name of a schema, or there are no schemas there.
    pub fn in_schema(self, schema: &str) -> Result<Self, NoSchema> {
        // So plain that it is the same with and without quotation marks, wherever it is written.
        let letters = |c: char| c.is_ascii_lowercase() || c == '_';
        let plain = schema.len() <= 63
            && schema.starts_with(letters)
            && !schema.starts_with("pg_")
            && schema.chars().all(|c| letters(c) || c.is_ascii_digit());
        match self {
            _ if !plain => Err(NoSchema::Name),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => Err(NoSchema::File),
            #[cfg(feature = "postgres")]
            Self::Pooled { .. } => Err(NoSchema::Pooled),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) if url.parts().parameters.iter().any(|(name, _)| name == "options") => {
                Err(NoSchema::Options)
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => Ok(Self::Postgres(PostgresUrl { schema: Some(schema.to_owned()), ..url })),
        }
    }

    /// Returns the file; a server is none.
    pub fn file(&self) -> Option<&Path> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(path) => Some(path),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) | Self::Pooled { .. } => None,
        }
    }

    /// Names it for a person, without a password.
    pub fn shown(&self) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(path) => path.display().to_string(),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) | Self::Pooled { pooler: url, .. } => url.shown(),
        }
    }
}

/// The URL of a PostgreSQL server, as libpq reads it: several hosts with commas between them, and parameters, may be in
/// it, and a password often is.
#[derive(Debug, Clone)]
pub struct PostgresUrl {
    text: SecretString,
    schema: Option<String>,
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return postgres(text);
        }
        // SQLite's own names for no file at all.
        if ["sqlite://:memory:", "sqlite::memory:", "sqlite://file::memory:"].contains(&text) {
            return Err(InvalidDatabaseUrl::InMemory);
        }
        let path = text.strip_prefix("sqlite://").filter(|path| !path.is_empty() && !path.contains(['?', '\0']));
        path.ok_or(InvalidDatabaseUrl::Form).and_then(sqlite)
    }
}

#[cfg(feature = "sqlite")]
fn sqlite(path: &str) -> Result<DatabaseUrl, InvalidDatabaseUrl> {
    Ok(DatabaseUrl::Sqlite(PathBuf::from(path)))
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(_: &str) -> Result<DatabaseUrl, InvalidDatabaseUrl> {
    Err(InvalidDatabaseUrl::NoSqlite)
}

#[cfg(feature = "postgres")]
fn postgres(text: &str) -> Result<DatabaseUrl, InvalidDatabaseUrl> {
    let url = PostgresUrl { text: text.into(), schema: None };
    url.check(POSTGRES_TLS)?;
    Ok(DatabaseUrl::Postgres(url))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &str) -> Result<DatabaseUrl, InvalidDatabaseUrl> {
    Err(InvalidDatabaseUrl::NoPostgres)
}

/// Where a PostgreSQL server on this machine has its socket: as Debian and most other systems have it, and as libpq and
/// PostgreSQL have it where nobody chose. libpq tries one after the other.
const SOCKET_FOLDERS: &str = "/var/run/postgresql,/tmp";

/// The variables by which libpq is told of a server that a URL does not name.
const HOST_VARIABLES: [&str; 3] = ["PGHOST", "PGHOSTADDR", "PGSERVICE"];

/// The parts of a URL that matter here.
struct Parts<'a> {
    authority: &'a str,
    path: &'a str,
    query: &'a str,
    parameters: Vec<(String, String)>,
}

impl PostgresUrl {
    /// Returns the URL with `defaults` for the parameters that it does not set itself.
    ///
    /// Over a network TLS is one of them: libpq would go on without it where the server does not offer it.
    pub fn with_defaults(&self, defaults: &[(&str, &str)]) -> SecretString {
        let text = self.text.expose_secret();
        let Parts { parameters, .. } = self.parts();
        let is_set = |name: &str| parameters.iter().any(|(set, _)| set == name);
        let tls = (POSTGRES_TLS && !self.is_local()).then_some(("sslmode", "require"));
        let elsewhere = HOST_VARIABLES.iter().any(|name| std::env::var_os(name).is_some());
        let chosen = elsewhere || is_set("service") || !self.hosts().is_empty();
        let sockets = (!chosen).then_some(("host", SOCKET_FOLDERS));
        let mut added = form_urlencoded::Serializer::new(String::new());
        let search_path = self.schema.as_ref().map(|schema| format!("-csearch_path={schema}"));
        let search_path = search_path.as_deref().map(|options| ("options", options));
        let added_pairs = defaults.iter().copied().chain(tls).chain(sockets).chain(search_path);
        added.extend_pairs(added_pairs.filter(|(name, _)| !is_set(name)));
        // libpq reads percent-encoding and takes a plus sign as it is.
        let added = added.finish().replace('+', "%20");
        let between = if text.contains('?') { '&' } else { '?' };
        format!("{text}{between}{added}").into()
    }

    /// Returns the schema that the tables have for their own.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// Names the server and the database for a person, without a password.
    pub fn shown(&self) -> String {
        let Parts { path, .. } = self.parts();
        let hosts = self.hosts();
        let host = if hosts.is_empty() { "this machine".to_owned() } else { hosts.join(",") };
        let database = percent_decode_str(path).decode_utf8_lossy();
        if database.is_empty() { format!("PostgreSQL on {host}") } else { format!("PostgreSQL on {host}, {database}") }
    }

    fn check(&self, tls: bool) -> Result<(), InvalidDatabaseUrl> {
        let text = self.text.expose_secret();
        if text.contains(|c: char| c.is_control() || c == ' ' || c == '#') {
            return Err(InvalidDatabaseUrl::Form);
        }
        if !text.split('%').skip(1).all(is_percent_encoded) {
            return Err(InvalidDatabaseUrl::Form);
        }
        let Parts { authority, query, parameters, .. } = self.parts();
        if !servers(authority).split(',').all(has_port) {
            return Err(InvalidDatabaseUrl::Port);
        }
        parameters::check(query)?;
        let mode = parameters.iter().rev().find_map(|(name, value)| match name.as_str() {
            "sslmode" => Some(value.as_str()),
            "ssl" => Some("require"),
            _ => None,
        });
        match mode {
            _ if tls => Ok(()),
            Some("disable") => Ok(()),
            Some("require" | "verify-ca" | "verify-full") => Err(InvalidDatabaseUrl::NoTls),
            _ if self.is_local() => Ok(()),
            _ => Err(InvalidDatabaseUrl::InTheClear),
        }
    }

    fn parts(&self) -> Parts<'_> {
        let text = self.text.expose_secret();
        let (_, rest) = text.split_once("://").unwrap_or_default();
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let parameters = pairs.map(|(name, value)| (decoded(name), decoded(value))).collect();
        Parts { authority, path, query, parameters }
    }

    /// Returns the hosts without their ports; none where the URL leaves libpq its choice, a socket on this machine.
    fn hosts(&self) -> Vec<String> {
        let Parts { authority, parameters, .. } = self.parts();
        let named = parameters.iter().rev().find(|(name, _)| name == "hostaddr" || name == "host");
        let hosts = match named {
            Some((_, hosts)) => hosts.split(',').map(str::to_owned).collect(),
            None => servers(authority).split(',').map(without_port).collect::<Vec<_>>(),
        };
        hosts.into_iter().filter(|host| !host.is_empty()).collect()
    }

    /// Tells whether nothing of it leaves this machine.
    fn is_local(&self) -> bool {
        self.hosts().iter().all(|host| {
            host.starts_with('/') || host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        })
    }
}

/// Returns the hosts and ports, without the user and the password.
fn servers(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, servers)| servers)
}

/// Tells whether the port of a host is one, or left out.
fn has_port(server: &str) -> bool {
    let rest = server.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(server, |(_, rest)| rest);
    rest.split_once(':').is_none_or(|(_, port)| parameters::is_port(port))
}

/// Tells whether what follows a percent sign is a byte, and not the one that ends a text for libpq.
fn is_percent_encoded(after: &str) -> bool {
    after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).is_some_and(|byte| byte != 0)
}

fn without_port(server: &str) -> String {
    let host = match server.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => server.split(':').next().unwrap_or_default(),
    };
    percent_decode_str(host).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> PostgresUrl {
        PostgresUrl { text: text.into(), schema: None }
    }

    #[test]
    fn a_file_and_a_server_are_told_apart() {
        assert!(matches!("sqlite://a b.db".parse(), Ok(DatabaseUrl::Sqlite(path)) if *path == *"a b.db"));
        for text in ["postgres://localhost/perennial", "postgresql:///perennial?host=/run/postgresql", "postgres://"] {
            assert!(matches!(text.parse(), Ok(DatabaseUrl::Postgres(_))), "{text}");
        }
        for text in ["", "perennial.db", "sqlite://", "sqlite://a?mode=ro", "mysql://localhost/x", "postgres://a b/c"] {
            assert_eq!(text.parse::<DatabaseUrl>().err(), Some(InvalidDatabaseUrl::Form), "{text}");
        }
    }

    #[test]
    fn what_libpq_would_refuse_is_refused_beforehand_and_never_repeated() {
        use InvalidDatabaseUrl::{Form, Parameter, Port, Value};
        for wrong in ["localhost:abc", "localhost:0", "[::1]:65536", "localhost:5432,::1", "ada:pass@localhost:543x"] {
            assert_eq!(url(&format!("postgres://{wrong}/db")).check(false), Err(Port), "{wrong}");
        }
        for right in ["localhost:5433", "[::1]:5433,localhost", "ada:p%40ss@localhost:5433", ":5433", "localhost:"] {
            assert_eq!(url(&format!("postgres://{right}/db?")).check(false), Ok(()), "{right}");
        }
        for wrong in ["%zz", "%", "a%0", "%00"] {
            assert_eq!(url(&format!("postgres://localhost/{wrong}")).check(false), Err(Form), "{wrong}");
        }
        let wrong = |query: &str| url(&format!("postgres://localhost/db?{query}")).check(true).err();
        assert!(matches!(wrong("sslmode=bogus"), Some(Value { name: "sslmode", .. })));
        assert!(matches!(wrong("connect_timeout=soon"), Some(Value { name: "connect_timeout", .. })));
        assert_eq!(wrong("port=x"), Some(Port));
        for (query, number, suggests) in [
            ("hunter2=bar", 1, false),
            ("sslmode=disable&sslmod=disable", 2, true),
            ("sslmode", 1, false),
            ("sslmode=disable&&user=a", 2, false),
        ] {
            let error = wrong(query).unwrap();
            assert!(matches!(error, Parameter { number: said, .. } if said == number), "{query}: {error}");
            let said = error.to_string();
            assert_eq!(said.ends_with("; did you mean sslmode?"), suggests, "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
        for right in ["", "sslmode=require&user=ada&", "application%5Fname=a%20b", "options=-csearch_path%3Dx"] {
            assert_eq!(wrong(right), None, "{right}");
        }
    }

    #[test]
    fn a_database_in_memory_is_refused_with_a_reason() {
        for text in ["sqlite://:memory:", "sqlite::memory:", "sqlite://file::memory:"] {
            assert_eq!(text.parse::<DatabaseUrl>().err(), Some(InvalidDatabaseUrl::InMemory), "{text}");
        }
        assert!("sqlite://./:memory:".parse::<DatabaseUrl>().is_ok(), "a file may be called anything");
    }

    #[test]
    fn the_socket_of_this_machine_is_looked_for_where_debian_has_it() {
        let host = "host=%2Fvar%2Frun%2Fpostgresql%2C%2Ftmp";
        for text in ["postgres:///db", "postgres://ada@:5433/db", "postgres://?dbname=db"] {
            assert!(url(text).with_defaults(&[]).expose_secret().ends_with(host), "{text}");
        }
        for text in ["postgres://localhost/db", "postgres:///db?host=/run", "postgres:///db?service=x"] {
            assert!(!url(text).with_defaults(&[]).expose_secret().contains(host), "{text}");
        }
    }

    #[test]
    fn a_pooler_and_its_server_are_both_postgresql() {
        let parse = |text: &str| text.parse::<DatabaseUrl>().unwrap();
        let pooled = parse("postgres://localhost:6432/db").beside(parse("postgres://localhost/db"));
        assert_eq!(pooled.map(|url| url.shown()), Ok("PostgreSQL on localhost, db".to_owned()));
        for (pooler, server) in
            [("sqlite://a.db", "postgres://localhost/db"), ("postgres://localhost/db", "sqlite://a.db")]
        {
            assert_eq!(parse(pooler).beside(parse(server)).err(), Some(NotPooled));
        }
    }

    #[test]
    fn nothing_leaves_the_machine_in_the_clear_unless_that_is_said() {
        for local in [
            "postgres://ada:pass@localhost:5433/db",
            "postgres://127.0.0.1,[::1]:5433/db",
            "postgres://%2Frun%2Fpostgresql/db",
            "postgres://elsewhere/db?host=/run/postgresql",
            "postgres://elsewhere/db?sslmode=disable",
        ] {
            assert_eq!(url(local).check(false), Ok(()), "{local}");
        }
        for remote in
            ["postgres://ada:pass@db.example.org/db", "postgres://localhost,10.0.0.2/db", "postgres:///?host=db"]
        {
            assert_eq!(url(remote).check(false), Err(InvalidDatabaseUrl::InTheClear), "{remote}");
            assert_eq!(url(remote).check(true), Ok(()), "{remote}");
        }
        let encrypted = url("postgres://localhost/db?sslmode=verify-full");
        assert_eq!(encrypted.check(false), Err(InvalidDatabaseUrl::NoTls));
    }

    #[test]
    fn a_default_does_not_override_what_the_url_says() {
        let text = url("postgres://localhost/db?connect_timeout=9")
            .with_defaults(&[("connect_timeout", "2"), ("application_name", "a b")]);
        assert_eq!(text.expose_secret(), "postgres://localhost/db?connect_timeout=9&application_name=a%20b");
    }

    #[test]
    fn a_password_is_never_shown() {
        let url = url("postgres://ada:hunter2@db.example.org:5433,[::1]/perennial?password=hunter2");
        assert_eq!(url.shown(), "PostgreSQL on db.example.org,::1, perennial");
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
