//! The texts of the mails: those of the program, or the operator's in their place.
//!
//! All are read once, at the start, and tried with an example of what they will be filled in with, so that a mistake in one
//! is told then and not when somebody waits for a mail.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use minijinja::value::{Serde, ValueKind};
use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior, Value, escape_formatter};

use super::messages::Message;
use super::samples::{Sample, samples};
use super::{Email, MailError};
use crate::domain::user;

/// What the first line of a text begins with.
const SUBJECT: &str = "Subject:";

/// The placeholder that every mail has.
const SITE_NAME: &str = "site_name";

/// Bytes of an operator's template at most: a mail is a page or two, and one that big was put there by mistake.
const MOST_BYTES: u64 = 256 * 1024;

macro_rules! built_in {
    ($($name:literal)*) => {
        [(FRAME, include_str!("../../templates/mail/frame.html")), $(
            (concat!($name, ".txt"), include_str!(concat!("../../templates/mail/", $name, ".txt"))),
            (concat!($name, ".html"), include_str!(concat!("../../templates/mail/", $name, ".html"))),
        )*]
    };
}

/// What the HTML form of every mail extends: its styles, and the name of the site above it.
const FRAME: &str = "frame.html";

/// The templates of the program, by the names that a file of the operator's takes the place of.
const BUILT_IN: &[(&str, &str)] = &built_in!(
    "account_deleted" "account_locked" "account_made" "address_in_use" "device_not_proven" "email_change_requested" "email_changed" "new_device" "password_changed"
    "password_reset_requested" "refresh_token_replayed" "registration_requested"
);

/// Why the mails of a folder cannot be used; each is one line that names the file.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The folder or a file cannot be read.
    #[error("MAIL_TEMPLATE_DIR: cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file has a name that is no mail's.
    #[error("MAIL_TEMPLATE_DIR: {file} is no mail's; there are {known}, each as .txt and .html")]
    Unknown {
        /// The name of the file.
        file: String,
        /// Those that there are.
        known: String,
    },
    /// A template cannot be understood, or not be filled in.
    #[error("MAIL_TEMPLATE_DIR: {0}")]
    Broken(#[from] minijinja::Error),
    /// A template names something that its mail does not have.
    #[error("MAIL_TEMPLATE_DIR: {file} names {name}, which this mail does not have; it has {known}")]
    UnknownName {
        /// The name of the file.
        file: String,
        /// What it names.
        name: String,
        /// What it may name.
        known: String,
    },
    /// A text does not begin with its subject.
    #[error("MAIL_TEMPLATE_DIR: {file} does not begin with a line \"Subject: …\"")]
    NoSubject {
        /// The name of the file.
        file: String,
    },
}

/// The templates of all mails; clones share them.
#[derive(Clone)]
pub struct MailTemplates(Arc<Environment<'static>>);

impl MailTemplates {
    /// Reads the templates: those of the program, and the files of `folder` that take their place. `site_name` is what a
    /// mail calls the site.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn load(folder: Option<&Path>, site_name: &str) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_formatter(format_value);
        environment.add_global(SITE_NAME, site_name.to_owned());
        for (name, source) in BUILT_IN {
            environment.add_template(name, source)?;
        }
        for (name, source) in folder.map(read_folder).transpose()?.unwrap_or_default() {
            environment.add_template_owned(name, source)?;
        }
        let templates = Self(Arc::new(environment));
        samples().iter().try_for_each(|sample| templates.check(sample))?;
        Ok(templates)
    }

    /// Writes a mail to somebody.
    ///
    /// # Errors
    /// If a template cannot be filled in; each was tried at the start.
    pub fn write<M: Message>(&self, to: user::Email, message: &M) -> Result<Email, MailError> {
        let fields = Value::from(Serde(message));
        let (subject, text) = self.text(M::TEMPLATE, &fields)?;
        Ok(Email { to, subject, text, html: self.render(&file(M::TEMPLATE, "html"), &fields)? })
    }

    /// Tries both templates of a mail.
    fn check(&self, Sample { template, fields }: &Sample) -> Result<(), TemplateError> {
        let known = names(fields);
        for extension in ["txt", "html"] {
            let file = file(template, extension);
            let named = self.0.get_template(&file)?.undeclared_variables(true);
            let unknown = named.into_iter().filter(|name| !known.contains(name) && !self.is_global(name)).min();
            if let Some(name) = unknown {
                let known = known.into_iter().collect::<Vec<_>>().join(", ");
                return Err(TemplateError::UnknownName { file, name, known });
            }
            self.render(&file, fields)?;
        }
        match self.text(template, fields) {
            Err(MailError::NoSubject) => Err(TemplateError::NoSubject { file: file(template, "txt") }),
            _ => Ok(()),
        }
    }

    /// Tells whether a name is a function of the template language.
    fn is_global(&self, name: &str) -> bool {
        self.0.globals().any(|(global, _)| global == name)
    }

    /// Fills in a text, and takes its subject off.
    fn text(&self, template: &str, fields: &Value) -> Result<(String, String), MailError> {
        let text = self.render(&file(template, "txt"), fields)?;
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let subject = first.strip_prefix(SUBJECT).map(str::trim).filter(|subject| !subject.is_empty());
        let subject = subject.ok_or(MailError::NoSubject)?;
        Ok((subject.to_owned(), rest.trim_start_matches('\n').to_owned()))
    }

    fn render(&self, file: &str, fields: &Value) -> Result<String, minijinja::Error> {
        self.0.get_template(file)?.render(fields)
    }
}

