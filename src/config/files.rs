//! Settings from files: one in TOML that the command line names, and `.env` in the working directory.
//!
//! Both hold what the environment could: a file sets what neither a flag nor a variable does. Nothing is put into the
//! environment of the process, where other threads and every child would see it. An error names the file and the line and
//! never repeats a value, which may be secret.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::arguments::{Arguments, NAMES};
use super::settings::{SettingError, Settings};
use super::warnings::meant;

/// The file that is read without being named, if there is one.
const DOT_ENV: &str = ".env";

/// The settings whose values open something.
const SECRETS: [&str; 4] = ["JWT_SECRET_KEY", "DATABASE_URL", "DATABASE_DIRECT_URL", "SMTP_URL"];

/// Which older name a setting gives way to, where that was set by a flag or a variable and this one by a file.
const OLDER: [(&str, &str); 2] =
    [("ACCESS_TOKEN_TTL", "TOKEN_EXPIRY_HOURS"), ("REFRESH_TOKEN_TTL", "REFRESH_TOKEN_EXPIRY_DAYS")];

/// Why a file of settings is refused.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A line of it makes no sense.
    #[error("{place}: {problem}")]
    Line {
        /// The file and the line.
        place: String,
        /// What is wrong.
        problem: String,
    },
}

/// Arguments with what the files say, and where that comes from.
#[derive(Debug, Clone, Default)]
pub struct Filled {
    /// The settings as they were typed.
    pub arguments: Arguments,
    /// What is odd about the files.
    pub warnings: Vec<String>,
    places: HashMap<String, String>,
}

impl Filled {
    /// Understands every setting; a value that makes no sense is named with its file.
    ///
    /// # Errors
    /// The first setting that makes no sense, and what it takes.
    pub fn settings(&self) -> Result<Settings, String> {
        self.arguments.settings().map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &SettingError) -> String {
        match self.places.get(error.name) {
            Some(place) => format!("{place}: {error}"),
            None => error.to_string(),
        }
    }
}

/// A setting in a file.
struct Entry {
    name: String,
    value: Zeroizing<String>,
    line: usize,
}

/// Fills in what `arguments` leaves open: from the file that is named, and then from `.env` in `folder`.
///
/// # Errors
/// If a file that is named or there cannot be read, or holds anything else than settings.
pub fn fill_from_files(arguments: &Arguments, config: Option<&Path>, folder: &Path) -> Result<Filled, FileError> {
    let mut filled = Filled { arguments: arguments.clone(), ..Filled::default() };
    if let Some(path) = config {
        filled.fill(path, toml_entries)?;
    }
    let dot_env = folder.join(DOT_ENV);
    // A folder of this name is somebody's Python environment.
    if fs::metadata(&dot_env).is_ok_and(|found| !found.is_dir()) {
        filled.fill(&dot_env, dot_env_entries)?;
    }
    Ok(filled)
}

impl Filled {
    fn fill(
        &mut self,
        path: &Path,
        entries: fn(&Path, &str) -> Result<Vec<Entry>, FileError>,
    ) -> Result<(), FileError> {
        let unreadable = |source| FileError::Read { path: path.to_owned(), source };
        let text = Zeroizing::new(fs::read_to_string(path).map_err(unreadable)?);
        let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o777;
        let before = self.arguments.clone();
        for Entry { name, value, line } in entries(path, &text)? {
            let place = place(path, line);
            if !NAMES.contains(&name.as_str()) {
                return Err(FileError::Line { place, problem: unknown(&name) });
            }
            if value.contains('\0') {
                return Err(FileError::Line { place, problem: format!("{name}: takes no NUL") });
            }
            let gives_way = OLDER.iter().any(|(newer, older)| *newer == name && before.is_set(older));
            if gives_way || !self.arguments.fill(&name, &value) {
                continue;
            }
            if SECRETS.contains(&name.as_str()) && mode & 0o077 != 0 {
                let path = path.strip_prefix(".").unwrap_or(path).display();
                self.warnings.push(format!(
                    "{path}: holds {name} and can be read by others (mode {mode:o}): run chmod 600 {path}"
                ));
            }
            self.places.insert(name, place);
        }
        Ok(())
    }
}

fn place(path: &Path, line: usize) -> String {
    format!("{}, line {line}", path.strip_prefix(".").unwrap_or(path).display())
}

fn unknown(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    let close = NAMES.iter().find(|known| **known == upper).copied().or_else(|| meant(name));
    match close {
        Some(known) => format!("{name:?} is no setting; did you mean {known}?"),
        None => format!("{name:?} is no setting; perennial --help lists them"),
    }
}

/// Returns the number of the line that a place in a text is in.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn toml_entries(path: &Path, text: &str) -> Result<Vec<Entry>, FileError> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        FileError::Line { place: place(path, line), problem: format!("is no TOML: {}", error.message()) }
    })?;
    let mut entries = Vec::new();
    for (name, value) in table.get_ref() {
        let line = line_of(text, name.span().start);
        let name = name.get_ref().to_string();
        let value = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Boolean(flag) => flag.to_string(),
            _ if NAMES.contains(&name.as_str()) => {
                let problem = format!("{name}: takes a text in double quotes");
                return Err(FileError::Line { place: place(path, line), problem });
            }
            // The name is what is wrong.
            _ => String::new(),
        };
        entries.push(Entry { name, value: value.into(), line });
    }
    entries.sort_by_key(|entry| entry.line);
    Ok(entries)
}

