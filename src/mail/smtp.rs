//! Mail over SMTP (RFC 5321).
//!
//! The library's own `SmtpTransport` does not say how far it got when it fails, and that decides everything here. A
//! rejected password is a 5xx reply just like an unknown recipient; taken for the latter, it would throw every waiting
//! mail away. It also says goodbye to the server before it returns, and a process that is killed meanwhile would send
//! the mail again. So the steps are taken one by one.

use std::time::Duration;

use lettre::SmtpTransport;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, MailBodyParameter, MailParameter};
use lettre::transport::smtp::{Error, SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::compose::compose;
use super::{MailError, OutgoingEmail, SendError, Sender, Transport};

/// How long the server may take for each step before it has the content. A repeat after such a timeout is harmless.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the server may take to confirm that it has the content. It scans the mail meanwhile, and whoever does not
/// wait for it sends a mail twice: RFC 5321 section 4.5.3.2.6 asks for ten minutes.
const CONFIRMATION_TIMEOUT: Duration = Duration::from_secs(600);

/// How long the server may take to say goodbye, which nobody needs.
const QUIT_TIMEOUT: Duration = Duration::from_secs(1);

/// A transport that hands e-mails to a mail server.
///
/// A connection is kept for the next e-mail until the outbox is [`idle`](Transport::idle).
pub struct Smtp {
    server: Server,
    sender: Sender,
    kept: Mutex<Vec<SmtpConnection>>,
}

/// Where the mail server is, and what it wants to know.
struct Server {
    host: String,
    port: u16,
    encryption: Encryption,
    client: ClientId,
    credentials: Option<Credentials>,
}

/// How a connection is encrypted.
enum Encryption {
    None,
    /// By `STARTTLS`, where the server offers it.
    Opportunistic(TlsParameters),
    /// By `STARTTLS`, or not at all.
    Required(TlsParameters),
    /// From the first byte.
    Wrapped(TlsParameters),
}

impl Smtp {
    /// Tells whether a text is the URL of a mail server that can be reached.
    ///
    /// Stricter than the mail library in three places where it would guess: a misspelt parameter would leave encryption
    /// out, a name without a password would be left out, and an address of IP version 6 would be looked up as a name.
    pub fn takes(text: &str) -> bool {
        let clear = Url::parse(text).is_ok_and(|url| {
            url.query_pairs().all(|(name, _)| name == "tls")
                && (url.username().is_empty() || url.password().is_some())
                && url.host_str().is_some_and(|host| !host.is_empty() && !host.starts_with('['))
        });
        clear && SmtpTransport::from_url(text).is_ok()
    }

    /// Prepares for the mail server at `url` (`smtp://` or `smtps://`); nothing is connected before there is a mail.
    ///
    /// The path of the URL, if it has one, is the name that this machine gives in its greeting; otherwise that is the
    /// domain of `sender`, because many servers turn away a greeting from `[127.0.0.1]`.
    ///
    /// # Errors
    /// If `url` is malformed.
    pub fn new(url: &SecretString, sender: Sender) -> Result<Self, MailError> {
        let url = Url::parse(url.expose_secret()).map_err(|_| MailError::Url)?;
        let server = Server::at(&url, sender.domain())?;
        let insists = matches!(server.encryption, Encryption::Required(_) | Encryption::Wrapped(_));
        if server.credentials.is_some() && !insists && !is_loopback(&server.host) {
            tracing::warn!(
                "SMTP_URL does not insist on encryption, so its password can be read on the way: use smtps:// or ?tls=required"
            );
        }
        Ok(Self { server, sender, kept: Mutex::default() })
    }

    /// Opens a transaction, on a kept connection if there is one that still works.
    ///
    /// A refused sender is the server's answer to `MAIL_FROM`, which is the same for all mails: none is to blame.
    fn begin(&self, envelope: &Envelope, ascii: bool) -> Result<SmtpConnection, Error> {
        let mut parameters = Vec::new();
        let mut addresses = envelope.to().iter().chain(envelope.from());
        if !addresses.all(|address| AsRef::<str>::as_ref(address).is_ascii()) {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !ascii {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let mail = Mail::new(envelope.from().cloned(), parameters);
        let kept = self.kept.lock().pop();
        if let Some(mut connection) = kept {
            if connection.command(&mail).is_ok() {
                return Ok(connection);
            }
            quit(connection);
        }
        let mut connection = self.server.connect()?;
        match connection.command(&mail) {
            Ok(_) => Ok(connection),
            Err(error) => {
                quit(connection);
                Err(error)
            }
        }
    }
}

impl Transport for Smtp {
    fn send(&self, email: &OutgoingEmail) -> Result<(), SendError> {
        let message = compose(&self.sender, email).map_err(SendError::Refused)?;
        let (envelope, content) = (message.envelope(), message.formatted());
        let begun = self.begin(envelope, content.is_ascii());
        let mut connection = begun.map_err(|error| SendError::Unavailable(failed(error)))?;
        if let Err(error) = hand_over(&mut connection, envelope, &content) {
            // A 5xx reply is final (RFC 5321 section 4.2.1); everything else may change.
            let permanent = error.is_permanent();
            quit(connection);
            return Err(if permanent { SendError::Refused(failed(error)) } else { SendError::Deferred(failed(error)) });
        }
        self.kept.lock().push(connection);
        tracing::debug!(mail = %email.id, "a mail was sent");
        Ok(())
    }

    fn idle(&self) {
        let kept = std::mem::take(&mut *self.kept.lock());
        kept.into_iter().for_each(quit);
    }
}

impl Server {
    fn at(url: &Url, domain: &str) -> Result<Self, MailError> {
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(MailError::Url)?.to_owned();
        let tls = || TlsParameters::new(host.clone()).map_err(failed);
        let mode = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
        let (port, encryption) = match (url.scheme(), mode.as_deref()) {
            ("smtp", None) => (SMTP_PORT, Encryption::None),
            ("smtp", Some("opportunistic")) => (SUBMISSION_PORT, Encryption::Opportunistic(tls()?)),
            ("smtp", Some("required")) => (SUBMISSION_PORT, Encryption::Required(tls()?)),
            ("smtps", _) => (SUBMISSIONS_PORT, Encryption::Wrapped(tls()?)),
            _ => return Err(MailError::Url),
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| MailError::Url);
        let credentials = match url.password() {
            Some(password) => Some(Credentials::new(decoded(url.username())?, decoded(password)?)),
            None => None,
        };
        let named = url.path().trim_matches('/');
        let client = ClientId::Domain(if named.is_empty() { domain } else { named }.to_owned());
        Ok(Self { host, port: url.port().unwrap_or(port), encryption, client, credentials })
    }

    fn connect(&self) -> Result<SmtpConnection, Error> {
        let wrapped = match &self.encryption {
            Encryption::Wrapped(parameters) => Some(parameters),
            _ => None,
        };
        let address = (self.host.as_str(), self.port);
        let mut connection = SmtpConnection::connect(address, Some(STEP_TIMEOUT), &self.client, wrapped, None)?;
        match &self.encryption {
            Encryption::Required(parameters) => connection.starttls(parameters, &self.client)?,
            Encryption::Opportunistic(parameters) if connection.can_starttls() => {
                connection.starttls(parameters, &self.client)?;
            }
            _ => {}
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials)?;
        }
        Ok(connection)
    }
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Smtp")
    }
}

/// Names the recipients and hands the content over; returns once the server has confirmed that it has it.
fn hand_over(connection: &mut SmtpConnection, envelope: &Envelope, content: &[u8]) -> Result<(), Error> {
    for recipient in envelope.to() {
        connection.command(Rcpt::new(recipient.clone(), Vec::new()))?;
    }
    connection.command(Data)?;
    set_timeout(connection, CONFIRMATION_TIMEOUT);
    connection.message(content)?;
    set_timeout(connection, STEP_TIMEOUT);
    Ok(())
}

fn failed(error: Error) -> MailError {
    MailError::Smtp { source: error.into() }
}

/// Ends a connection politely, and without waiting for long.
fn quit(mut connection: SmtpConnection) {
    set_timeout(&mut connection, QUIT_TIMEOUT);
    connection.abort();
}

/// Sets how long the next steps may take; fails only on a connection that is dead, which they notice by themselves.
fn set_timeout(connection: &mut SmtpConnection, timeout: Duration) {
    if let Err(error) = connection.set_timeout(Some(timeout)) {
        tracing::debug!(%error, "cannot set a timeout on the connection to the mail server");
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
