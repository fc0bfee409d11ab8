//! What is known of the other end of a connection.

use std::net::IpAddr;

/// Characters kept of a user agent: enough to name a browser, too little to fill a disk.
const USER_AGENT_LENGTH: usize = 300;

/// Where a request came from: shown to the user, kept with each sign-in and each audit event, never trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The address, as seen through the trusted proxies; `None` where the transport has none (a test harness).
    pub address: Option<IpAddr>,
    /// The `User-Agent` header, cut to 300 characters, without control characters.
    pub user_agent: String,
}

impl Client {
    /// Describes a client by its address and the raw `User-Agent` header.
    ///
    /// Control and bidirectional-override characters are dropped: a header must not be able to rewrite a log line or
    /// a page that shows it (OWASP Logging Cheat Sheet, "Event collection").
    pub fn new(address: Option<IpAddr>, user_agent: &str) -> Self {
        let user_agent = user_agent.chars().filter(|c| !is_deceptive(*c)).take(USER_AGENT_LENGTH).collect();
        Self { address, user_agent }
    }

    /// Returns the address as text, empty where there is none.
    pub fn address_text(&self) -> String {
        self.address.map(|address| address.to_string()).unwrap_or_default()
    }
}

/// Tells whether a character can change how the text around it is shown: control characters and the bidirectional
/// formatting characters of Unicode (UAX #9).
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_can_not_break_a_line_or_grow_without_end() {
        let client = Client::new(None, &format!("a\r\n\u{1b}[31m\u{202e}{}", "x".repeat(1000)));
        assert!(client.user_agent.starts_with("a[31mxx"));
        assert_eq!(client.user_agent.chars().count(), USER_AGENT_LENGTH);
    }
}