fn dot_env_entries(path: &Path, text: &str) -> Result<Vec<Entry>, FileError> {
    let mut entries: Vec<Entry> = Vec::new();
    for read in dotenvy::from_read_iter(text.as_bytes()) {
        let after = entries.last().map_or(0, |entry| entry.line);
        let (name, value) = read.map_err(|error| {
            let line = match &error {
                dotenvy::Error::LineParse(bad, _) => find_line(text, after, |line| line.contains(bad.trim())),
                _ => None,
            };
            let problem = "takes lines such as NAME=\"value\"".to_owned();
            FileError::Line { place: place(path, line.unwrap_or(after + 1)), problem }
        })?;
        let line = find_line(text, after, |line| {
            let line = line.trim_start();
            let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
            line.strip_prefix(name.as_str()).is_some_and(|rest| rest.trim_start().starts_with('='))
        });
        entries.push(Entry { line: line.unwrap_or(after + 1), name, value: value.into() });
    }
    Ok(entries)
}

/// Returns the number of the first line after the one of number `after` for which `found` holds.
fn find_line(text: &str, after: usize, found: impl Fn(&str) -> bool) -> Option<usize> {
    text.lines().enumerate().skip(after).find(|(_, line)| found(line)).map(|(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes files and reads them; a file without a text is not there.
    fn read(config: Option<&str>, dot_env: Option<&str>, arguments: &Arguments) -> Result<Filled, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("perennial.toml");
        if let Some(text) = config {
            fs::write(&path, text).unwrap();
        }
        if let Some(text) = dot_env {
            fs::write(folder.path().join(DOT_ENV), text).unwrap();
        }
        let config = config.map(|_| path.as_path());
        fill_from_files(arguments, config, folder.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_flag_or_variable_comes_before_the_file_and_the_file_before_dot_env() {
        let typed = Arguments { bind: Some("127.0.0.1:1".into()), ..Arguments::default() };
        let toml = "BIND = \"127.0.0.1:2\" # with a remark\nIDLE_TTL = \"2d\"\nBCRYPT_COST = 10\nDEBUG_AUTH = true\n";
        let dot_env = "IDLE_TTL=3d\nexport SESSION_TTL = \"3h\"\n# a remark\nLOG_FORMAT='json'\n";
        let filled = read(Some(toml), Some(dot_env), &typed).unwrap().arguments;
        assert_eq!(filled.bind.as_deref(), Some("127.0.0.1:1"));
        assert_eq!((filled.idle_ttl.as_deref(), filled.session_ttl.as_deref()), (Some("2d"), Some("3h")));
        assert_eq!((filled.bcrypt_cost.as_deref(), filled.debug_auth.as_deref()), (Some("10"), Some("true")));
        assert_eq!(filled.log_format.as_deref(), Some("json"));
    }

    #[test]
    fn an_older_name_in_the_environment_comes_before_the_newer_in_a_file() {
        let typed = Arguments { token_expiry_hours: Some("1".into()), ..Arguments::default() };
        let filled = read(Some("ACCESS_TOKEN_TTL = \"5m\"\nREFRESH_TOKEN_TTL = \"36s\""), None, &typed).unwrap();
        let lifetimes = filled.settings().unwrap().lifetimes;
        assert_eq!((lifetimes.access, lifetimes.kept), (time::Duration::HOUR, time::Duration::seconds(36)));
    }

    #[test]
    fn an_unknown_name_is_told_with_its_line_and_no_value() {
        for (toml, line, words) in [
            ("\n\nACESS_TOKEN_TTL = \"hunter2\"", 3, "did you mean ACCESS_TOKEN_TTL"),
            ("bind = \"hunter2\"", 1, "did you mean BIND"),
            ("IDLE_TTL = \"1d\"\n[server]\nBIND = \"hunter2\"", 2, "is no setting"),
            ("BIND = [\"hunter2\"]", 1, "takes a text in double quotes"),
            ("BIND = \"a\"\nBIND = \"hunter2\"", 2, "is no TOML"),
            ("BIND = hunter2", 1, "is no TOML"),
            ("BIND = \"hunter2", 1, "is no TOML"),
        ] {
            let error = read(Some(toml), None, &Arguments::default()).unwrap_err();
            assert!(error.contains(&format!("perennial.toml, line {line}: ")), "{error}");
            assert!(error.contains(words) && !error.contains("hunter2"), "{error}");
        }
        for (dot_env, line, words) in [
            ("BIND=127.0.0.1:0\n# IDLE_TTL=1\n\nIDLE_TTTL=hunter2", 4, "did you mean IDLE_TTL"),
            ("FLASK_ENV=hunter2", 1, "is no setting"),
            ("BIND=127.0.0.1:0\nhunter2 is no line", 2, "takes lines such as"),
        ] {
            let error = read(None, Some(dot_env), &Arguments::default()).unwrap_err();
            assert!(error.contains(&format!(".env, line {line}: ")), "{error}");
            assert!(error.contains(words) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_bad_value_is_told_with_its_file() {
        let filled = read(Some("\nIDLE_TTL = \"soon\""), None, &Arguments::default()).unwrap();
        let problem = filled.settings().unwrap_err();
        assert!(problem.contains("perennial.toml, line 2: IDLE_TTL: takes a duration"), "{problem}");
    }
}
