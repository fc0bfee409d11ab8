//! Why a text is not the URL of a database.

/// Says what a text lacks to be the URL of a database; it never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDatabaseUrl {
    /// It is none.
    #[error(
        "takes sqlite:// and the path of a file, such as sqlite://perennial.db, or postgres://user:password@host/database"
    )]
    Form,
    /// It asks SQLite for a database in memory.
    #[error(
        "takes the path of a file: a database in memory is gone with the process, and so is every account; \
         try sqlite://perennial.db"
    )]
    InMemory,
    /// A port is no number.
    #[error("takes a port from 1 to 65535, such as postgres://user:password@host:5432/database")]
    Port,
    /// It has a parameter that libpq does not know.
    #[error(
        "takes the parameters that libpq knows, as name=value with & between them: number {number} after the question \
         mark is none of them{meant}"
    )]
    Parameter {
        /// Which one, counted from 1.
        number: usize,
        /// What may have been meant.
        meant: Meant,
    },
    /// A parameter has a value that libpq does not take.
    #[error("takes {takes} for the parameter {name}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// It asks for TLS, which this build lacks.
    #[error(
        "asks for TLS, which this build cannot speak to PostgreSQL: build it with --features postgres-tls, or take sslmode out"
    )]
    NoTls,
    /// It is a server, and this build opens none.
    #[error("leads to PostgreSQL, which this build of perennial lacks: build it with the feature postgres")]
    NoPostgres,
    /// It is a file, and this build opens none.
    #[error("leads to a SQLite file, which this build of perennial lacks: build it with the feature sqlite")]
    NoSqlite,
    /// It leads over a network, and nothing says that it may go unencrypted.
    #[error(
        "leads over a network, and this build cannot speak TLS to PostgreSQL: build it with --features postgres-tls, or say ?sslmode=disable where the network is private"
    )]
    InTheClear,
}

/// Says that two URLs are not those of a pooler and of the server behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "takes the postgres:// URL of the server itself, where the one in DATABASE_URL leads to a pooler in front of it"
)]
pub struct NotPooled;

/// Says why the tables cannot be in a schema of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSchema {
    /// It cannot be the name of one.
    #[error("takes a name of lower-case letters, digits and underscores, at most 63, such as perennial")]
    Name,
    /// A file has none.
    #[error("takes a schema of PostgreSQL, and a SQLite file has none: leave it out")]
    File,
    /// A pooler gives each transaction another connection.
    #[error(
        "takes no schema through a pooler: leave it out, and give the user its schema on the server, by \
         ALTER ROLE ... SET search_path"
    )]
    Pooled,
    /// The URL says something of the kind itself.
    #[error("takes no schema where DATABASE_URL has options of its own: add -csearch_path to those")]
    Options,
}

/// The parameter that somebody may have meant.
///
/// The one they wrote is not repeated: a password with a question mark in it would be taken for the start of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meant(pub(super) Option<&'static str>);

impl std::fmt::Display for Meant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(name) => write!(f, "; did you mean {name}?"),
            None => Ok(()),
        }
    }
}
