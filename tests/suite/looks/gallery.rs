//! Every page in every state, as a file that any browser or tool opens without a server.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{administration, signed_in, signed_out};
use crate::support::{Answer, TestApp};

/// Browsers that sign in: the sign-ins of an account are shown with a picture and a name for each.
pub(super) const BROWSERS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 \
     Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "curl/8.14.1",
];

/// One page in one state, or one mail.
pub(super) struct Page {
    pub(super) name: &'static str,
    html: String,
}

/// The pages seen so far, and those that were not what was looked for.
#[derive(Default)]
pub(super) struct Gallery {
    pages: Vec<Page>,
    others: Vec<String>,
}

impl Gallery {
    /// Visits every page in every state.
    pub(super) async fn visit() -> Self {
        let mut gallery = Self::default();
        signed_out::visit(&mut gallery).await;
        signed_in::visit(&mut gallery).await;
        administration::visit(&mut gallery).await;
        assert!(gallery.others.is_empty(), "{}", gallery.others.join("\n"));
        let names: BTreeSet<_> = gallery.pages.iter().map(|page| page.name).collect();
        assert_eq!(names.len(), gallery.pages.len(), "two pages of one name");
        gallery
    }

    /// Takes in a page, which must have come with this status and say these words.
    pub(super) fn hang(&mut self, name: &'static str, answer: &Answer, status: u16, words: &str) {
        let html = answer.body();
        if answer.status.as_u16() != status || !html.contains(words) {
            self.others.push(format!("{name}: {} instead of {status}, or without {words:?}: {html}", answer.status));
        }
        self.pages.push(Page { name, html });
    }

    /// Takes in the HTML form of the last mail with this subject.
    pub(super) fn hang_mail(&mut self, name: &'static str, app: &TestApp, subject: &str) {
        let mails = app.mail();
        let mail = mails.iter().rev().find(|mail| mail.subject == subject);
        match mail {
            Some(mail) => self.pages.push(Page { name, html: mail.html.clone() }),
            None => self.others.push(format!("{name}: no mail with the subject {subject:?}")),
        }
    }

    /// Writes the pages into a folder, with the stylesheet and the icon beside them; returns each with its file.
    pub(super) async fn write(&self, app: &TestApp, folder: &Path) -> Vec<(&'static str, PathBuf)> {
        if folder.exists() {
            fs::remove_dir_all(folder).unwrap();
        }
        fs::create_dir_all(folder).unwrap();
        let browser = app.browser();
        let mut files = Vec::new();
        for page in &self.pages {
            let mut html = page.html.clone();
            for (kind, name) in [("style", "style.css"), ("icon", "icon.svg")] {
                // Mails have neither.
                let Some(url) = asset(&page.html, kind) else { continue };
                if !folder.join(name).exists() {
                    fs::write(folder.join(name), browser.get(url).await.bytes).unwrap();
                }
                html = html.replace(url, name);
            }
            let file = folder.join(format!("{}.html", page.name));
            fs::write(&file, html).unwrap();
            files.push((page.name, file));
        }
        files
    }
}

/// Finds the address of the stylesheet or the icon on a page.
fn asset<'p>(html: &'p str, kind: &str) -> Option<&'p str> {
    let start = html.find(&format!("/static/{kind}."))?;
    html[start..].split('"').next()
}
