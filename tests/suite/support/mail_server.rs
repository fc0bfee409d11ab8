//! A real mail server: aiosmtpd, which does to a mail what the name of its recipient says.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use mailparse::{MailHeaderMap, parse_mail};
use tempfile::TempDir;

use super::patience::until;
use super::server::files;

/// The Python that the package belongs to.
const PYTHON: &str = "/usr/bin/python3";

/// Where the package is.
const PACKAGE: &str = "/usr/lib/python3/dist-packages/aiosmtpd";

/// A running server; it is killed when this goes.
pub(crate) struct MailServer {
    child: Child,
    folder: TempDir,
    port: u16,
}

/// A mail that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TakenMail {
    /// The header `To`.
    pub(crate) to: String,
    /// The header `Subject`.
    pub(crate) subject: String,
    /// The plain text.
    pub(crate) text: String,
}

impl MailServer {
    /// Starts it on a port that the system chooses.
    pub(crate) fn start() -> Self {
        assert!(Path::new(PACKAGE).exists(), "this test needs aiosmtpd: install the package python3-aiosmtpd");
        let folder = tempfile::tempdir().unwrap();
        let script = include_str!("mail_server.py");
        let mut command = Command::new(PYTHON);
        command.args(["-c", script]).arg(folder.path()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let port = said.trim().parse().unwrap_or_else(|_| panic!("the mail server does not start: {said}"));
        Self { child, folder, port }
    }

    /// Returns what `SMTP_URL` is to be.
    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Returns every mail that it took for somebody.
    pub(crate) fn taken(&self, to: &str) -> Vec<TakenMail> {
        let names = files(self.folder.path());
        let names = names.iter().filter(|name| name.ends_with(&format!("-{to}.eml")));
        let read = |name: &String| {
            let bytes = std::fs::read(self.folder.path().join(name)).unwrap();
            let mail = parse_mail(&bytes).unwrap();
            let header = |name| mail.headers.get_first_value(name).unwrap();
            let text = mail.subparts[0].get_body().unwrap().replace("\r\n", "\n");
            TakenMail { to: header("To"), subject: header("Subject"), text }
        };
        names.map(read).collect()
    }

    /// Waits for the first mail to somebody.
    pub(crate) fn first(&self, to: &str) -> TakenMail {
        until(&format!("a mail to {to}"), || self.taken(to).into_iter().next())
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
