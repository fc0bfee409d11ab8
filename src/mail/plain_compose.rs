//! How an e-mail becomes a file in a build without the mail library: the text and the HTML, each in base64, under the few
//! headers that a mail program asks for (RFC 5322, RFC 2045, RFC 2047).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::{MailError, OutgoingEmail, Sender};
use crate::domain::client::is_deceptive;

/// Characters of base64 in a line (RFC 2045 section 6.8).
const LINE: usize = 76;

/// Bytes of a text in an encoded word: with what is around them, fewer than the 75 characters that one may have (RFC 2047
/// section 2).
const WORD: usize = 36;

/// Builds the message as it is written to a file.
pub(super) fn written(sender: &Sender, outgoing: &OutgoingEmail) -> Result<Vec<u8>, MailError> {
    let OutgoingEmail { id, queued_at, email } = outgoing;
    let date = (*queued_at).max(OffsetDateTime::UNIX_EPOCH).format(&Rfc2822);
    let date = date.map_err(|error| MailError::Compose(error.into()))?;
    let from = match sender.from().name() {
        Some(name) => format!("{} <{}>", encoded(name), sender.from().address()),
        None => sender.from().address().to_owned(),
    };
    let headers = [
        ("Message-ID", format!("<{id}@{}>", sender.domain())),
        ("Date", date),
        ("From", from),
        ("To", email.to.as_str().to_owned()),
        ("Subject", encoded(&email.subject)),
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("MIME-Version", "1.0".to_owned()),
        ("Content-Type", format!("multipart/alternative; boundary=\"{id}\"")),
    ];
    let mut message = String::new();
    for (name, value) in headers {
        message.push_str(&format!("{name}: {value}\r\n"));
    }
    for (kind, content) in [("plain", &email.text), ("html", &email.html)] {
        message.push_str(&format!(
            "\r\n--{id}\r\nContent-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        ));
        for line in STANDARD.encode(content).as_bytes().chunks(LINE) {
            message.push_str(&String::from_utf8_lossy(line));
            message.push_str("\r\n");
        }
    }
    message.push_str(&format!("\r\n--{id}--\r\n"));
    Ok(message.into_bytes())
}

/// Writes a text as a header takes it: in encoded words, none of which ends within a character.
fn encoded(text: &str) -> String {
    let mut words = vec![String::new()];
    for character in text.chars().filter(|character| !is_deceptive(*character)) {
        match words.last_mut() {
            Some(word) if word.len() + character.len_utf8() <= WORD => word.push(character),
            _ => words.push(character.to_string()),
        }
    }
    let words: Vec<_> = words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join("\r\n ")
}