fn file(template: &str, extension: &str) -> String {
    format!("{template}.{extension}")
}

/// Returns what a template may name, nested names included.
fn names(fields: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::from([SITE_NAME.to_owned()]);
    for (key, value) in entries(fields) {
        names.extend(entries(&value).into_iter().map(|(inner, _)| format!("{key}.{inner}")));
        names.insert(key);
    }
    names
}

/// Returns the entries of a map; nothing of anything else.
fn entries(value: &Value) -> Vec<(String, Value)> {
    if value.kind() != ValueKind::Map {
        return Vec::new();
    }
    let keys = value.try_iter().into_iter().flatten();
    keys.filter_map(|key| Some((key.as_str()?.to_owned(), value.get_item(&key).ok()?))).collect()
}

/// Reads the operator's templates. Files of other kinds are left alone: an editor may keep a copy beside a file.
fn read_folder(folder: &Path) -> Result<Vec<(String, String)>, TemplateError> {
    let unreadable = |path: &Path, source| TemplateError::Unreadable { path: path.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, error))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<BTreeSet<_>>>();
    let mut found = Vec::new();
    for path in paths.map_err(|error| unreadable(folder, error))? {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_template = matches!(path.extension().and_then(|extension| extension.to_str()), Some("txt" | "html"));
        if !is_template || name.starts_with('.') {
            continue;
        }
        if !BUILT_IN.iter().any(|(known, _)| *known == name) {
            let known: Vec<_> = BUILT_IN.iter().filter_map(|(known, _)| known.strip_suffix(".txt")).collect();
            return Err(TemplateError::Unknown { file: name, known: known.join(", ") });
        }
        let size = fs::metadata(&path).map_err(|error| unreadable(&path, error))?.len();
        if size > MOST_BYTES {
            let problem = format!("it has {size} bytes, and a mail has {MOST_BYTES} at most");
            return Err(unreadable(&path, io::Error::other(problem)));
        }
        let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
        // As editors on other systems save it.
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        found.push((name, text));
    }
    Ok(found)
}

/// Writes a value into a mail.
///
/// In HTML it is escaped as everything is there; a slash is left as it is, which the engine's own way is not: a link must
/// be the same text in both forms of a mail.
fn format_value(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), minijinja::Error> {
    let text = value.as_str().filter(|_| matches!(state.auto_escape(), AutoEscape::Html) && !value.is_safe());
    let Some(text) = text else { return escape_formatter(output, state, value) };
    let written = text.chars().try_for_each(|c| match c {
        '&' => output.write_str("&amp;"),
        '<' => output.write_str("&lt;"),
        '>' => output.write_str("&gt;"),
        '"' => output.write_str("&quot;"),
        '\'' => output.write_str("&#39;"),
        c => output.write_char(c),
    });
    written.map_err(minijinja::Error::from)
}

impl fmt::Debug for MailTemplates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailTemplates")
    }
}
