//! Mails over SMTP.

use std::time::Duration;

use lettre::transport::smtp::extension::ClientId;
use lettre::{SmtpTransport, Transport};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::MailError;
use super::carrier::Carrier;
use super::letter::Letter;

/// How long a mail server may take for each step: longer than greylisting and slow DNS make one think, and short enough
/// that a dead one holds up neither the mails behind nor the end of the process for minutes.
const STEP: Duration = Duration::from_secs(10);

/// A mail server.
pub(super) struct Smtp {
    transport: SmtpTransport,
}

impl Smtp {
    /// Prepares for a server; nothing is connected before there is a mail.
    ///
    /// `domain` is how this machine greets it, unless the URL's path names another: many servers turn away a greeting
    /// from `[127.0.0.1]`, which is what the library says by itself.
    pub(super) fn new(url: &SecretString, domain: &str) -> Result<Self, MailError> {
        let text = url.expose_secret();
        let builder = SmtpTransport::from_url(text).map_err(|_| MailError::Url)?.timeout(Some(STEP));
        let url = Url::parse(text).map_err(|_| MailError::Url)?;
        let required = url.scheme() == "smtps" || url.query_pairs().any(|(_, value)| value == "required");
        if url.password().is_some() && !required && !is_loopback(&url) {
            tracing::warn!(
                "SMTP_URL does not insist on encryption, so its password can be read on the way: use smtps:// or ?tls=required"
            );
        }
        let named = url.path().trim_matches('/').is_empty();
        let builder = if named { builder.hello_name(ClientId::Domain(domain.to_owned())) } else { builder };
        Ok(Self { transport: builder.build() })
    }
}

impl Carrier for Smtp {
    fn carry(&self, letter: &Letter) -> Result<(), MailError> {
        self.transport.send(&letter.mail)?;
        tracing::debug!(mail = %letter.id, "a mail was sent");
        Ok(())
    }
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}
